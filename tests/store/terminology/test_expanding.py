"""Promise: a value set holds exactly the codes that its definition says, in memory or in tables."""

from __future__ import annotations

from typing import Any

import pytest
from tests.store.terminology.cases import ANIMALS, CODE_SYSTEM, codes, filtered, value_set

from liane.base.errors import Invalid, NotFound
from liane.store import Database
from liane.store.resources import delete, put
from liane.store.terminology import (
    Wanted,
    Wish,
    codes_of,
    expand,
    inline_system,
    member,
    translate,
)
from liane.store.terminology.asking import TooCostly

ALL = ["animal", "mammal", "cat", "bat", "bird", "dodo", "flyer"]
FILTERS = [
    ("concept", "is-a", "mammal", ["mammal", "cat", "bat"]),
    ("concept", "descendent-of", "mammal", ["cat", "bat"]),
    ("concept", "is-not-a", "mammal", ["animal", "bird", "dodo", "flyer"]),
    ("concept", "generalizes", "bat", ["animal", "mammal", "bat", "flyer"]),
    ("concept", "is-a", "flyer", ["bat", "bird", "dodo", "flyer"]),
    ("concept", "is-a", "unicorn", []),
    ("code", "regex", "[bc]at", ["cat", "bat"]),
    ("code", "regex", "a", []),
    ("display", "regex", "D.*", ["cat", "dodo"]),
    ("concept", "in", "cat, bird,unicorn", ["cat", "bird"]),
    ("concept", "not-in", "cat,bird,animal", ["mammal", "bat", "dodo", "flyer"]),
    ("legs", "=", "2", ["bat", "bird"]),
    ("legs", "in", "2,4", ["mammal", "cat", "bat", "bird"]),
    ("legs", "not-in", "2,4", ["animal", "dodo", "flyer"]),
    ("legs", "exists", "true", ["mammal", "cat", "bat", "bird"]),
    ("legs", "exists", "false", ["animal", "dodo", "flyer"]),
    ("habitat", "regex", "ho.se", ["cat"]),
    ("parent", "=", "mammal", ["cat", "bat"]),
    ("child", "=", "bat", ["mammal", "flyer"]),
    ("parent", "exists", "false", ["animal", "flyer"]),
    ("inactive", "=", "true", ["dodo"]),
    ("notSelectable", "=", "false", ["mammal", "cat", "bat", "bird", "dodo", "flyer"]),
]


@pytest.mark.parametrize(("property_", "op", "value", "expected"), FILTERS)
async def test_every_filter_selects_what_the_standard_says(
    record: Database, property_: str, op: str, value: str, expected: list[str]
) -> None:
    async with record.transaction() as tx:
        await put(tx, CODE_SYSTEM)
    asked = value_set(filtered(property_, op, value))
    async with record.reading() as tx:
        assert codes(await expand(tx, asked, Wish())) == expected
        listed = value_set(
            {"system": ANIMALS, "concept": [{"code": code} for code in ALL]}, url="urn:all"
        )
        listed["compose"]["exclude"] = asked["compose"]["include"]
        rest = [code for code in ALL if code not in expected]
        assert codes(await expand(tx, listed, Wish())) == rest


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("is-a", "amended", ["amended", "corrected"]),
        ("descendent-of", "amended", ["corrected"]),
        ("generalizes", "corrected", ["amended", "corrected"]),
        ("regex", "(pre|f).*", ["preliminary", "final"]),
        ("in", "final,amended,x", ["final", "amended"]),
    ],
)
async def test_what_r4_brings_is_selected_alike(
    record: Database, op: str, value: str, expected: list[str]
) -> None:
    system = "http://hl7.org/fhir/observation-status"
    asked = value_set(
        {"system": system, "filter": [{"property": "concept", "op": op, "value": value}]}
    )
    async with record.reading() as tx:
        assert codes(await expand(tx, asked, Wish())) == expected


