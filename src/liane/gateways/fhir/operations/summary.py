"""What must a carer who has never met this patient know? (`Patient/$summary`)

International Patient Summary: a document made of what the record holds at this instant. Stored
resources go in as they are; a section the reader may not see says so instead of looking empty.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from liane.base.errors import NotFound
from liane.base.ids import new_id
from liane.fhir import references
from liane.fhir.json import dumps
from liane.gateways.fhir import authority
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.operations import asking, summary_words
from liane.gateways.fhir.operations.everything import HOUSE, Q
from liane.gateways.fhir.operations.registry import Operation
from liane.gateways.fhir.operations.summary_sections import (
    SECTIONS,
    Section,
    kept,
    no_information,
)
from liane.rooms import patients
from liane.store import Tx, resources
from liane.store.resources import Version
from liane.store.versions import instant

MOST = 5_000
RESULTS_OF_A_KIND = 3
MOST_NAMED = 500
PROFILE = "http://hl7.org/fhir/uv/ips/StructureDefinition"
_NAMED = frozenset({*HOUSE, "Specimen", "Observation"})
_REFERENCE = re.compile(r'"reference":"([A-Za-z]+/[A-Za-z0-9.-]{1,64})"')


_Found = dict[str, list[tuple[dict[str, Any], Version]]]


@dataclass(slots=True)
class _Document:
    """The entries gathered so far: address and text, each once."""

    base: str
    patient: str
    language: str
    entries: dict[str, str] = field(default_factory=dict)

    def hold(self, version: Version) -> str:
        """Take a stored resource in; the reference to it."""
        self.entries[f"{self.base}/{version.reference}"] = version.body
        return version.reference

    def make(self, resource: dict[str, Any]) -> str:
        """Take in a resource made for this document; the reference to it."""
        address = f"urn:uuid:{resource['id']}"
        self.entries[address] = dumps(resource)
        return address


async def serve(exchange: Exchange, tx: Tx) -> Answer:
    """https://hl7.org/fhir/uv/ips/OperationDefinition-summary.html"""
    asked = asking.asked(exchange, ("identifier", "profile", "graph"))
    patient = await _patient(exchange, tx, asked)
    document = _Document(exchange.parts.base, patient.id, exchange.language)
    composition = {"resourceType": "Composition", "id": new_id()}
    document.entries[f"urn:uuid:{composition['id']}"] = ""
    document.hold(patient)
    found = await _found(exchange, tx, patient.id)
    sections = [
        told
        for section in SECTIONS
        if (told := _section(exchange, document, section, found)) is not None
    ]
    await _named(exchange, tx, document)
    author = _author(document, patient)
    composition |= _head(document, instant(tx.now), author, sections)
    document.entries[f"urn:uuid:{composition['id']}"] = dumps(composition)
    body = _bundle(document, instant(tx.now))
    return Answer(200, body, patients=(patient.id,), detail={"summary": True})


async def _patient(exchange: Exchange, tx: Tx, asked: dict[str, list[str]]) -> Version:
    authority.require_type(exchange.actor, "Patient", "r")
    id_ = exchange.path[1]
    if id_.startswith("$"):
        text = asking.single(asked, "identifier")
        if text is None:
            raise asking.missing("identifier", "système|numéro", "system|value")
        system, _, value = text.rpartition("|")
        known = await patients.find_patient(tx, [patients.Identifier(system, value)])
        try:
            return await asking.opened(exchange, tx, "Patient", known or "")
        except NotFound as problem:
            # The same words whether the number is nobody's or somebody's the reader may not see.
            raise type(problem)(
                "fhir.not-found", "Aucun patient n’a ce numéro.", "No patient has this number."
            ) from None
    return await asking.opened(exchange, tx, "Patient", id_)


async def _found(exchange: Exchange, tx: Tx, patient: str) -> _Found:
    """What the record holds, by type; types the reader may not see are absent."""
    wanted = dict.fromkeys(type_ for section in SECTIONS for type_ in section.types)
    allowed = [type_ for type_ in wanted if authority.allows_type(exchange.actor, type_, "r")]
    found: _Found = {type_: [] for type_ in allowed}
    others = [type_ for type_ in allowed if type_ not in ("Observation", "AllergyIntolerance")]
    rows = list(await tx.fetch(Q["of_summary"], patient, others, MOST))
    if "AllergyIntolerance" in found:  # never cut short
        rows += await tx.fetch(Q["of_summary"], patient, ["AllergyIntolerance"], 1_000_000)
    if "Observation" in found:
        rows += await tx.fetch(
            Q["last_observations"], [patient], [], [], MOST, RESULTS_OF_A_KIND, None, None
        )
    for row in rows:
        version = Version(*tuple(row)[:6])
        found[version.type].append((version.resource, version))
    return found


