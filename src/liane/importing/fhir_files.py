"""How do FHIR files come in, with the ids their resources have?

A Bundle, one resource, or one resource a line (NDJSON). Ids are kept, so that a second reading
finds what the first one stored. An entry that asks to be created is passed by when its id exists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from liane.base.errors import Invalid, LianeError, Unavailable
from liane.base.ids import is_fhir_id, stable_id
from liane.fhir import definitions
from liane.fhir import json as fhir_json
from liane.fhir.validation import check
from liane.gateways.fhir.links import rename
from liane.importing.house import House
from liane.importing.report import Tally
from liane.rooms import record
from liane.store import Tx
from liane.store.resources import Write, read_many
from liane.store.versions import whole_milliseconds

CHUNK_RESOURCES = 1_000
LIMIT_BYTES = 1024 * 1024 * 1024
_BUNDLES = frozenset({"transaction", "batch", "collection", "searchset", "history", "document"})

Item = tuple[str, dict[str, Any], bool]
"""Place in the file, resource with its id, and whether it only asks to be created."""


async def bring_json(house: House, data: bytes, tally: Tally) -> None:
    """A Bundle or one resource."""
    resource = fhir_json.loads(data, limit_bytes=LIMIT_BYTES)
    if resource.get("resourceType") == "Bundle" and resource.get("type") in _BUNDLES:
        await _store(house, _of_bundle(resource), tally)
    else:
        await _store(house, [("", _with_id(resource, ""), False)], tally)


async def bring_ndjson(house: House, data: bytes, tally: Tally) -> None:
    """One resource a line."""
    items: list[Item] = []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            items.append((f"ligne {number}", _with_id(fhir_json.loads(line), ""), False))
        except Invalid as problem:
            tally.refuse(f"ligne {number}", problem.fr)
    await _store(house, items, tally)


def _of_bundle(bundle: dict[str, Any]) -> list[Item]:
    names: dict[str, str] = {}
    items: list[Item] = []
    for index, entry in enumerate(bundle.get("entry", [])):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict):
            continue
        full_url = str(entry.get("fullUrl", ""))
        resource = _with_id(resource, full_url)
        if full_url:
            names[full_url] = f"{resource['resourceType']}/{resource['id']}"
        creates = entry.get("request", {}).get("method") == "POST"
        items.append((f"entrée {index + 1}", resource, creates))
    for _, resource, _ in items:
        rename(resource, names)
    return items


def _with_id(resource: dict[str, Any], full_url: str) -> dict[str, Any]:
    """The resource with an id: its own, else one that its fullUrl or its content decides."""
    type_ = resource.get("resourceType")
    if type_ not in definitions.types():
        raise Invalid(
            "import.type",
            f"« {str(type_)[:60]} » n’est pas un type de ressource FHIR R4.",
            f"'{str(type_)[:60]}' is not a FHIR R4 resource type.",
        )
    id_ = resource.get("id")
    if isinstance(id_, str) and is_fhir_id(id_):
        return resource
    given = full_url.removeprefix("urn:uuid:")
    if full_url.startswith("urn:uuid:") and is_fhir_id(given):
        return {**resource, "id": given}
    return {**resource, "id": stable_id(str(type_), full_url or fhir_json.dumps(resource))}


async def _store(house: House, items: list[Item], tally: Tally) -> None:
    good = [item for item in items if _is_valid(item, tally)]
    for chunk in _chunks(good):
        try:
            await _store_chunk(house, chunk, tally)
        except Unavailable:
            raise
        except LianeError:
            for item in chunk:
                await _store_alone(house, item, tally)


def _is_valid(item: Item, tally: Tally) -> bool:
    place, resource, _ = item
    try:
        check(resource)
    except Invalid as problem:
        tally.refuse(place, problem.fr)
        return False
    return True


def _chunks(items: list[Item]) -> Iterator[list[Item]]:
    """Pieces of one transaction each; the same resource never twice in one piece."""
    chunk: list[Item] = []
    seen: set[tuple[str, str]] = set()
    for item in items:
        key = (item[1]["resourceType"], item[1]["id"])
        if key in seen or len(chunk) == CHUNK_RESOURCES:
            yield chunk
            chunk, seen = [], set()
        chunk.append(item)
        seen.add(key)
    if chunk:
        yield chunk


async def _store_alone(house: House, item: Item, tally: Tally) -> None:
    try:
        await _store_chunk(house, [item], tally)
    except Unavailable:
        raise
    except LianeError as problem:
        tally.refuse(item[0], problem.fr)


async def _store_chunk(house: House, chunk: list[Item], tally: Tally) -> None:
    async with house.services.database.transaction() as tx:
        there = await _there(tx, (resource for _, resource, creates in chunk if creates))
        wanted = [
            Write(resource, id=resource["id"])
            for _, resource, creates in chunk
            if not (creates and (resource["resourceType"], resource["id"]) in there)
        ]
        versions = await record.write_resources(tx, house.actor, wanted, reason="import FHIR")
        now = whole_milliseconds(tx.now)
    fresh = [version for version in versions if version.updated >= now]
    tally.stored.update(version.type for version in fresh)
    tally.skipped += len(chunk) - len(fresh)


async def _there(tx: Tx, resources: Iterable[dict[str, Any]]) -> set[tuple[str, str]]:
    ids: dict[str, list[str]] = {}
    for resource in resources:
        ids.setdefault(resource["resourceType"], []).append(resource["id"])
    found: set[tuple[str, str]] = set()
    for type_, wanted in ids.items():
        found |= {(type_, id_) for id_ in await read_many(tx, type_, wanted)}
    return found