async def test_imports_are_intersected_and_excludes_removed(record: Database) -> None:
    async with record.transaction() as tx:
        await put(tx, CODE_SYSTEM)
        await put(tx, value_set(filtered("concept", "is-a", "mammal"), id="m", url="urn:mammals"))
        await put(tx, value_set(filtered("legs", "=", "2"), id="t", url="urn:two", version="3"))
    both = value_set({"valueSet": ["urn:mammals", "urn:two|3"]})
    narrowed = value_set({"system": ANIMALS, "valueSet": ["urn:mammals"]})
    either = value_set({"valueSet": ["urn:mammals"]}, {"valueSet": ["urn:two"]})
    less = value_set(
        {"system": ANIMALS}, exclude=[{"valueSet": ["urn:mammals"]}, filtered("code", "=", "dodo")]
    )
    async with record.reading() as tx:
        assert codes(await expand(tx, both, Wish())) == ["bat"]
        assert codes(await expand(tx, narrowed, Wish())) == ["mammal", "cat", "bat"]
        assert codes(await expand(tx, either, Wish())) == ["mammal", "cat", "bat", "bird"]
        assert codes(await expand(tx, less, Wish())) == ["animal", "bird", "flyer"]
        with pytest.raises(NotFound):
            await expand(tx, value_set({"valueSet": ["urn:two|4"]}), Wish())


async def test_a_circle_of_imports_is_refused(record: Database) -> None:
    async with record.transaction() as tx:
        await put(tx, value_set({"valueSet": ["urn:b"]}, id="a", url="urn:a"))
        await put(tx, value_set({"valueSet": ["urn:a"]}, id="b", url="urn:b"))
    async with record.reading() as tx:
        with pytest.raises(Invalid, match="circle"):
            await expand(tx, "urn:a", Wish())
        assert await member(tx, "urn:a", ANIMALS, "cat") is None


async def test_pages_put_together_are_the_whole(record: Database) -> None:
    async with record.transaction() as tx:
        await put(tx, CODE_SYSTEM)
    asked = value_set({"system": ANIMALS}, {"system": "http://hl7.org/fhir/observation-status"})
    async with record.reading() as tx:
        whole = await expand(tx, asked, Wish())
        found: list[str] = []
        for offset in range(0, 20, 3):
            page = await expand(tx, asked, Wish(offset=offset, count=3))
            assert page["expansion"]["total"] == whole["expansion"]["total"] == 15
            found += codes(page)
        assert found == codes(whole)
        none = await expand(tx, asked, Wish(count=0))
        assert (codes(none), none["expansion"]["total"]) == ([], 15)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("chat", ["cat"]), ("MAMMIF", ["mammal"]), ("dom ca", ["cat"]), ("b", ["bat", "bird"]),
     ("animal", ["animal", "flyer"]), ("omestic", []), ("%", []), ("", ALL)],
)  # fmt: skip
async def test_words_of_the_filter_begin_words_of_the_concept(
    record: Database, text: str, expected: list[str]
) -> None:
    async with record.transaction() as tx:
        await put(tx, CODE_SYSTEM)
    async with record.reading() as tx:
        assert codes(await expand(tx, f"{ANIMALS}/all", Wish(filter=text))) == expected