def _section(
    exchange: Exchange, document: _Document, section: Section, found: _Found
) -> dict[str, Any] | None:
    """A section with its narrative and its entries; None for an optional one without any."""
    language = exchange.language
    title = summary_words.title(section, language)
    coded = {"coding": [{"system": "http://loinc.org", "code": section.code}]}
    told: dict[str, Any] = {"title": title, "code": coded}
    held = [pair for type_ in section.types for pair in found.get(type_, ())]
    chosen = kept(section, [resource for resource, _ in held])
    versions = {(resource["resourceType"], resource["id"]): version for resource, version in held}
    lines = [summary_words.line(resource, language) for resource in chosen]
    hidden = [type_ for type_ in section.types if type_ not in found]
    if chosen:
        names = [(resource["resourceType"], resource["id"]) for resource in chosen]
        told["entry"] = [{"reference": document.hold(versions[name])} for name in names]
        if hidden:
            lines.append(summary_words.withheld(language))
    elif section.optional:
        return None
    elif hidden:
        lines = [summary_words.withheld(language)]
        told["emptyReason"] = _empty("withheld")
    else:
        lines = [summary_words.nothing(language)]
        if section.required:
            made = no_information(section, f"Patient/{document.patient}", lines[0], new_id())
            told["entry"] = [{"reference": document.make(made)}]
        else:
            told["emptyReason"] = _empty("unavailable")
    return {**told, "text": summary_words.div(title, lines)}


def _empty(code: str) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/list-empty-reason"
    return {"coding": [{"system": system, "code": code}]}


async def _named(exchange: Exchange, tx: Tx, document: _Document) -> None:
    """Take in the people, places, medications, devices and results that the entries name."""
    places: dict[str, None] = {}
    for body in document.entries.values():
        places |= dict.fromkeys(_REFERENCE.findall(body))
    for place in list(places)[:MOST_NAMED]:
        found = references.parse(place)
        address = f"{document.base}/{place}"
        if found.type not in _NAMED or found.id is None or address in document.entries:
            continue
        if not authority.allows_type(exchange.actor, found.type, "r"):
            continue
        version = await resources.read(tx, found.type, found.id)
        if version is None or version.deleted:
            continue
        owner = authority.patient_of(version)
        house = owner is None and found.type in HOUSE
        if house or owner == document.patient:
            document.hold(version)


def _author(document: _Document, patient: Version) -> str:
    """Who answers for the summary: the house of the patient, else the platform that made it."""
    keeper = (patient.resource.get("managingOrganization") or {}).get("reference", "")
    if f"{document.base}/{keeper}" in document.entries:
        return str(keeper)
    name = {"name": "Liane", "type": "user-friendly-name"}
    return document.make({"resourceType": "Device", "id": new_id(), "deviceName": [name]})


def _head(
    document: _Document, at: str, author: str, sections: list[dict[str, Any]]
) -> dict[str, Any]:
    english = document.language == "en"
    title = "International Patient Summary" if english else "Synthèse médicale internationale (IPS)"
    coded = {"coding": [{"system": "http://loinc.org", "code": "60591-5"}]}
    return {
        "meta": {"profile": [f"{PROFILE}/Composition-uv-ips"]},
        "language": "en" if english else "fr",
        "text": summary_words.div(title, [one["title"] for one in sections]),
        "status": "final",
        "type": coded,
        "subject": {"reference": f"Patient/{document.patient}"},
        "date": at,
        "author": [{"reference": author}],
        "title": title,
        "section": sections,
    }


def _bundle(document: _Document, at: str) -> str:
    id_ = new_id()
    head = {
        "resourceType": "Bundle",
        "id": id_,
        "meta": {"profile": [f"{PROFILE}/Bundle-uv-ips"], "lastUpdated": at},
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{id_}"},
        "type": "document",
        "timestamp": at,
    }
    entries = ",".join(
        f'{{"fullUrl":{dumps(address)},"resource":{body}}}'
        for address, body in document.entries.items()
    )
    return f'{dumps(head)[:-1]},"entry":[{entries}]}}'


OPERATIONS = (
    Operation(
        "summary",
        frozenset({"type", "instance"}),
        frozenset({"Patient"}),
        serve,
        "http://hl7.org/fhir/uv/ips/OperationDefinition/summary",
    ),
)
