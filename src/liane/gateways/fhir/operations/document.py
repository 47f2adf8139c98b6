"""How do a Composition and all it names become one document that stands for itself?

http://hl7.org/fhir/R4/composition-operation-document.html. The same version of a Composition and
of what it names makes the same document, with the same id: sent twice, it is known again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from liane.base.errors import Denied, Invalid
from liane.base.ids import stable_id
from liane.fhir import definitions, references
from liane.fhir.json import dumps, loads
from liane.gateways.fhir import authority
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.operations import asking
from liane.gateways.fhir.operations.registry import Operation
from liane.store import Tx, resources
from liane.store.resources import Version, Write
from liane.store.versions import instant

MOST = 2_000
_REFERENCE = re.compile(r'"reference":"((?:[^"\\]|\\.)*)"')


async def serve(exchange: Exchange, _tx: None) -> Answer:
    """The document; with `persist=true` (POST) it is kept as a Bundle too."""
    asked = asking.asked(exchange, ("persist", "id"))
    persist = asking.flag(asked, "persist")
    if persist and exchange.method != "POST":
        raise Invalid(
            "fhir.method",
            "Conserver le document (persist=true) se demande par POST.",
            "Keeping the document (persist=true) is asked by POST.",
        )
    database = exchange.parts.database
    async with database.transaction() if persist else database.reading() as tx:
        composition = await _composition(exchange, tx, _id(exchange, asked))
        patient = authority.patient_of(composition)
        document = await assembled(exchange, tx, composition)
        if not persist:
            return Answer(200, document, patients=(patient,), detail={"document": True})
        return await _kept(exchange, tx, document, patient)


def _id(exchange: Exchange, asked: dict[str, list[str]]) -> str:
    named = asking.single(asked, "id")
    if not exchange.path[1].startswith("$"):
        return exchange.path[1]
    if named is None:
        raise asking.missing("id", "de quelle Composition s’agit-il", "which Composition is meant")
    return named.removeprefix("Composition/")


async def _composition(exchange: Exchange, tx: Tx, id_: str) -> Version:
    return await asking.opened(exchange, tx, "Composition", id_)


async def assembled(exchange: Exchange, tx: Tx, composition: Version) -> str:
    """The Bundle text: the Composition first, then what it names, in the order it names it.

    Raises `Invalid` naming every reference that leads to nothing this reader may see: a document
    that lacks a part would not say what its author wrote.
    """
    found = [composition]
    missing: list[str] = []
    for type_, id_ in _named(exchange, composition.resource):
        version = await _open(exchange, tx, type_, id_)
        if version is None:
            missing.append(f"{type_}/{id_}")
        elif version.reference != composition.reference:
            found.append(version)
    if missing:
        listed = ", ".join(missing[:20])
        raise Invalid(
            "fhir.document-incomplete",
            f"Le document serait incomplet ; introuvables ou non ouverts : {listed}.",
            f"The document would be incomplete; not found or not open to you: {listed}.",
        )
    return _bundle(exchange, found)


def _named(exchange: Exchange, resource: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What a Composition names on this server, each once, the patient first."""
    own = f"{exchange.parts.base}/"
    inside = {
        key: value for key, value in resource.items() if key not in ("relatesTo", "contained")
    }
    first = (resource.get("subject") or {}).get("reference", "")
    every = [first, *_REFERENCE.findall(dumps(inside))]
    seen: set[tuple[str, str]] = set()
    for text in every:
        found = references.parse(text.removeprefix(own))
        if found.base is None and found.type in definitions.types() and found.id is not None:
            place = (str(found.type), found.id)
            if place not in seen and len(seen) < MOST:
                seen.add(place)
                yield place


async def _open(exchange: Exchange, tx: Tx, type_: str, id_: str) -> Version | None:
    if not authority.allows_type(exchange.actor, type_, "r"):
        return None
    version = await resources.read(tx, type_, id_)
    if version is None or version.deleted:
        return None
    try:
        patient = authority.patient_of(version)
        await authority.require_read(tx, exchange.actor, patient, type_)
    except Denied:
        return None
    return version


def _bundle(exchange: Exchange, versions: list[Version]) -> str:
    """The text; what is stored goes in as it is."""
    told = [f"{one.reference}/{one.version}" for one in versions]
    id_ = stable_id("document", *told)
    at = max(one.updated for one in versions)
    head = {
        "resourceType": "Bundle",
        "id": id_,
        "meta": {"lastUpdated": instant(at)},
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{id_}"},
        "type": "document",
        "timestamp": instant(at),
    }
    entries = ",".join(
        f'{{"fullUrl":{dumps(f"{exchange.parts.base}/{one.reference}")},"resource":{one.body}}}'
        for one in versions
    )
    return f'{dumps(head)[:-1]},"entry":[{entries}]}}'


async def _kept(exchange: Exchange, tx: Tx, document: str, patient: str | None) -> Answer:
    authority.require_type(exchange.actor, "Bundle", "c")
    await authority.require_write(tx, exchange.actor, [patient])
    bundle = loads(document)
    former = await resources.read(tx, "Bundle", bundle["id"])
    if former is not None and not former.deleted:
        return _stored(exchange, former, 200, patient)
    bundle.pop("meta")
    write = exchange.parts.writer("Bundle")
    wish = Write(bundle, id=bundle["id"])
    written = (await write(tx, exchange.actor, [wish], reason="FHIR document"))[0]
    return _stored(exchange, written, 201, patient)


def _stored(exchange: Exchange, version: Version, status: int, patient: str | None) -> Answer:
    location = f"{exchange.parts.base}/{version.reference}/_history/{version.version}"
    return Answer(
        status, version.body, version, location, patients=(patient,), detail={"document": True}
    )


OPERATIONS = (
    Operation(
        "document",
        frozenset({"type", "instance"}),
        frozenset({"Composition"}),
        serve,
        "http://hl7.org/fhir/OperationDefinition/Composition-document",
        alone=True,
    ),
)