async def test_designations_languages_and_retired_codes(record: Database) -> None:
    supplement = {
        "resourceType": "CodeSystem", "id": "more", "url": "urn:more", "status": "active",
        "content": "supplement", "supplements": f"{ANIMALS}|1.0",
        "concept": [{"code": "bat", "designation": [{"language": "fr-FR", "value": "Chauve-souris"}]}],
    }  # fmt: skip
    async with record.transaction() as tx:
        await put(tx, CODE_SYSTEM)
        await put(tx, supplement)
    async with record.reading() as tx:
        french = await expand(
            tx, value_set(filtered("concept", "is-a", "mammal")), Wish(language="fr")
        )
        shown = [one["display"] for one in french["expansion"]["contains"]]
        assert shown == ["Mammifère", "Chat domestique", "Chauve-souris"]
        wordy = await expand(
            tx, value_set(filtered("code", "=", "cat")), Wish(include_designations=True)
        )
        assert (
            wordy["expansion"]["contains"][0]["designation"][0]["use"]["code"]
            == "900000000000013009"
        )
        active = await expand(tx, f"{ANIMALS}/all", Wish(active_only=True))
        assert "dodo" not in codes(active)
        assert active["expansion"]["total"] == 6
        choosable = await expand(tx, f"{ANIMALS}/all", Wish(exclude_not_for_ui=True))
        assert "animal" not in codes(choosable)
        whole = await expand(tx, f"{ANIMALS}/all", Wish())
        assert whole["expansion"]["contains"][0]["abstract"] is True
        assert whole["expansion"]["contains"][5]["inactive"] is True
        assert {"name": "version", "valueUri": f"{ANIMALS}|1.0"} in whole["expansion"]["parameter"]


async def test_lists_of_unknown_systems_are_taken_as_they_are(record: Database) -> None:
    snomed = "http://snomed.info/sct"
    listed = value_set(
        {"system": snomed, "concept": [{"code": "1", "display": "Un"}, {"code": "2"}]},
        url="urn:s",
        id="s",
    )
    filtered_ = value_set(
        {"system": snomed, "filter": [{"property": "concept", "op": "is-a", "value": "1"}]},
        url="urn:f",
        id="f",
    )
    async with record.transaction() as tx:
        await put(tx, listed)
        await put(tx, filtered_)
    async with record.reading() as tx:
        assert codes(await expand(tx, listed, Wish())) == ["1", "2"]
        assert codes(await expand(tx, listed, Wish(filter="un"))) == ["1"]
        assert await member(tx, "urn:s", snomed, "2") is True
        assert await member(tx, "urn:s", snomed, "3") is False
        assert await member(tx, "urn:f", snomed, "3") is None
        with pytest.raises(Invalid, match="not known here"):
            await expand(tx, "urn:f", Wish())


async def test_too_much_at_once_is_refused_but_paged(record: Database) -> None:
    concepts = [{"code": f"c{n}", "display": f"Concept {n}"} for n in range(10_050)]
    big = {"resourceType": "CodeSystem", "id": "big", "url": "urn:big", "status": "active",
           "content": "complete", "valueSet": "urn:big/all", "concept": concepts}  # fmt: skip
    async with record.transaction() as tx:
        await put(tx, big)
    async with record.reading() as tx:
        with pytest.raises(TooCostly):
            await expand(tx, "urn:big/all", Wish())
        with pytest.raises(TooCostly):
            await codes_of(tx, "urn:big/all")
        page = await expand(tx, "urn:big/all", Wish(offset=10_040, count=100))
        assert codes(page) == [f"c{n}" for n in range(10_040, 10_050)]
        found = await codes_of(tx, "urn:big/all", limit=20_000)
        assert found is not None
        assert len(found) == 10_050


@pytest.mark.parametrize(
    "pattern", ["((a{1,255}){1,255}){1,255}", "(", "(a)\\1", "a" * 300, "(?=a)a"]
)
async def test_bad_patterns_are_refused(record: Database, pattern: str) -> None:
    async with record.transaction() as tx:
        await put(tx, CODE_SYSTEM)
    with pytest.raises(Invalid, match="regular expression"):
        async with record.reading() as tx:
            await expand(tx, value_set(filtered("code", "regex", pattern)), Wish())


async def test_unknown_filters_are_refused(record: Database) -> None:
    async with record.transaction() as tx:
        await put(tx, CODE_SYSTEM)
    for one in (filtered("legs", "is-a", "2"), filtered("code", "around", "x")):
        with pytest.raises(Invalid, match="not offered"):
            async with record.reading() as tx:
                await expand(tx, value_set(one), Wish())


