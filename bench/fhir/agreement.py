"""Do both servers find the same resources for the same searches?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from bench.fhir.client import Client, Reply
from bench.fhir.population import Draw
from bench.fhir.servers import Server
from bench.fhir.shapes import Shape

PAGE = 1000


@dataclass
class Found:
    """One answer, in terms that both servers share."""

    status: int
    total: int | None = None
    numbers: frozenset[int] = frozenset()
    """Which loaded resources matched."""
    strange: int = 0
    """Matches that were not loaded by the bench."""
    order: list[str] = field(default_factory=list)
    """The sorting value of each match."""
    said: str = ""


@dataclass
class Verdict:
    """How the answers to one shape compare."""

    shape: str
    asked: int = 0
    equal: int = 0
    resources: int = 0
    why: list[str] = field(default_factory=list)


async def answers(server: Server, shapes: Sequence[Shape], draw: Draw, times: int) -> list[Found]:
    """Every shape, so many times, each answer on one page where it fits."""
    numbers = {reference: number for number, reference in enumerate(draw.ids)}
    client = Client(server.port, server.headers)
    found = []
    for shape in shapes:
        for _ in range(times):
            path = shape.path(draw.values())
            if "_summary" not in path:
                path = path.partition("&_count=")[0] + f"&_count={PAGE}&_total=accurate"
            found.append(_found(await client.ask("GET", path), numbers, shape))
    client.close()
    return found


def _found(reply: Reply, numbers: dict[str, int], shape: Shape) -> Found:
    if reply.status != 200:
        return Found(reply.status, said=reply.body[:300].decode("utf-8", "replace"))
    bundle = orjson.loads(reply.body)
    matches = [
        entry["resource"]
        for entry in bundle.get("entry", [])
        if entry.get("search", {}).get("mode") == "match"
    ]
    references = [f"{one['resourceType']}/{one['id']}" for one in matches]
    known = frozenset(numbers[one] for one in references if one in numbers)
    order = [_day(one.get(shape.sorted_by)) for one in matches] if shape.sorted_by else []
    return Found(200, bundle.get("total"), known, len(references) - len(known), order)


def _day(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("end") or value.get("start")
    return str(value or "")[:10]


def compared(shapes: Sequence[Shape], ours: list[Found], theirs: list[Found]) -> list[Verdict]:
    """Totals always; identities where the answer fits one page."""
    verdicts = []
    each = len(ours) // len(shapes)
    for place, shape in enumerate(shapes):
        verdict = Verdict(shape.name)
        for a, b in zip(
            ours[place * each : place * each + each],
            theirs[place * each : place * each + each],
            strict=True,
        ):
            verdict.asked += 1
            verdict.resources += len(a.numbers)
            why = _difference(a, b)
            verdict.equal += not why
            if why:
                verdict.why.append(why)
        verdicts.append(verdict)
    return verdicts


def _difference(a: Found, b: Found) -> str:
    if (a.status, b.status) != (200, 200):
        return f"Liane {a.status} {a.said[:120]} / HAPI {b.status} {b.said[:120]}"
    if a.total != b.total:
        return f"totals {a.total} / {b.total}"
    if a.numbers != b.numbers and (a.total or 0) <= PAGE:
        return f"only Liane {len(a.numbers - b.numbers)}, only HAPI {len(b.numbers - a.numbers)}"
    return ""
