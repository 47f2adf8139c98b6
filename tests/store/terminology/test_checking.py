"""Promise: a code is found right, wrong or unknown, and so is its place in a hierarchy."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.terminology.cases import ANIMALS, CODE_SYSTEM, codes, filtered, value_set

from liane.base.errors import Invalid
from liane.store import Database
from liane.store.resources import put
from liane.store.terminology import (
    Wanted,
    Wish,
    above,
    below,
    codes_of,
    expand,
    inline_system,
    member,
    relation,
    resolving,
    translate,
)
from liane.store.terminology.asking import Ask
from liane.store.terminology.closing import ancestors
from liane.store.terminology.composing import parts_of
from liane.store.terminology.selections import Everything, Filter

R4 = "http://hl7.org/fhir/ValueSet"
LANGUAGES, MEDIA = "urn:ietf:bcp:47", "urn:ietf:bcp:13"


@pytest.mark.parametrize(
    ("url", "system", "code", "expected"),
    [
        (f"{R4}/observation-status", "http://hl7.org/fhir/observation-status", "final", True),
        (f"{R4}/observation-status|4.0.1", "", "final", True),
        (f"{R4}/observation-status|9.9", "", "final", None),
        (f"{R4}/observation-status", "", "finished", False),
        (f"{R4}/observation-status", "urn:other", "final", False),
        (f"{R4}/all-languages", LANGUAGES, "fr-FR", True),
        (f"{R4}/all-languages", LANGUAGES, "français", False),
        (f"{R4}/mimetypes", MEDIA, "application/fhir+json", True),
        (f"{R4}/mimetypes", MEDIA, "pdf", False),
        (f"{R4}/ucum-units", "http://unitsofmeasure.org", "mmol/L", True),
        (f"{R4}/ucum-units", "http://unitsofmeasure.org", "dB", True),
        (f"{R4}/ucum-units", "http://unitsofmeasure.org", "µg", False),
        (f"{R4}/currencies", "urn:iso:std:iso:4217", "EUR", True),
        (f"{R4}/currencies", "urn:iso:std:iso:4217", "XQQ", False),
        (f"{R4}/units-of-time", "http://unitsofmeasure.org", "h", True),
        ("http://terminology.hl7.org/ValueSet/v3-ActEncounterCode", "", "AMB", True),
        ("http://terminology.hl7.org/ValueSet/v3-ActEncounterCode", "", "_ActEncounterCode", False),
        ("urn:nowhere", "", "x", None),
        ("http://hl7.org/fhir/ValueSet/observation-codes", "http://loinc.org", "1-8", None),
    ],
)
async def test_membership_of_what_r4_brings(
    record: Database, url: str, system: str, code: str, expected: bool | None
) -> None:
    async with record.reading() as tx:
        assert await member(tx, url, system, code) is expected


async def test_membership_of_what_is_stored(record: Database) -> None:
    async with record.transaction() as tx:
        await put(tx, CODE_SYSTEM)
        await put(tx, value_set(filtered("concept", "is-a", "mammal"), id="m", url="urn:m"))
        # What has just been written is there for the rest of the same unit of work.
        assert await member(tx, "urn:m", ANIMALS, "cat") is True
    async with record.reading() as tx:
        assert await member(tx, "urn:m", ANIMALS, "bird") is False
        assert await member(tx, "urn:m", "", "bat") is True
        assert await codes_of(tx, "urn:m") == [(ANIMALS, c) for c in ("mammal", "cat", "bat")]
        assert await codes_of(tx, "urn:none") is None
        assert set(await below(tx, ANIMALS, "flyer")) == {"flyer", "bat", "bird", "dodo"}
        assert set(await above(tx, ANIMALS, "bat")) == {"bat", "mammal", "animal", "flyer"}
        assert await below(tx, ANIMALS, "unicorn") == []
    async with record.transaction() as tx:
        await put(tx, value_set(filtered("code", "=", "bird"), id="m", url="urn:m"))
    async with record.reading() as tx:
        assert await member(tx, "urn:m", ANIMALS, "bird") is True
        assert await member(tx, "urn:m", ANIMALS, "cat") is False


async def test_case_counts_only_where_the_system_says(record: Database) -> None:
    loose = {**CODE_SYSTEM, "caseSensitive": False}
    async with record.transaction() as tx:
        await put(tx, loose)
        await put(tx, value_set(filtered("concept", "is-a", "MAMMAL"), id="m", url="urn:m"))
    async with record.reading() as tx:
        assert await member(tx, "urn:m", ANIMALS, "CAT") is True
        assert codes(await expand(tx, "urn:m", Wish())) == ["mammal", "cat", "bat"]
        assert await member(tx, f"{ANIMALS}/all", ANIMALS, "Dodo") is True


async def test_intricate_value_sets_are_refused_in_time(record: Database) -> None:
    async with record.transaction() as tx:
        await put(tx, CODE_SYSTEM)
        level = value_set(
            *[filtered("legs", "=", str(n)) for n in range(50)], id="l0", url="urn:l0"
        )
        await put(tx, level)
        for n in range(1, 8):
            include = {"system": ANIMALS, "valueSet": [f"urn:l{n - 1}"] * 10}
            await put(tx, value_set(include, id=f"l{n}", url=f"urn:l{n}"))
    async with record.reading() as tx:
        with pytest.raises(Invalid, match="too intricate"):
            await expand(tx, "urn:l7", Wish())
        many = value_set(*[{"system": f"urn:s{n}", "concept": [{"code": "a"}]} for n in range(400)])
        with pytest.raises(Invalid, match="too intricate"):
            await parts_of(tx, many)
        long_ = value_set(
            *[{"system": "urn:s", "concept": [{"code": f"c{n}"}]} for n in range(30_000)]
        )
        page = await expand(tx, long_, Wish(count=5))
        assert page["expansion"]["total"] == 30_000


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.integers(0, 40), st.lists(st.integers(0, 40), max_size=4), max_size=40))
def test_the_closure_is_what_walking_up_finds(given_: dict[int, list[int]]) -> None:
    parents = {child: [p for p in above_ if p < child] for child, above_ in given_.items()}
    parents = {child: above_ for child, above_ in parents.items() if above_}

    def walk(node: int) -> set[int]:
        found: set[int] = set()
        for parent in parents.get(node, []):
            found |= {parent} | walk(parent)
        return found

    assert ancestors(parents) == {child: walk(child) for child in parents}


def test_a_circle_in_a_hierarchy_ends() -> None:
    closed = ancestors({1: [2], 2: [3], 3: [1], 4: [4]})
    assert all(node not in found for node, found in closed.items())


def _random_system(chance: random.Random) -> dict[str, Any]:
    concepts: list[dict[str, Any]] = []
    for n in range(40):
        properties: list[dict[str, Any]] = [
            {"code": "kind", "valueCode": chance.choice("xyz")},
            *({"code": "parent", "valueCode": f"c{chance.randrange(n)}"} for _ in range(chance.randrange(3)) if n),
        ]  # fmt: skip
        if chance.random() < 0.2:
            properties.append({"code": "inactive", "valueBoolean": True})
        concepts.append(
            {"code": f"c{n}", "display": f"Word{chance.randrange(9)} {n}", "property": properties}
        )
    return {"resourceType": "CodeSystem", "id": "r", "url": "urn:r", "status": "active",
            "content": "complete", "concept": concepts}  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
async def test_tables_and_memory_answer_alike(record: Database, seed: int) -> None:
    chance = random.Random(seed)
    resource = _random_system(chance)
    async with record.transaction() as tx:
        await put(tx, resource)
    memory = inline_system(resource)
    async with record.reading() as tx:
        stored = await resolving.system(tx, "urn:r")
        asks = [
            Ask(),
            Ask(asked=["word3"]),
            Ask(active_only=True),
            Ask(asked=["word", "1"], limit=3, offset=1),
        ]
        for op in ("is-a", "descendent-of", "is-not-a", "generalizes", "=", "in", "not-in"):
            chosen = Filter("concept", op, f"c{chance.randrange(40)}")
            for ask in asks:
                one = await memory.page(tx, chosen, ask)
                other = await stored.page(tx, chosen, ask)
                assert [c.code for c in one.concepts] == [c.code for c in other.concepts], (op, ask)
                assert one.total == other.total
        for kind in ("x", "y,z"):
            chosen = Filter("kind", "in", kind)
            assert (await memory.page(tx, chosen, Ask())).total == (
                await stored.page(tx, chosen, Ask())
            ).total
        assert (await stored.page(tx, Everything(), Ask(limit=0))).total == 40
        for _ in range(60):
            a, b = f"c{chance.randrange(40)}", f"c{chance.randrange(40)}"
            assert await relation(tx, memory, a, b) == await relation(tx, stored, a, b)
            assert set(await memory.line(tx, a, "below", 99)) == set(
                await stored.line(tx, a, "below", 99)
            )


async def test_maps_that_fit_are_found_by_their_value_sets(record: Database) -> None:
    def map_(name: str, target: str, **more: Any) -> dict[str, Any]:
        group = {"source": "urn:s", "target": "urn:t", "element": [
            {"code": "a", "target": [{"code": target, "equivalence": "equal"}]}]}  # fmt: skip
        return {"resourceType": "ConceptMap", "id": name, "url": f"urn:{name}", "status": "active",
                "sourceUri": "urn:vs", "targetUri": f"urn:to-{name}", "group": [group], **more}  # fmt: skip

    async with record.transaction() as tx:
        await put(tx, map_("one", "x", version="9"))
        await put(tx, {**map_("one", "z", version="10"), "id": "one-10"})
        await put(tx, map_("two", "y"))
    async with record.reading() as tx:
        found = await translate(tx, Wanted("a", "urn:s", target="urn:to-two"))
        assert [m.code for m in found or []] == ["y"]
        newest = await translate(tx, Wanted("a", "urn:s"), map_url="urn:one")
        assert [m.code for m in newest or []] == ["z"]
        older = await translate(tx, Wanted("a", "urn:s"), map_url="urn:one", map_version="9")
        assert [m.code for m in older or []] == ["x"]
        assert (
            await translate(tx, Wanted("a", "urn:s", target_system="urn:u"), map_url="urn:one")
            == []
        )
        assert await translate(tx, Wanted("a"), map_url="urn:none") is None
        back = await translate(tx, Wanted("y", "urn:t", reverse=True), map_url="urn:two")
        assert [m.code for m in back or []] == ["a"]