async def test_tables_follow_every_write(record: Database) -> None:
    smaller = {**CODE_SYSTEM, "version": "2.0", "concept": [{"code": "cat"}, {"code": "fox"}]}
    async with record.transaction() as tx:
        await put(tx, CODE_SYSTEM)
    async with record.transaction() as tx:
        await put(tx, smaller)
    async with record.reading() as tx:
        assert codes(await expand(tx, f"{ANIMALS}/all", Wish())) == ["cat", "fox"]
    async with record.transaction() as tx:
        await delete(tx, "CodeSystem", "animals")
    async with record.reading() as tx:
        assert await expand_or_none(tx) is None
        for table in ("system", "concept", "word", "designation", "property", "closure"):
            assert await tx.fetchval(f"select count(*) from terminology.{table}") == 0


async def expand_or_none(tx: object) -> object:
    try:
        return await expand(tx, f"{ANIMALS}/all", Wish())  # type: ignore[arg-type]
    except NotFound:
        return None


async def test_versions_stand_side_by_side(record: Database) -> None:
    later = {**CODE_SYSTEM, "id": "animals-10", "version": "10.0", "concept": [{"code": "fox"}]}
    async with record.transaction() as tx:
        await put(tx, later)
        await put(tx, {**CODE_SYSTEM, "version": "9.0"})
    async with record.reading() as tx:
        assert codes(await expand(tx, value_set({"system": ANIMALS}), Wish())) == ["fox"]
        former = value_set(
            {"system": ANIMALS, "version": "9.0", "filter": filtered("code", "=", "cat")["filter"]}
        )
        assert codes(await expand(tx, former, Wish())) == ["cat"]
        chosen = value_set({"system": ANIMALS})
        assert len(codes(await expand(tx, chosen, Wish(versions={ANIMALS: "9.0"})))) == 7


async def test_nothing_of_another_tenant_is_seen(record: Database) -> None:
    async with record.transaction() as tx:
        await put(tx, CODE_SYSTEM)
        await put(tx, value_set(filtered("legs", "=", "2"), id="t", url="urn:two"))
    other = await Database.open(record.dsn, tenant=2)
    try:
        async with other.reading() as tx:
            assert await member(tx, "urn:two", ANIMALS, "bat") is None
            assert await expand_or_none(tx) is None
            for table in ("system", "concept", "word", "property", "closure", "value_set"):
                assert await tx.fetchval(f"select count(*) from terminology.{table}") == 0
    finally:
        await other.close()


@pytest.mark.parametrize(
    "broken",
    [
        {"resourceType": "CodeSystem", "concept": {"code": "a"}, "property": "x"},
        {
            "resourceType": "CodeSystem",
            "concept": [
                1,
                None,
                {"code": 5},
                {
                    "code": "a",
                    "concept": "b",
                    "designation": [3, {"value": "v", "use": "u"}],
                    "property": [{"code": "p"}, 7],
                },
            ],
        },
        {"resourceType": "ValueSet", "url": "urn:b", "compose": ["x"], "expansion": []},
        {
            "resourceType": "ValueSet",
            "url": "urn:b",
            "compose": {
                "include": [
                    1,
                    {
                        "system": "urn:iso:std:iso:4217",
                        "concept": "x",
                        "filter": [{"op": "in", "property": "code", "value": 7}],
                    },
                ]
            },
        },
        {
            "resourceType": "ConceptMap",
            "group": [4, {"element": [5, {"target": "x"}], "unmapped": 6}],
        },
    ],
)
async def test_a_misshapen_inline_resource_breaks_nothing(
    record: Database, broken: dict[str, Any]
) -> None:
    async with record.reading() as tx:
        if broken["resourceType"] == "ValueSet":
            assert codes(await expand(tx, broken, Wish())) == []
        elif broken["resourceType"] == "CodeSystem":
            known = await inline_system(broken).find(tx, ["a"], details=True)
            assert set(known) <= {"a"}
        else:
            assert await translate(tx, Wanted("a"), inline=broken) == []
