"""Promise: the generated extractors give the values that an independent FHIRPath engine gives."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import fhirpathpy
import pytest
from fhirpathpy.models import models

from liane.base.errors import Invalid
from liane.fhir import definitions
from liane.fhir import json as fhir_json
from liane.fhir.dates import interval
from liane.fhir.extraction import extract

COMPARED = {"token", "reference", "string", "date", "quantity", "number", "uri"}
BEYOND_THE_ENGINE = {
    "source-uri",  # R4 writes `as Uri`; the type is `uri`, and only we take one for the other
    "target-uri",
    "activity-date",  # the engine takes a time written in a string for a date
}
Json = dict[str, Any]


def test_values_equal_those_of_the_interpreter(shared_data: Path) -> None:
    folder = shared_data / "fhir-r4-examples"
    if not folder.is_dir():
        pytest.skip("shared data set 'fhir-r4-examples' not found")
    compared: Counter[str] = Counter()
    disagreements: list[str] = []
    per_type: Counter[str] = Counter()
    for path in sorted(folder.rglob("*.json")):
        resource = json.loads(path.read_bytes())
        type_ = resource.get("resourceType", "")
        if type_ not in definitions.TYPES or path.stat().st_size > 40_000:
            continue
        per_type[type_] += 1
        if per_type[type_] > 4:
            continue
        compare(path.name, fhir_json.loads(path.read_bytes()), resource, compared, disagreements)
    assert disagreements == []
    assert sum(compared.values()) > 2_000
    assert set(compared) >= {"token", "reference", "string", "date", "quantity", "uri"}


def compare(
    name: str, exact: Json, resource: Json, compared: Counter[str], disagreements: list[str]
) -> None:
    try:
        found = grouped(extract(exact))
    except Invalid:
        return
    for parameter in definitions.search_parameters(resource["resourceType"]).values():
        if parameter.kind not in COMPARED or parameter.name.startswith("_"):
            continue
        if parameter.name in BEYOND_THE_ENGINE:
            continue
        expected = interpreted(resource, parameter.expression)
        if expected is None:
            continue
        wanted = {value for node in expected for value in values_of(parameter.kind, node)}
        got = found[parameter.name]
        compared[parameter.kind] += 1
        if wanted != got:
            disagreements.append(f"{name} {parameter.name}: {sorted(wanted ^ got, key=str)[:4]}")


def interpreted(resource: Json, expression: str) -> list[Any] | None:
    """What the engine gives for the parts of the expression it can run; None when it cannot."""
    type_ = resource["resourceType"]
    parts = [part.strip() for part in expression.split("|")]
    own = [p for p in parts if p.lstrip("(").split(".")[0] in (type_, "Resource", "DomainResource")]
    nodes: list[Any] = []
    for part in own:
        if "resolve()" in part or "!= false" in part:
            return None
        try:
            nodes += fhirpathpy.evaluate(resource, part, {}, models["r4"])
        except Exception:  # noqa: BLE001 - the engine fails in many ways
            return None
    return nodes


def grouped(found: Any) -> dict[str, set[Any]]:
    groups: dict[str, set[Any]] = defaultdict(set)
    for token in found.tokens:
        groups[token.param].add(token.code)
    for ref in found.references:
        groups[ref.param].add((ref.id or ref.url or "", ref.identifier))
    for text in found.strings:
        groups[text.param].add(text.text)
    for span in found.dates:
        groups[span.param].add((span.low, span.high))
    for amount in found.numbers:
        groups[amount.param].add(
            (float(amount.value) if amount.value is not None else None, amount.code)
        )
    for uri in found.uris:
        groups[uri.param].add(uri.uri)
    return groups


def values_of(kind: str, node: Any) -> list[Any]:
    return {
        "token": token_values,
        "reference": reference_values,
        "string": string_values,
        "date": date_values,
        "quantity": amount_values,
        "number": amount_values,
        "uri": lambda value: [value],
    }[kind](node)


def token_values(node: Any) -> list[Any]:
    if isinstance(node, bool):
        return ["true" if node else "false"]
    if isinstance(node, str):
        return [node]
    if "coding" in node or set(node) <= {"text", "coding", "id", "extension"}:
        return [c["code"] for c in node.get("coding", ()) if "code" in c]
    if "code" in node and "value" not in node:
        return [node["code"]]
    return [node["value"]] if "value" in node else []


def reference_values(node: Any) -> list[Any]:
    if isinstance(node, str):
        return url_values(node, None)
    identifier = node.get("identifier") if "resourceType" not in node else None
    business = (
        (identifier.get("system"), identifier["value"])
        if identifier and "value" in identifier
        else None
    )
    if "resourceType" in node:
        return [(node.get("id", ""), None)]
    if "reference" not in node:
        return [("", business)] if business else []
    return url_values(node["reference"], business)


def url_values(text: str, business: Any) -> list[Any]:
    from liane.fhir.references import parse

    parts = parse(text)
    if parts.fragment is not None:
        return [("", business)] if business else []
    return [(parts.id if parts.local else text, business)]


def string_values(node: Any) -> list[Any]:
    if isinstance(node, str):
        return [node]
    keys = (
        "family",
        "text",
        "given",
        "prefix",
        "suffix",
        "line",
        "city",
        "district",
        "state",
        "country",
        "postalCode",
    )
    found: list[str] = []
    for key in keys:
        value = node.get(key)
        found += value if isinstance(value, list) else [value] if value is not None else []
    found += [c["display"] for c in node.get("coding", ()) if "display" in c]
    return [value for value in found if value is not None]


def date_values(node: Any) -> list[Any]:
    if isinstance(node, str):
        return [interval(node)] if node[:4].isdigit() else []  # words: "January 2012"
    if "repeat" in node or "event" in node or "code" in node:
        spans = [interval(event) for event in node.get("event", ())]
        found: list[Any] = [(min(s[0] for s in spans), max(s[1] for s in spans))] if spans else []
        return found + date_values(node.get("repeat", {}).get("boundsPeriod", {}))
    low = interval(node["start"])[0] if "start" in node else None
    high = interval(node["end"])[1] if "end" in node else None
    return [(low, high)] if low or high else []


def amount_values(node: Any) -> list[Any]:
    if isinstance(node, (int, float)):
        return [(float(node), None)]
    if "low" in node or "high" in node:
        unit = node.get("low") or node.get("high")
        return [(None, unit.get("code"))]
    if "currency" in node:
        return [(float(node["value"]), node["currency"])]
    if "value" not in node:
        return []
    return [(float(node["value"]), node.get("code") or node.get("unit"))]
