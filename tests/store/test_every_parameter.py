"""Promise: every search parameter of R4 finds what was written, and nothing else."""

from __future__ import annotations

from typing import Any

from tests.store.samples import Sample, samples

from liane.fhir import definitions
from liane.store import Database
from liane.store.resources import Write, write_many
from liane.store.search import parse_query, run

BY_HAND = {"_id", "_lastUpdated", "_text", "_content", "_query", "near"}
"""Parameters without a place in the JSON; the tests below and in test_search have them."""


def numbered(sample: Sample, number: int) -> list[dict[str, Any]]:
    return [{**sample.mine, "id": f"mine-{number}"}, {**sample.other, "id": f"other-{number}"}]


async def test_every_parameter_finds_its_value_and_no_other(database: Database) -> None:
    failures: list[str] = []
    pairs = tried = 0
    for type_ in definitions.types():
        made = [one for one in samples(type_) if one.name not in BY_HAND]
        known = definitions.search_parameters(type_)
        pairs += len(known)
        missing = set(known) - {one.name for one in made} - BY_HAND
        failures += [f"{type_} {name}: no sample" for name in missing]
        async with database.transaction() as tx:
            writes = [Write(one) for n, sample in enumerate(made) for one in numbered(sample, n)]
            await write_many(tx, writes)
        async with database.reading() as tx:
            for number, sample in enumerate(made):
                tried += 1
                query = parse_query(type_, [(sample.name, sample.asked), ("_count", "1000")])
                found = {version.id for version in (await run(tx, query)).versions}
                if f"mine-{number}" not in found or f"other-{number}" in found:
                    failures.append(f"{type_} {sample.name}={sample.asked}: {sample.mine}")
    assert failures == [], "\n".join(failures[:40])
    assert pairs >= 3_000
    assert tried >= 2_300


async def test_the_parameters_of_every_type(database: Database) -> None:
    """`_id`, `_lastUpdated`, `_text` and `_content` of each type."""
    story = '<div xmlns="http://www.w3.org/1999/xhtml">Un récit de {}</div>'
    for type_ in definitions.types():
        mine, other = (
            {
                "resourceType": type_,
                "id": id_,
                "text": {"status": "generated", "div": story.format(word)},
            }
            for id_, word in (("mine", "marguerites"), ("other", "violettes"))
        )
        async with database.transaction() as tx:
            await write_many(tx, [Write(mine), Write(other)])
        async with database.reading() as tx:
            for name, value, expected in (
                ("_id", "mine", {"mine"}),
                ("_text", "marguerites", {"mine"}),
                ("_content", "récit marguerites", {"mine"}),
                ("_lastUpdated", "gt2020", {"mine", "other"}),
                ("_lastUpdated", "lt2020", set()),
            ):
                page = await run(tx, parse_query(type_, [(name, value)]))
                assert {one.id for one in page.versions} == expected, (type_, name)
