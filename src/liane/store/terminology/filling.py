"""How do the concepts of a code system enter the tables, a hundred thousand at a time?

Long columns go as arrays, a piece at a time, so that other work of the process gets its turn and
no statement grows without bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from liane.fhir.json import dumps
from liane.store.database import Tx
from liane.store.sql import queries
from liane.store.terminology.closing import ancestors
from liane.store.terminology.code_systems import Content
from liane.store.terminology.concepts import Concept, Header, version_order, words_of

Q = queries("liane.store.terminology", "filing.sql")
PIECE = 5_000
"""Rows of one statement."""


async def keep_header(tx: Tx, resource: str, header: Header, updated: datetime) -> int:
    """File the header of a code system under its resource; its number."""
    number: int = await tx.fetchval(
        Q.keep_system,
        tx.tenant,
        resource,
        header.url,
        header.version,
        version_order(header.version),
        header.title,
        header.status,
        header.content,
        header.case_sensitive,
        header.hierarchy,
        header.value_set,
        header.supplements,
        dumps(list(header.properties)),
        header.source,
        updated,
    )
    return number


async def number_of(tx: Tx, resource: str) -> int:
    """The number of the system filed under a CodeSystem resource."""
    rows = await tx.fetch(Q.systems_of_resources, tx.tenant, [resource])
    return int(rows[0]["id"])


async def former_concepts(tx: Tx, url: str) -> dict[str, Concept]:
    """The concepts of the version of a system that is now in use, by key."""
    rows = await tx.fetch(Q.former_concepts, tx.tenant, url)
    return {
        row["key"]: Concept(row["code"], row["display"], "", row["abstract"], row["inactive"])
        for row in rows
    }


async def replace_concepts(
    tx: Tx,
    system: int,
    content: Content,
    *,
    loaded: bool,
    told: Callable[[int], None] | None = None,
) -> None:
    """Write the concepts of a system, with their words, statements and closed hierarchy.

    `told` hears how many concepts have been written so far.
    """
    await tx.execute(Q.drop_concepts, tx.tenant, [system])
    for count, piece in enumerate(_pieces(content.concepts)):
        if told is not None:
            told(count * PIECE)
        await tx.execute(Q.add_concepts, tx.tenant, system, *_concepts(content.header, piece))
        await _send(tx, Q.add_designations, system, _designations(piece), 2)
        await _send(tx, Q.add_properties, system, _properties(piece), 2)
        await _send(tx, Q.add_words, system, sorted(_words(piece)), 0)
    above = await asyncio.to_thread(ancestors, content.parents)
    pairs = await asyncio.to_thread(lambda: sorted(_closure(above, content)))
    await _send(tx, Q.add_closure, system, pairs, 2)
    active = sum(not concept.inactive for concept in content.concepts)
    await tx.execute(Q.count_concepts, tx.tenant, system, len(content.concepts), active, loaded)


async def _send(
    tx: Tx, sql: str, system: int, rows: Iterable[tuple[Any, ...]], numbers: int
) -> None:
    """Rows piece by piece, the first columns as packed numbers."""
    for piece in _pieces(rows, PIECE * 4):
        columns = [list(column) for column in zip(*piece, strict=True)]
        packed = ["{" + ",".join(map(str, column)) + "}" for column in columns[:numbers]]
        await tx.execute(sql, tx.tenant, system, *packed, *columns[numbers:])


def _pieces(rows: Iterable[Any], size: int = PIECE) -> Iterator[list[Any]]:
    source = iter(rows)
    while piece := list(islice(source, size)):
        yield piece


def _concepts(header: Header, piece: Sequence[Any]) -> list[Any]:
    return [
        "{" + ",".join(str(one.id) for one in piece) + "}",
        [header.key(one.code) for one in piece],
        [one.code for one in piece],
        [one.display for one in piece],
        [one.definition for one in piece],
        [one.abstract for one in piece],
        [one.inactive for one in piece],
    ]


def _designations(piece: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    for one in piece:
        for place, words in enumerate(one.designations):
            usage = dumps(dict(words.usage)) if words.usage else None
            yield one.id, place, words.language, usage, words.value


def _properties(piece: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    for one in piece:
        for place, said in enumerate(one.properties):
            yield one.id, place, said.name, said.value, dumps(dict(said.shown))


def _words(piece: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    for one in piece:
        size = min(len(one.display), 32_000)
        for word in words_of(one.code, one.display, *(d.value for d in one.designations)):
            yield word, one.id, size, one.inactive, one.abstract


def _closure(above: dict[int, set[int]], content: Content) -> Iterator[tuple[int, int, bool]]:
    for descendant, found in above.items():
        direct = set(content.parents.get(descendant, ()))
        for ancestor in found:
            yield ancestor, descendant, ancestor in direct
