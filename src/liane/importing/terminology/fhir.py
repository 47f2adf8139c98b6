"""How are FHIR terminology resources read: code systems, value sets, concept maps, Bundles?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from liane.base.errors import Invalid
from liane.base.ids import is_fhir_id, stable_id
from liane.fhir import json as fhir_json
from liane.fhir import xml
from liane.importing.recognising import content_of
from liane.importing.terminology.nomenclature import Edition, Found

LIMIT_BYTES = 512 * 1024 * 1024
TYPES = frozenset({"CodeSystem", "ValueSet", "ConceptMap"})


def read(paths: list[Path], edition: Edition) -> Found:
    """The terminology resources of the files, JSON or XML; other resources are passed over."""
    del edition
    found = Found()
    for path in paths:
        data = content_of(path)
        try:
            if data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
                resource = xml.loads(data, limit_bytes=LIMIT_BYTES)
            else:
                resource = fhir_json.loads(data, limit_bytes=LIMIT_BYTES)
        except Invalid as problem:
            found.refuse(path.name, problem.fr)
            continue
        found.resources += [_with_id(one) for one in _terminology(resource)]
    return found


def _terminology(resource: dict[str, Any]) -> list[dict[str, Any]]:
    if resource.get("resourceType") in TYPES:
        return [resource]
    if resource.get("resourceType") != "Bundle":
        return []
    inside = [entry.get("resource") for entry in resource.get("entry", [])]
    return [one for one in inside if isinstance(one, dict) and one.get("resourceType") in TYPES]


def _with_id(resource: dict[str, Any]) -> dict[str, Any]:
    if is_fhir_id(str(resource.get("id", ""))):
        return resource
    told = f"{resource.get('url', '')}|{resource.get('version', '')}"
    return {**resource, "id": stable_id(str(resource["resourceType"]), told)}
