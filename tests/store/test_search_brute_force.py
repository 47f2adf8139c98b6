"""Promise: on the examples of the standard, every criterion finds exactly what a comparison of all
resources finds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from liane.base.errors import LianeError
from liane.base.text import fold
from liane.fhir import definitions
from liane.fhir import json as fhir_json
from liane.fhir.dates import interval
from liane.fhir.extraction import Extracted, extract
from liane.store import Database
from liane.store.resources import Write, write_many
from liane.store.search import parse_query, run
from liane.store.search.separators import escape

FAR = datetime(9999, 12, 31, tzinfo=UTC)
EARLY = datetime(1, 1, 1, tzinfo=UTC)
Meets = Callable[[Extracted], bool]
Question = tuple[str, str, str, Meets]


def examples(folder: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(folder.rglob("*.json")):
        try:
            resource = fhir_json.loads(path.read_bytes())
            extract(resource)
        except LianeError:
            continue
        if resource.get("id") and resource["resourceType"] in definitions.types():
            found[resource["resourceType"]].append(resource)
    return found


def questions(type_: str, found: Extracted) -> Iterator[Question]:
    """What can be asked about the values of one resource, and what would meet it."""
    for token in found.tokens:
        if token.code is None or ":" in token.param or token.param == "_id":
            continue
        name, code, system = token.param, token.code, token.system
        plain = escape(code)
        yield (
            type_,
            name,
            plain,
            lambda e, n=name, c=code: any(t.param == n and t.code == c for t in e.tokens),
        )
        both = lambda e, n=name, c=code, s=system: any(  # noqa: E731
            t.param == n and t.code == c and t.system == s for t in e.tokens
        )
        yield type_, name, f"{escape(system or '')}|{plain}", both
        yield type_, f"{name}:not", f"{escape(system or '')}|{plain}", lambda e, b=both: not b(e)
    for text in found.strings:
        folded = fold(text.text)[:160]
        if not folded or text.param == "phonetic":
            continue
        name, start, middle = text.param, folded[:4].strip(), folded[1:6].strip()
        yield (
            type_,
            name,
            escape(start),
            lambda e, n=name, s=start: any(
                t.param == n and fold(t.text).startswith(s) for t in e.strings
            ),
        )
        yield (
            type_,
            f"{name}:exact",
            escape(text.text),
            lambda e, n=name, s=text.text: any(t.param == n and t.text == s for t in e.strings),
        )
        if middle:
            yield (
                type_,
                f"{name}:contains",
                escape(middle),
                lambda e, n=name, s=middle: any(
                    t.param == n and s in fold(t.text)[:160] for t in e.strings
                ),
            )
    for span in found.dates:
        at = span.low or span.high
        if at is None or span.param == "_lastUpdated":
            continue
        for shown in (f"{at:%Y}", f"{at:%Y-%m}", f"{at:%Y-%m-%d}"):
            a, b = interval(shown)
            for prefix in ("", "ne", "gt", "lt", "ge", "le", "sa", "eb"):
                yield (
                    type_,
                    span.param,
                    prefix + shown,
                    lambda e, n=span.param, p=prefix, a=a, b=b: any(
                        s.param == n and dated(p, s.low, s.high, a, b) for s in e.dates
                    ),
                )
    for amount in found.numbers:
        if amount.value is None or amount.low is None or amount.high is None:
            continue
        name, value = amount.param, amount.value
        for prefix in ("gt", "lt", "ge", "le"):
            yield (
                type_,
                name,
                f"{prefix}{value}",
                lambda e, n=name, p=prefix, v=value: any(
                    q.param == n and numbered(p, q.low, q.high, v) for q in e.numbers
                ),
            )
    for uri in found.uris:
        yield (
            type_,
            uri.param,
            escape(uri.uri),
            lambda e, n=uri.param, v=uri.uri: any(
                u.param == n and v in (u.uri, u.uri.partition("|")[0]) for u in e.uris
            ),
        )
    for ref in found.references:
        if ref.type is not None and ref.id is not None:
            yield (
                type_,
                ref.param,
                f"{ref.type}/{ref.id}",
                lambda e, r=ref: any(
                    (o.param, o.type, o.id) == (r.param, r.type, r.id) for o in e.references
                ),
            )


def dated(prefix: str, low: Any, high: Any, a: datetime, b: datetime) -> bool:
    low, high = low or EARLY, high or FAR
    equal = low >= a and high <= b
    return {
        "": equal,
        "ne": not equal,
        "gt": high > b,
        "lt": low < a,
        "ge": equal or high > b or low >= a,
        "le": equal or low < a or high <= b,
        "sa": low >= b,
        "eb": high <= a,
    }[prefix]


def numbered(prefix: str, low: Any, high: Any, value: Any) -> bool:
    low = float("-inf") if low is None else low
    high = float("inf") if high is None else high
    return {
        "gt": high > value,
        "lt": low < value,
        "ge": high > value or low >= value,
        "le": low < value or high <= value,
    }[prefix]


async def test_every_criterion_equals_a_comparison_of_all(
    database: Database, shared_data: Path
) -> None:
    folder = shared_data / "fhir-r4-examples"
    if not folder.is_dir():
        pytest.skip("shared data set 'fhir-r4-examples' not found")
    by_type = examples(folder)
    seen: set[tuple[str, str, str]] = set()
    asked = 0
    wrong: list[str] = []
    for type_, resources in by_type.items():
        unique = {resource["id"]: resource for resource in resources}
        async with database.transaction() as tx:
            await write_many(tx, [Write(one) for one in unique.values()])
        extracted = {id_: extract(one) for id_, one in unique.items()}
        made = [one for found in extracted.values() for one in questions(type_, found)]
        step = max(1, len(made) // 40)
        async with database.reading() as tx:
            for _, name, value, meets in made[::step]:
                if (type_, name, value) in seen:
                    continue
                seen.add((type_, name, value))
                query = parse_query(type_, [(name, value), ("_count", "1000")])
                got = {version.id for version in (await run(tx, query)).versions}
                expected = {id_ for id_, found in extracted.items() if meets(found)}
                asked += 1
                if got != expected:
                    wrong.append(f"{type_}?{name}={value}: {sorted(got ^ expected)[:4]}")
    assert wrong == [], "\n".join(wrong[:30])
    assert asked > 1_500
