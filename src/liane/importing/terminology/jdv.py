"""How are value sets read from the IHE SVS files of the French health agency (JDV, TRE)?

Each becomes a ValueSet resource. What the files tell of code systems that nobody else publishes
here becomes a fragment of each, so that their codes have words.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from liane.base import safe_xml
from liane.base.errors import Invalid
from liane.importing.recognising import content_of
from liane.importing.terminology.nomenclature import Builder, Edition, Found
from liane.store.terminology.concepts import Header

_SVS = "{urn:ihe:iti:svs:2008}"
_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
SYSTEMS = {
    "2.16.840.1.113883.6.1": "http://loinc.org",
    "2.16.840.1.113883.6.96": "http://snomed.info/sct",
    "2.16.840.1.113883.6.3": "http://hl7.org/fhir/sid/icd-10",
    "2.16.840.1.113883.6.8": "http://unitsofmeasure.org",
    "2.16.840.1.113883.6.73": "http://www.whocc.no/atc",
    "1.2.840.10008.2.16.4": "http://dicom.nema.org/resources/ontology/DCM",
    "2.16.840.1.113883.5.1": "http://terminology.hl7.org/CodeSystem/v3-AdministrativeGender",
    "2.16.840.1.113883.5.4": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
    "2.16.840.1.113883.5.25": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
    "2.16.840.1.113883.5.83": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
    "2.16.840.1.113883.5.84": "http://terminology.hl7.org/CodeSystem/v3-ObservationMethod",
    "2.16.840.1.113883.5.90": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
    "2.16.840.1.113883.5.111": "http://terminology.hl7.org/CodeSystem/v3-RoleCode",
    "2.16.840.1.113883.5.1060": "http://terminology.hl7.org/CodeSystem/v3-TimingEvent",
}
"""Canonical addresses of code systems known by these OIDs; others are `urn:oid:...`."""


def read(paths: list[Path], edition: Edition) -> Found:
    """Every value set of the files; a file that is not SVS is refused and the others go on."""
    found = Found()
    fragments: dict[str, Builder] = {}
    for path in paths:
        try:
            root = safe_xml.parse(content_of(path))
        except Invalid as problem:
            found.refuse(path.name, problem.fr)
            continue
        sets = [
            one for one in root.iter() if one.tag in (f"{_SVS}ValueSet", f"{_SVS}DescribedValueSet")
        ]
        if not sets:
            found.refuse(path.name, "aucun ValueSet (IHE SVS) / no ValueSet (IHE SVS)")
        for one in sets:
            _value_set(path, one, edition, found, fragments)
    found.systems += [builder.content for builder in fragments.values()]
    return found


def _value_set(
    path: Path, one: Any, edition: Edition, found: Found, fragments: dict[str, Builder]
) -> None:
    oid = str(one.get("id", ""))
    if not _OID.fullmatch(oid) or len(oid) > 60:
        found.refuse(path.name, f"identifiant (OID) absent ou faux / no OID: {oid[:80]}")
        return
    systems: dict[str, list[dict[str, str]]] = {}
    for concept in one.iter(f"{_SVS}Concept"):
        code = str(concept.get("code", "")).strip()
        system = str(concept.get("codeSystem", "")).strip()
        if not code or not _OID.fullmatch(system):
            found.refuse(
                path.name, f"concept sans code ou système / without code or system: {code}"
            )
            continue
        url = SYSTEMS.get(system, f"urn:oid:{system}")
        display = str(concept.get("displayName", "")).strip()
        ended = _ended(str(concept.get("dateFin", "")))
        if url.startswith("urn:oid:"):
            header = Header(url, "", title=system, content="fragment", source="ANS")
            fragments.setdefault(url, Builder(header)).add(code, display, inactive=ended)
        if not ended:
            named = {"code": code, "display": display} if display else {"code": code}
            systems.setdefault(url, []).append(named)
    found.resources.append(_resource(one, oid, edition, systems))


def _resource(
    one: Any, oid: str, edition: Edition, systems: dict[str, list[dict[str, str]]]
) -> dict[str, Any]:
    name = str(one.get("displayName", "")).removesuffix(".tabs") or oid
    version = str(one.get("version", ""))
    if version in ("", "test"):
        version = str(one.get("revisionDate") or one.get("dateMaj") or "")[:10]
    retired = _ended(str(one.get("dateFin", "")))
    include = [
        {"system": system, "concept": _unique(concepts)} for system, concepts in systems.items()
    ]
    resource: dict[str, Any] = {
        "resourceType": "ValueSet",
        "id": f"jdv-{oid}",
        "url": f"urn:oid:{oid}",
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:oid:{oid}"}],
        "version": edition.version or version,
        "name": re.sub(r"\W", "_", name),
        "title": name,
        "status": "retired" if retired else "active",
        "publisher": "ANS",
        "description": str(one.get("description", "")),
        "compose": {"include": include},
    }
    if not include:
        del resource["compose"]
    return {key: value for key, value in resource.items() if value}


def _unique(concepts: list[dict[str, str]]) -> list[dict[str, str]]:
    return list({concept["code"]: concept for concept in reversed(concepts)}.values())[::-1]


def _ended(date: str) -> bool:
    digits = re.sub(r"\D", "", date)[:8]
    return len(digits) == 8 and digits <= datetime.now(UTC).strftime("%Y%m%d")
