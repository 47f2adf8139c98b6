"""How does a smallest resource look that has one value of one search parameter?

Made from the definitions: the places of a parameter say which elements lead to the value and of
which datatype it is. Each sample has a value to be found by, and a resource with another value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from liane.fhir import definitions
from liane.fhir.definitions import SearchParameter

UCUM = "http://unitsofmeasure.org"
_STEP = re.compile(
    r'\."(?P<key>[^"]+)"(?P<first>\[0\])?(?: \? \(@\."(?P<at>[^"]+)" == "(?P<is>[^"]+)"\))?'
)
_QUANTITIES = {
    "Quantity",
    "Age",
    "Duration",
    "Count",
    "Distance",
    "SimpleQuantity",
    "MoneyQuantity",
}


@dataclass(frozen=True)
class Sample:
    """`mine` is found by `name=asked`; `other` is not."""

    type: str
    name: str
    asked: str
    mine: dict[str, Any]
    other: dict[str, Any]


def samples(type_: str) -> Iterator[Sample]:
    """One sample for each place of each parameter of the type."""
    for number, known in enumerate(definitions.search_parameters(type_).values()):
        if known.components:
            yield from _composites(type_, known, number)
        for place, (path, datatype, target) in enumerate(known.places):
            value = _value(known, datatype, f"{number}x{place}", target)
            if value is None or (datatype == "truth" and 'Boolean"' not in path):
                continue
            asked, mine, other = value
            yield Sample(
                type_, known.name, asked, _built(type_, path, mine), _built(type_, path, other)
            )


def _built(type_: str, path: str, value: Any) -> dict[str, Any]:
    """A resource whose element at the path has the value."""
    steps = [match.groupdict() for match in _STEP.finditer(path)]
    resource: dict[str, Any] = {"resourceType": type_}
    here, table = resource, type_
    for n, step in enumerate(steps):
        key, many, below = _element(table, step["key"])
        made: Any = value if n == len(steps) - 1 else {}
        if step["at"] and isinstance(made, dict):
            made = {step["at"]: step["is"], **made}
        here[key] = [made] if many else made
        here, table = made, below
    return resource


def _element(table: str, key: str) -> tuple[str, bool, str]:
    elements = definitions.elements(table)
    found = elements.get(key)
    if found is None:  # one type of a choice
        return key, False, "choice"
    backbone = f"{table}.{key}"
    below = found.content or (backbone if definitions.elements(backbone) else found.types[0][0])
    return key, found.maximum != 1, below


Values = tuple[str, Any, Any]


def _value(known: SearchParameter, datatype: str, tag: str, target: str | None) -> Values | None:
    match known.kind:
        case "token":
            return _token(datatype, tag)
        case "string":
            return _string(known, datatype, tag)
        case "date":
            return _date(datatype)
        case "number" | "quantity":
            return _number(datatype)
        case "uri":
            return f"http://a.example/{tag}", f"http://a.example/{tag}", f"http://b.example/{tag}"
        case "reference":
            return _reference(known, datatype, tag, target)
    return None


def _token(datatype: str, tag: str) -> Values | None:
    a, b = f"a{tag}", f"b{tag}"
    system = f"urn:system:{tag}"
    match datatype:
        case "truth":
            return "true", True, False
        case "boolean":
            return "true", True, False
        case "Coding":
            return f"{system}|{a}", {"system": system, "code": a}, {"system": system, "code": b}
        case "CodeableConcept":
            mine, other = ({"coding": [{"system": system, "code": code}]} for code in (a, b))
            return f"{system}|{a}", mine, other
        case "Identifier":
            return f"{system}|{a}", {"system": system, "value": a}, {"system": system, "value": b}
        case "ContactPoint":
            return a, {"value": a}, {"value": b}
    return a, a, b


def _string(known: SearchParameter, datatype: str, tag: str) -> Values | None:
    a, b = (f"alba{tag}", f"zogbi{tag}")
    if known.name == "phonetic":
        a, b = "Dupont", "Zogbi"
    asked = "dupond" if known.name == "phonetic" else a[:-1] + a[-1].upper()
    match datatype:
        case "HumanName":
            return asked, {"family": a}, {"family": b}
        case "Address":
            return asked, {"city": a}, {"city": b}
        case "CodeableConcept":
            return asked, {"text": a}, {"text": b}
    return asked, a, b


def _date(datatype: str) -> Values | None:
    a, b = "2021-05-05", "2022-06-06"
    match datatype:
        case "Period":
            return "2021-05", {"start": a, "end": a}, {"start": b, "end": b}
        case "Timing":
            return a, {"event": [a]}, {"event": [b]}
        case "string" | "Age" | "Range":
            return None  # a time told in words, or as an age, is no date
        case "instant":
            return "2021-05-05", f"{a}T10:00:00Z", f"{b}T10:00:00Z"
    return "2021-05", a, b


def _number(datatype: str) -> Values | None:
    a, b = Decimal("12.5"), Decimal("77.5")
    if datatype in _QUANTITIES:
        mine, other = ({"value": v, "system": UCUM, "code": "kg"} for v in (a, b))
        return f"12500|{UCUM}|g", mine, other
    match datatype:
        case "Money":
            return "12.5", {"value": a, "currency": "EUR"}, {"value": b, "currency": "EUR"}
        case "Range":
            mine = {"low": {"value": Decimal(12)}, "high": {"value": Decimal(13)}}
            return "gt12.5", mine, {"low": {"value": Decimal(1)}, "high": {"value": Decimal(2)}}
        case "SampledData":
            return None
        case "decimal":
            return "12.5", a, b
    return "12", 12, 77


def _reference(
    known: SearchParameter, datatype: str, tag: str, target: str | None
) -> Values | None:
    type_ = target or (known.targets[0] if known.targets else "Patient")
    a, b = f"a{tag}", f"b{tag}"
    match datatype:
        case "Attachment":
            return None
        case "Reference":
            mine, other = ({"reference": f"{type_}/{id_}"} for id_ in (a, b))
            return f"{type_}/{a}", mine, other
        case "Resource":
            mine, other = ({"resourceType": type_, "id": id_} for id_ in (a, b))
            return f"{type_}/{a}", mine, other
    return f"http://a.example/{tag}", f"http://a.example/{tag}|2", f"http://b.example/{tag}"


def _concept(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "urn:s", "code": code}]}


def _quantity(value: str) -> dict[str, Any]:
    return {"value": Decimal(value), "system": UCUM, "code": "mg"}


def _composites(type_: str, known: SearchParameter, number: int) -> Iterator[Sample]:
    for asked, mine, other in _pairs(known.name, f"c{number}"):
        resource: dict[str, Any] = {"resourceType": type_}
        yield Sample(type_, known.name, asked, resource | mine, resource | other)


def _pairs(name: str, code: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """The wrong resource has both values, but not together: one of another code."""
    token = f"urn:s|{code}"
    match name:
        case "context-type-quantity":
            kinds = [("valueQuantity", _quantity("5"), _quantity("50"))]
            for key, a, b in kinds:
                yield f"{token}$0.005||g", *_contexts(code, key, a, b)
        case "context-type-value":
            yield (
                f"{token}$a",
                *_contexts(code, "valueCodeableConcept", _concept("a"), _concept("b")),
            )
        case "characteristic-value":
            shape = [({"code": _concept(code), "valueCodeableConcept": _concept(v)}) for v in "ab"]
            yield f"{token}$a", {"characteristic": shape[:1]}, {"characteristic": shape[1:]}
        case "relationship":
            near: list[dict[str, Any]] = [
                {"code": code, "target": {"reference": f"DocumentReference/{v}"}} for v in "ab"
            ]
            yield f"{code}$DocumentReference/a", {"relatesTo": near[:1]}, {"relatesTo": near[1:]}
        case _ if "coordinate" in name:
            yield from _coordinates(name)
        case _:
            yield from _observations(name, code)


def _contexts(code: str, key: str, a: Any, b: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    coding = {"system": "urn:s", "code": code}
    strange = {"system": "urn:s", "code": "strange"}
    mine = {"useContext": [{"code": coding, key: a}, {"code": strange, key: b}]}
    return mine, {"useContext": [{"code": coding, key: b}, {"code": strange, key: a}]}


def _coordinates(name: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    of_window = "window" in name
    start, end = ("windowStart", "windowEnd") if of_window else ("start", "end")
    known = (
        {"chromosome": _concept("7")} if "chromosome" in name else {"referenceSeqId": _concept("7")}
    )

    def made(low: int, high: int) -> dict[str, Any]:
        if of_window:
            return {"referenceSeq": {**known, start: low, end: high}}
        return {"referenceSeq": known, "variant": [{start: low, end: high}]}

    yield "7$gt100$lt200", made(120, 180), made(120, 280)


def _observations(name: str, code: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    key, asked, a, b = {
        "concept": ("valueCodeableConcept", "urn:s|a", _concept("a"), _concept("b")),
        "date": ("valueDateTime", "2021-05", "2021-05-05", "2022-05-05"),
        "quantity": ("valueQuantity", f"0.005|{UCUM}|g", _quantity("5"), _quantity("50")),
        "string": ("valueString", "alb", "Alba", "Zogbi"),
    }[name.rpartition("-")[2]]
    wanted = f"urn:s|{code}${asked}"
    coded = {"code": _concept(code)}
    if not name.startswith("component"):
        yield wanted, coded | {key: a}, coded | {key: b}
    if name.startswith(("component", "combo")):
        inside = {"component": [coded | {key: a}, {"code": _concept("strange"), key: b}]}
        crossed = {"component": [coded | {key: b}, {"code": _concept("strange"), key: a}]}
        yield wanted, inside, crossed
