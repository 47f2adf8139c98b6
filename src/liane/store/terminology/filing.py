"""How do the terminology tables follow every write of a terminology resource, whatever its door?

A projection of the store: it runs inside the transaction of the write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from liane.store.database import Tx
from liane.store.terminology.code_systems import content_of, header_of
from liane.store.terminology.concepts import version_order
from liane.store.terminology.filling import Q, keep_header, replace_concepts
from liane.store.terminology.mapping import file_concept_map
from liane.store.versions import Version

THREAD_CHARACTERS = 300_000
"""A resource larger than this is taken apart in a thread, so that others are answered meanwhile."""
TYPES = frozenset({"CodeSystem", "ValueSet", "ConceptMap"})


async def project(tx: Tx, versions: Sequence[Version]) -> None:
    """Keep the tables in step; other types are passed over."""
    concerned = [v for v in versions if v.type in TYPES and (v.deleted or v.written is not None)]
    if not concerned:
        return
    await _value_sets(tx, [v for v in concerned if v.type == "ValueSet"])
    for version in concerned:
        if version.type == "CodeSystem":
            await _code_system(tx, version)
        elif version.type == "ConceptMap":
            await _concept_map(tx, version)


async def _code_system(tx: Tx, version: Version) -> None:
    rows = await tx.fetch(Q.systems_of_resources, tx.tenant, [version.id])
    if version.deleted:
        ids = [row["id"] for row in rows]
        await tx.execute(Q.drop_concepts, tx.tenant, ids)
        await tx.execute(Q.drop_systems, tx.tenant, ids)
        return
    resource = version.resource
    header = header_of(resource)
    number = await keep_header(tx, version.id, header, version.updated)
    kept = bool(rows) and rows[0]["loaded"] and not resource.get("concept")
    if kept:
        return  # its concepts came by a loader: the resource is only their label
    if len(version.body) > THREAD_CHARACTERS:
        content = await asyncio.to_thread(content_of, resource)
    else:
        content = content_of(resource)
    await replace_concepts(tx, number, content, loaded=False)


async def _value_sets(tx: Tx, versions: Sequence[Version]) -> None:
    gone = [version.id for version in versions if version.deleted]
    if gone:
        await tx.execute(Q.drop_value_sets, tx.tenant, gone)
    kept = [version for version in versions if not version.deleted]
    if not kept:
        return
    labels = [
        [str(version.resource.get(name, "")) for version in kept]
        for name in ("url", "version", "status")
    ]
    orders = [version_order(label) for label in labels[1]]
    await tx.execute(
        Q.keep_value_sets,
        tx.tenant,
        [version.id for version in kept],
        labels[0],
        labels[1],
        orders,
        labels[2],
        [version.updated for version in kept],
    )


async def _concept_map(tx: Tx, version: Version) -> None:
    await tx.execute(Q.drop_concept_maps, tx.tenant, [version.id])
    if not version.deleted:
        await file_concept_map(tx, version.id, version.resource, version.updated)
