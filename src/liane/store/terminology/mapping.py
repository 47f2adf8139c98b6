"""What does a concept map say, line by line, and how is it filed?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from liane.fhir.json import dumps
from liane.store.database import Tx
from liane.store.terminology.code_systems import objects
from liane.store.terminology.concepts import version_order
from liane.store.terminology.filling import PIECE, Q


@dataclass(frozen=True, slots=True)
class Line:
    """One source code with one target."""

    source_system: str
    source_code: str
    target_system: str
    target_code: str
    target_display: str
    equivalence: str
    comment: str = ""
    depends: tuple[dict[str, Any], ...] = field(default=())
    products: tuple[dict[str, Any], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Unmapped:
    """What a group says of codes it does not name."""

    source_system: str
    target_system: str
    mode: str
    code: str = ""
    display: str = ""
    url: str = ""


def lines_of(resource: dict[str, Any]) -> Iterator[Line]:
    """Every line; an element without target is one whose code matches nothing."""
    for group in objects(resource.get("group")):
        source, target = str(group.get("source", "")), str(group.get("target", ""))
        for element in objects(group.get("element")):
            code = str(element.get("code", ""))
            targets = objects(element.get("target")) or [{"equivalence": "unmatched"}]
            for one in targets:
                yield Line(
                    source,
                    code,
                    target,
                    str(one.get("code", "")),
                    str(one.get("display", "")),
                    str(one.get("equivalence", "equivalent")),
                    str(one.get("comment", "")),
                    tuple(objects(one.get("dependsOn"))),
                    tuple(objects(one.get("product"))),
                )


def unmapped_of(resource: dict[str, Any]) -> list[Unmapped]:
    """What each group does with codes it does not name."""
    return [
        Unmapped(
            str(group.get("source", "")),
            str(group.get("target", "")),
            str(group["unmapped"].get("mode", "")),
            str(group["unmapped"].get("code", "")),
            str(group["unmapped"].get("display", "")),
            str(group["unmapped"].get("url", "")),
        )
        for group in objects(resource.get("group"))
        if isinstance(group.get("unmapped"), dict)
    ]


def scope_of(resource: dict[str, Any], side: str) -> str:
    """The value set a map starts from (`source`) or leads to (`target`)."""
    return str(resource.get(f"{side}Uri") or resource.get(f"{side}Canonical") or "")


async def file_concept_map(tx: Tx, id_: str, resource: dict[str, Any], updated: datetime) -> None:
    """File one concept map and its lines."""
    rest = [
        [one.source_system, one.target_system, one.mode, one.code, one.display, one.url]
        for one in unmapped_of(resource)
    ]
    version = str(resource.get("version", ""))
    number = await tx.fetchval(
        Q.keep_concept_map,
        tx.tenant,
        id_,
        str(resource.get("url", "")),
        version,
        version_order(version),
        str(resource.get("status", "")),
        scope_of(resource, "source"),
        scope_of(resource, "target"),
        dumps(rest),
        updated,
    )
    lines = list(lines_of(resource))
    for start in range(0, len(lines), PIECE):
        piece = lines[start : start + PIECE]
        await tx.execute(
            Q.add_mappings,
            tx.tenant,
            number,
            "{" + ",".join(str(start + n) for n in range(len(piece))) + "}",
            [one.source_system for one in piece],
            [one.source_code for one in piece],
            [one.target_system for one in piece],
            [one.target_code for one in piece],
            [one.target_display for one in piece],
            [one.equivalence for one in piece],
            [one.comment for one in piece],
            [dumps(list(one.depends)) for one in piece],
            [dumps(list(one.products)) for one in piece],
        )
