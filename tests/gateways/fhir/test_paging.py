"""Promise: whoever reads page by page misses nothing and sees nothing twice while others write."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from typing import Any

import pytest

from liane.store import Database
from tests.gateways.fhir.conftest import Fhir, observation, patient

STAY = 40
"""Resources that are there from the first page to the last."""


def dated(number: int, **changes: Any) -> dict[str, Any]:
    """Several share a day, some have none."""
    day = {} if number % 7 == 0 else {"effectiveDateTime": f"2026-01-{1 + number % 20:02}"}
    return observation(**{"id": f"o{number}", **day, **changes})


async def pages(fhir: Fhir, address: str, between: Any) -> list[str]:
    """The ids of every page, with something written between each two."""
    seen: list[str] = []
    turns = 0
    while address:
        turns += 1
        assert turns < 60, "the pages never end"
        answer = await fhir("GET", address)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        seen += [entry["resource"]["id"] for entry in page.get("entry", ())]
        links = {link["relation"]: link["url"] for link in page["link"]}
        address = links.get("next", "").partition("/fhir")[2]
        await between()
    return seen


class Others:
    """Who writes meanwhile: they create, change what does not move, and delete their own."""

    def __init__(self, fhir: Fhir, seed: int) -> None:
        self.fhir = fhir
        self.random = random.Random(seed)
        self.made = 0

    async def __call__(self) -> None:
        await asyncio.gather(*(self.one() for _ in range(3)))

    async def one(self) -> None:
        choice = self.random.randrange(4)
        if choice == 0:
            number = self.random.randrange(STAY)
            changed = dated(number, note=[{"text": str(self.random.random())}])
            await self.fhir("PUT", f"/Observation/o{number}", changed)
        elif choice == 1 and self.made:
            await self.fhir("DELETE", f"/Observation/o{1000 + self.random.randrange(self.made)}")
        else:
            number = 1000 + self.made
            self.made += 1
            await self.fhir("PUT", f"/Observation/o{number}", dated(number))


@pytest.mark.parametrize(
    "order", ["", "&_sort=_id", "&_sort=-_id", "&_sort=date", "&_sort=-date", "&_sort=code,-date"]
)
async def test_nothing_is_missed_or_doubled(fhir: Fhir, order: str) -> None:
    for number in range(STAY):
        await fhir("PUT", f"/Observation/o{number}", dated(number))
    seen = await pages(fhir, f"/Observation?code=2823-3&_count=7{order}", Others(fhir, 7))
    assert len(set(seen)) == len(seen)
    assert {f"o{number}" for number in range(STAY)} <= set(seen)


def valued(number: int, value: int) -> dict[str, Any]:
    """An observation whose every sorted value follows from `value`; one in nine has no date."""
    day = {} if value % 9 == 0 else {"effectiveDateTime": f"2026-{1 + value % 12:02}-07"}
    return observation(
        id=f"o{number}", **day, valueQuantity={"value": value * 1.5}, method={"text": f"m{value}"}
    )


class Movers:
    """Who changes the very values that the pages are sorted by."""

    def __init__(self, fhir: Fhir, seed: int) -> None:
        self.fhir = fhir
        self.random = random.Random(seed)
        self.made = 0

    async def __call__(self) -> None:
        moving = self.random.sample(range(STAY), 12)
        values = [self.random.randrange(100) for _ in moving]
        for number, value in zip(moving, values, strict=True):
            await self.fhir("PUT", f"/Observation/o{number}", valued(number, value))
        # Twice, so that the version of the first page is not the one before the last.
        await self.fhir("PUT", f"/Observation/o{moving[0]}", valued(moving[0], 77))
        self.made += 1
        await self.fhir(
            "PUT", f"/Observation/n{self.made}", valued(0, 50) | {"id": f"n{self.made}"}
        )


ORDERS = [
    "",
    "&_sort=_id",
    "&_sort=_lastUpdated",
    "&_sort=-_lastUpdated",
    "&_sort=date",
    "&_sort=-date",
    "&_sort=value-quantity",
    "&_sort=-value-quantity,date",
    "&_sort=code,-_lastUpdated",
]


@pytest.mark.parametrize("order", ORDERS)
async def test_what_moves_is_neither_missed_nor_doubled(fhir: Fhir, order: str) -> None:
    for number in range(STAY):
        await fhir("PUT", f"/Observation/o{number}", valued(number, number * 7 % 40))
    asked = f"/Observation?code=2823-3&_count=7{order}"
    whole = (await fhir("GET", asked.replace("_count=7", "_count=500"))).json()
    expected = [entry["resource"]["id"] for entry in whole["entry"]]
    seen = await pages(fhir, asked, Movers(fhir, 11))
    assert seen == expected


@pytest.mark.parametrize("order", ["_lastUpdated", "-_lastUpdated,_id", "family", "-birthdate"])
async def test_people_who_change_their_name_are_seen_once(fhir: Fhir, order: str) -> None:
    def person(number: int, value: int) -> dict[str, Any]:
        name = [{"family": f"Nom{value:02}"}]
        born = f"19{10 + value:02}-02-03"
        return patient(id=f"p{number}", name=name, birthDate=born)

    for number in range(STAY):
        await fhir("PUT", f"/Patient/p{number}", person(number, number * 7 % 40))
    asked = f"/Patient?_count=6&_sort={order}"
    whole = (await fhir("GET", asked.replace("_count=6", "_count=500"))).json()
    turn = 0

    async def renamed() -> None:
        nonlocal turn
        turn += 1
        for number in range(turn % 4, STAY, 4):
            await fhir("PUT", f"/Patient/p{number}", person(number, (number * 3 + turn * 11) % 80))

    seen = await pages(fhir, asked, renamed)
    assert seen == [entry["resource"]["id"] for entry in whole["entry"]]


@pytest.mark.parametrize("order", ["", "&_sort=_lastUpdated", "&_sort=-date"])
async def test_several_types_stay_in_their_order(fhir: Fhir, order: str) -> None:
    for number in range(20):
        await fhir("PUT", f"/Observation/o{number}", valued(number, number))
        report = {"id": f"d{number}", "resourceType": "DiagnosticReport"}
        await fhir("PUT", f"/DiagnosticReport/d{number}", valued(number, number) | report)
    asked = f"?_type=Observation,DiagnosticReport&_count=7{order}"
    whole = (await fhir("GET", asked.replace("_count=7", "_count=500"))).json()
    expected = [entry["resource"]["id"] for entry in whole["entry"]]
    seen = await pages(fhir, asked, Movers(fhir, 3))
    assert len(set(seen)) == len(seen)
    assert [one for one in seen if one in expected] == expected


async def test_a_page_before_stays_as_well(fhir: Fhir) -> None:
    """Going back shows what the first pages showed, whatever has moved since."""
    for number in range(STAY):
        await fhir("PUT", f"/Observation/o{number}", valued(number, number * 7 % 40))
    moving = Movers(fhir, 5)
    shown: list[list[str]] = []
    address = "/Observation?_count=7&_sort=date"
    for relation in ("next", "next", "next", "previous", "previous", "previous"):
        page = (await fhir("GET", address)).json()
        shown.append([entry["resource"]["id"] for entry in page["entry"]])
        links = {link["relation"]: link["url"] for link in page["link"]}
        address = links[relation].partition("/fhir")[2]
        await moving()
    assert shown[4:6] == [shown[2], shown[1]]


async def test_a_reindexed_row_keeps_its_place(fhir: Fhir, database: Database) -> None:
    """Rewriting the keys of a row is no new version of it."""
    for number in range(STAY):
        await fhir("PUT", f"/Observation/o{number}", valued(number, number))

    async def touched() -> None:
        async with database.transaction() as tx:
            await tx.execute("update record.resource set keys = keys")

    seen = await pages(fhir, "/Observation?_sort=value-quantity&_count=7", touched)
    assert seen == [f"o{number}" for number in range(STAY)]


async def test_what_a_changed_row_says_is_what_it_says_now(fhir: Fhir) -> None:
    for number in range(10):
        await fhir("PUT", f"/Observation/o{number}", valued(number, number))
    first = (await fhir("GET", "/Observation?_sort=-value-quantity&_count=5")).json()
    await fhir("PUT", "/Observation/o2", valued(2, 90))
    await fhir("PUT", "/Observation/o3", valued(3, 90) | {"code": {"text": "autre"}})
    await fhir("DELETE", "/Observation/o4")
    links = {link["relation"]: link["url"] for link in first["link"]}
    second = (await fhir("GET", links["next"].partition("/fhir")[2])).json()
    told = {entry["resource"]["id"]: entry["resource"] for entry in second["entry"]}
    assert list(told) == ["o3", "o2", "o1", "o0"]
    assert told["o2"]["valueQuantity"]["value"] == 135
    assert "next" not in {link["relation"] for link in second["link"]}


async def test_the_union_of_pages_is_the_whole_answer(fhir: Fhir) -> None:
    for number in range(STAY):
        await fhir("PUT", f"/Observation/o{number}", dated(number))

    async def nothing() -> None:
        return None

    for order in ("", "&_sort=date", "&_sort=-_lastUpdated", "&_sort=code,-_id"):
        whole = (await fhir("GET", f"/Observation?_count=500&_total=accurate{order}")).json()
        expected = [entry["resource"]["id"] for entry in whole["entry"]]
        assert whole["total"] == STAY == len(expected)
        assert await pages(fhir, f"/Observation?_count=7{order}", nothing) == expected


FORGED = {
    3: [None, {"t": "0001-01-01T00:00:00+00:00"}, {"t": "x"}, 7],
    4: [None, {"t": "9999-12-31T23:59:59+00:00"}, {"t": "2026-01-01"}],
    5: ["", "x" * 300, None],
    6: [[], [None], [1e308], [10**400], [float("nan")], [True], ["x"], [{"t": "2026"}], 7],
    7: [
        "1:1:",
        "1:9:3,2",
        "0:0:",
        "9:1:",
        f"1:{2**61}:5",
        "1:2:\0",
        "'",
        None,
        "1:9:" + "2," * 900,
    ],
    8: [None, {"t": "1970-01-01T00:00:00+00:00"}, {"t": "9999-12-31T23:59:59+00:00"}, "x"],
}
"""What somebody might put in the places of a cursor."""


@pytest.mark.parametrize("order", ["date", "-_lastUpdated", "value-quantity"])
async def test_a_forged_cursor_is_refused_or_harmless(fhir: Fhir, order: str) -> None:
    for number in range(12):
        await fhir("PUT", f"/Observation/o{number}", valued(number, number))
    first = (await fhir("GET", f"/Observation?_count=5&_sort={order}")).json()
    links = {link["relation"]: link["url"] for link in first["link"]}
    cursor = links["next"].partition("_cursor=")[2]
    place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    for at, values in FORGED.items():
        for value in values:
            told = json.dumps([*place[:at], value, *place[at + 1 :]]).encode()
            forged = base64.urlsafe_b64encode(told).decode().rstrip("=")
            answer = await fhir("GET", f"/Observation?_count=5&_sort={order}&_cursor={forged}")
            assert answer.status_code in (200, 400), (at, value, answer.text)
