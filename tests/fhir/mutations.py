"""How is a correct resource made wrong in one place, always in the same way?

Each kind of mutation is drawn with a generator seeded by the case, so that a run can be repeated
and its verdicts compared with those an independent validator gave.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from liane.fhir import definitions
from liane.fhir.profiles.base import elements
from liane.fhir.profiles.structures import Element, Type

Json = dict[str, Any]
KINDS = ("type", "cardinality", "code", "target", "invariant", "slice", "harmless")


class Place(NamedTuple):
    """One value in a resource and what R4 says of it."""

    holder: Json
    key: str
    table: str
    element: Element
    type: Type


def places(resource: Json) -> Iterator[Place]:
    """Every value of the resource, contained ones and entries included."""
    yield from _object(resource, str(resource.get("resourceType")))


def _object(value: Json, table: str) -> Iterator[Place]:
    for name, element in elements(table).items():
        for type_ in element.types or ():
            key = name
            if name.endswith("[x]"):
                key = f"{name[:-3]}{type_.code[0].upper()}{type_.code[1:]}"
            if key in value:
                yield Place(value, key, table, element, type_)
                below = f"{table}.{name}" if elements(f"{table}.{name}") else type_.code
                yield from _values(value[key], below)
        if element.content and name in value:
            yield from _values(value[name], element.content)


def _values(value: Any, table: str) -> Iterator[Place]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            yield from _object(one, str(one.get("resourceType", table)))


def mutated(resource: Json, kind: str, seed: str) -> Json | None:
    """The resource with one mistake of that kind; None where it has no place for one."""
    changed = copy.deepcopy(resource)
    chance = random.Random(f"{kind}/{seed}")
    return changed if MAKERS[kind](changed, chance) else None


def _chosen(found: list[Any], chance: random.Random) -> Any:
    return chance.choice(found) if found else None


WRONG: dict[str, list[Any]] = {
    "boolean": ["yes", 1, {}],
    "integer": ["3", 1.5, True],
    "positiveInt": ["3", -2, 0],
    "unsignedInt": ["3", -2],
    "decimal": ["3.1", True],
    "date": ["01/02/2020", "2020-13-01", 20200101, "2020-1-1"],
    "dateTime": ["01/02/2020", "2020-02-30", "2020-01-01T10:00", "yesterday"],
    "instant": ["2020-01-01", "2020-01-01T10:00:00"],
    "time": ["25:00:00", "10h"],
    "string": [5, {"x": 1}, ["a"], ""],
    "markdown": [5, True],
    "code": [5, True, "a  b"],
    "id": ["a b", 5],
    "uri": [5, "a b"],
    "url": [5, "a b"],
    "canonical": [5, "http://a b"],
    "oid": ["1.2.3", 5],
    "uuid": ["x", 5],
    "base64Binary": ["***", 5],
}


def _harmless(resource: Json, chance: random.Random) -> bool:
    """Leave out what is optional: nearly always still correct."""
    found = [place for place in places(resource) if not place.element.min and place.key != "id"]
    place = _chosen(found, chance)
    if place is None:
        return False
    place.holder.pop(place.key)
    place.holder.pop(f"_{place.key}", None)
    return True


def _wrong_type(resource: Json, chance: random.Random) -> bool:
    found = [
        place
        for place in places(resource)
        if place.type.code in WRONG or isinstance(place.holder[place.key], dict)
    ]
    place = _chosen(found, chance)
    if place is None:
        return False
    now = place.holder[place.key]
    wrong = chance.choice(WRONG.get(place.type.code, ["text", 5, True]))
    if isinstance(now, list):
        now[chance.randrange(len(now))] = wrong
    else:
        place.holder[place.key] = wrong
    return True


def _wrong_cardinality(resource: Json, chance: random.Random) -> bool:
    found = list(places(resource))
    needed = [place for place in found if place.element.min and place.key != "resourceType"]
    single = [
        place
        for place in found
        if place.element.max == 1 and not isinstance(place.holder[place.key], list)
    ]
    if needed and chance.random() < 0.7:
        place = chance.choice(needed)
        del place.holder[place.key]
        return True
    place = _chosen(single, chance)
    if place is None:
        return False
    place.holder[place.key] = [place.holder[place.key], place.holder[place.key]]
    return True


def _wrong_code(resource: Json, chance: random.Random) -> bool:
    found = [
        place
        for place in places(resource)
        if place.element.binding is not None
        and place.element.binding[0] == "required"
        and place.type.code in ("code", "CodeableConcept", "Coding")
        and "mimetypes" not in place.element.binding[1]
        and "languages" not in place.element.binding[1]
    ]
    place = _chosen(found, chance)
    if place is None:
        return False
    value = place.holder[place.key]
    holder: Any = place.holder
    key: Any = place.key
    if isinstance(value, list):
        holder, key = value, chance.randrange(len(value))
    if place.type.code == "code":
        holder[key] = "not-a-code"
    elif place.type.code == "Coding":
        holder[key] = {**holder[key], "code": "not-a-code"}
    else:
        holder[key] = {
            "coding": [{"system": "http://example.org/other-codes", "code": "not-a-code"}]
        }
    return True


def _wrong_target(resource: Json, chance: random.Random) -> bool:
    found: list[tuple[Json, list[str]]] = []
    for place in places(resource):
        if place.type.code != "Reference" or not place.type.targets:
            continue
        names = {url.rpartition("/")[2] for url in place.type.targets}
        if "Resource" in names:
            continue
        others = [type_ for type_ in definitions.types() if type_ not in names]
        value = place.holder[place.key]
        found += [
            (one, others)
            for one in (value if isinstance(value, list) else [value])
            if isinstance(one, dict) and isinstance(one.get("reference"), str)
        ]
    chosen = _chosen(found, chance)
    if chosen is None:
        return False
    chosen[0]["reference"] = f"{chance.choice(chosen[1])}/example"
    return True


def _without(name: str, table: str) -> Callable[[Place], bool]:
    def change(place: Place) -> bool:
        if place.type.code != table:
            return False
        value = place.holder[place.key]
        one = value[0] if isinstance(value, list) else value
        if name not in one:
            return False
        del one[name]
        return True

    return change


def _unit_without_system(place: Place) -> bool:
    value = place.holder[place.key]
    if place.type.code != "Quantity" or not isinstance(value, dict) or "code" not in value:
        return False
    return value.pop("system", None) is not None


def _contact_without_system(place: Place) -> bool:
    value = place.holder[place.key]
    one = value[0] if isinstance(value, list) else value
    if place.type.code != "ContactPoint" or "value" not in one:
        return False
    return one.pop("system", None) is not None


def _period_turned(place: Place) -> bool:
    value = place.holder[place.key]
    if place.type.code != "Period" or not isinstance(value, dict):
        return False
    value["start"], value["end"] = "2020-05-02", "2019-01-01"
    return True


def _extension_empty(place: Place) -> bool:
    if place.type.code not in ("HumanName", "CodeableConcept", "Reference", "Identifier"):
        return False
    value = place.holder[place.key]
    one = value[0] if isinstance(value, list) else value
    if not isinstance(one, dict):
        return False
    one.setdefault("extension", []).append({"url": "http://example.org/nothing"})
    return True


def _reference_to_nothing_inside(place: Place) -> bool:
    value = place.holder[place.key]
    if place.type.code != "Reference" or not isinstance(value, dict):
        return False
    value["reference"] = "#nobody"
    return True


def _script(place: Place) -> bool:
    value = place.holder[place.key]
    if place.type.code != "Narrative" or not isinstance(value, dict):
        return False
    value["div"] = '<div xmlns="http://www.w3.org/1999/xhtml"><script>x</script></div>'
    return True


def _both_reasons(place: Place) -> bool:
    if place.table != "Observation" or place.key != "status":
        return False
    place.holder["valueString"] = "x"
    for key in [key for key in place.holder if key.startswith("value") and key != "valueString"]:
        del place.holder[key]
    place.holder["dataAbsentReason"] = {"text": "y"}
    return True


_INVARIANTS = (
    _unit_without_system,
    _contact_without_system,
    _period_turned,
    _extension_empty,
    _reference_to_nothing_inside,
    _script,
    _both_reasons,
)

_OF_TYPE: dict[str, Callable[[Json], None]] = {
    "Patient": lambda r: r.update(contact=[{"gender": "male"}]),
    "AllergyIntolerance": lambda r: r.pop("clinicalStatus", None) and None,
    "Appointment": lambda r: r.update(start="2020-01-01T10:00:00Z", status="booked") or (r.pop("end", None) and None),
    "Organization": lambda r: [r.pop(k, None) for k in ("identifier", "name")] and None,
    "Questionnaire": lambda r: r.update(item=[{"linkId": "1", "type": "display", "text": "x", "required": True}]),
    "QuestionnaireResponse": lambda r: r.update(item=[{"linkId": "1", "answer": [{"valueString": "x"}], "item": [{"linkId": "2"}]}]),
    "ValueSet": lambda r: r.update(compose={"include": [{"version": "1"}]}),
    "ConceptMap": lambda r: r.update(group=[{"element": [{"code": "a", "target": [{"code": "b", "equivalence": "narrower"}]}]}]),
    "List": lambda r: r.update(emptyReason={"text": "none"}, entry=[{"item": {"display": "x"}}]),
    "Bundle": lambda r: r.update(total=3, type="collection"),
    "Consent": lambda r: [r.pop(k, None) for k in ("policy", "policyRule")] and None,
    "Composition": lambda r: r.update(section=[{"title": "nothing"}]),
    "Condition": lambda r: r.update(abatementString="x", clinicalStatus={"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}),
    "Group": lambda r: r.update(actual=False, member=[{"entity": {"reference": "Patient/1"}}]),
    "Goal": lambda r: r.update(target=[{"detailString": "x"}]),
    "CareTeam": lambda r: r.update(participant=[{"onBehalfOf": {"reference": "Organization/1"}, "member": {"reference": "Patient/1"}}]),
    "FamilyMemberHistory": lambda r: r.update(estimatedAge=True) or ([r.pop(k) for k in list(r) if k.startswith("age")] and None),
    "ServiceRequest": lambda r: r.update(orderDetail=[{"text": "x"}]) or (r.pop("code", None) and None),
    "Linkage": lambda r: r.update(item=r["item"][:1]),
    "RequestGroup": lambda r: r.update(action=[{"title": "x"}]),
    "StructureDefinition": lambda r: r.update(contextInvariant=["true"]),
    "SearchParameter": lambda r: r.update(chain=["x"], type="string"),
    "OperationDefinition": lambda r: r.update(parameter=[{"name": "x", "use": "in", "min": 0, "max": "1"}]),
    "CapabilityStatement": lambda r: [r.pop(k, None) for k in ("rest", "messaging", "document")] and None,
    "Task": lambda r: r.update(authoredOn="2020-01-02", lastModified="2019-01-01"),
    "Immunization": lambda r: r.update(education=[{"publicationDate": "2020"}]),
    "Parameters": lambda r: r.update(parameter=[{"name": "x"}]),
}  # fmt: skip


def _broken_invariant(resource: Json, chance: random.Random) -> bool:
    own = _OF_TYPE.get(str(resource.get("resourceType")))
    if own is not None and chance.random() < 0.6:
        own(resource)
        return True
    found = list(places(resource))
    chance.shuffle(found)
    makers = list(_INVARIANTS)
    chance.shuffle(makers)
    return any(make(place) for make in makers for place in found)


_VITAL = "http://hl7.org/fhir/StructureDefinition/vitalsigns"
_BP = "http://hl7.org/fhir/StructureDefinition/bp"


def vital_sign(resource: Json) -> Json | None:
    """An Observation that says it keeps the profile of vital signs, and does."""
    if resource.get("resourceType") != "Observation":
        return None
    code = {
        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
        "code": "vital-signs",
    }
    return {
        "resourceType": "Observation",
        "meta": {"profile": [_BP]},
        "status": "final",
        "category": [{"coding": [code]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
        "subject": {"reference": "Patient/example"},
        "effectiveDateTime": "2020-01-02",
        "component": [_component("8480-6", 107), _component("8462-4", 60)],
    }


def _component(code: str, value: int) -> Json:
    return {
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "valueQuantity": {
            "value": Decimal(value),
            "unit": "mmHg",
            "system": "http://unitsofmeasure.org",
            "code": "mm[Hg]",
        },
    }


def _wrong_slice(resource: Json, chance: random.Random) -> bool:
    made = vital_sign(resource)
    if made is None:
        return _wrong_extension(resource, chance)
    resource.clear()
    resource.update(made)
    chance.choice(_SLICES)(resource)
    return True


def _wrong_extension(resource: Json, chance: random.Random) -> bool:
    """An extension with another type of value, doubled, with a part too many or out of place."""
    found = [place for place in places(resource) if place.type.code == "Extension"]
    place = _chosen(found, chance)
    if place is None:
        return False
    extensions = place.holder[place.key]
    one = chance.choice(extensions)
    choice = chance.randrange(4)
    if choice == 0:
        for key in [key for key in one if key.startswith("value")]:
            del one[key]
        one["valueBase64Binary"] = "AAAA"
    elif choice == 1:
        extensions.append(copy.deepcopy(one))
    elif choice == 2 and "extension" in one:
        one["extension"].append({"url": "surprise", "valueString": "x"})
    else:
        resource.setdefault("extension", []).append(copy.deepcopy(one))
    return True


_SLICES: tuple[Callable[[Json], Any], ...] = (
    lambda r: None,
    lambda r: r.pop("component"),
    lambda r: r["component"].pop(),
    lambda r: r.pop("category"),
    lambda r: r["category"][0]["coding"][0].update(code="laboratory"),
    lambda r: r["component"].append(copy.deepcopy(r["component"][0])),
    lambda r: r["component"].append(_component("9999-9", 3)),
    lambda r: r["component"][0]["valueQuantity"].update(code="kPa"),
    lambda r: r["component"][0]["valueQuantity"].pop("value"),
    lambda r: r["component"][0].update(valueString="x") or r["component"][0].pop("valueQuantity"),
    lambda r: r["component"].reverse(),
    lambda r: r["code"]["coding"].append({"system": "http://example.org", "code": "own"}),
    lambda r: r["code"].update(coding=[{"system": "http://example.org", "code": "own"}]),
    lambda r: r.pop("effectiveDateTime"),
    lambda r: r.pop("subject"),
    lambda r: r["category"].append({"text": "another"}),
    lambda r: r["meta"].update(profile=[_VITAL]) or r.pop("component"),
    lambda r: r["meta"].update(profile=[_VITAL]),
)  # fmt: skip

MAKERS: dict[str, Callable[[Json, random.Random], bool]] = {
    "type": _wrong_type,
    "cardinality": _wrong_cardinality,
    "code": _wrong_code,
    "target": _wrong_target,
    "invariant": _broken_invariant,
    "slice": _wrong_slice,
    "harmless": _harmless,
}
