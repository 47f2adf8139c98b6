"""Promise: whoever reads page by page misses nothing and sees nothing twice while others write."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from tests.gateways.fhir.conftest import Fhir, observation

STAY = 40
"""Resources that are there from the first page to the last."""


def dated(number: int, **changes: Any) -> dict[str, Any]:
    """Several share a day, some have none."""
    day = {} if number % 7 == 0 else {"effectiveDateTime": f"2026-01-{1 + number % 20:02}"}
    return observation(**{"id": f"o{number}", **day, **changes})


async def pages(fhir: Fhir, address: str, between: Any) -> list[str]:
    """The ids of every page, with something written between each two."""
    seen: list[str] = []
    while address:
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


async def test_by_id_nothing_is_missed_even_when_everything_moves(fhir: Fhir) -> None:
    """`_id` is the one order that no write can change: whoever copies a record sorts by it."""
    for number in range(STAY):
        await fhir("PUT", f"/Observation/o{number}", dated(number))
    turn = 0

    async def move_all() -> None:
        nonlocal turn
        turn += 1
        for number in range(turn % 5, STAY, 5):
            await fhir("PUT", f"/Observation/o{number}", dated(number + turn, id=f"o{number}"))

    seen = await pages(fhir, "/Observation?_sort=_id&_count=7", move_all)
    assert sorted(seen) == sorted(f"o{number}" for number in range(STAY))


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
