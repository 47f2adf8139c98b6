"""A subscription tells its owner what the owner may read at that moment, and leaves a trace."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from liane.access.relations import RelationRow, replace_for_encounter
from liane.gateways.subscriptions import owners
from liane.gateways.subscriptions.owners import Standing
from liane.store import Database
from tests.gateways.fhir.conftest import Fhir, observation, patient
from tests.gateways.subscriptions.conftest import (
    OURS,
    Received,
    Receiver,
    numbers_of,
    receiving,
    status_of,
    until,
    wish,
)
from tests.gateways.subscriptions.test_rest_hook import active, make, status

pytestmark = pytest.mark.enable_socket


async def two_houses(fhir: Fhir, database: Database) -> None:
    """p1 belongs to the house `chu`, p2 to another one."""
    for house, one in (("chu", "p1"), ("other", "p2")):
        await fhir("PUT", f"/Patient/{one}", patient(id=one))
        tie = RelationRow("present", datetime(2026, 1, 1, tzinfo=UTC), establishment=house)
        async with database.transaction() as tx:
            await replace_for_encounter(tx, one, f"e-{one}", [tie])


async def test_a_token_is_told_only_of_the_types_it_may_read(
    fhir: Fhir, receiver: Receiver, worker: None, standings: dict[str, Standing]
) -> None:
    standings["all"] = Standing(scopes=("system/Patient.rs", "system/Subscription.cruds"))
    await active(fhir, wish(receiver.url))
    await active(fhir, wish(receiver.url, OURS + "Patient"))
    await fhir("POST", "/Observation", observation())
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    (event,) = await receiver.until(1, "event-notification")
    assert event.bundle["entry"][1]["fullUrl"].endswith("/Patient/p1")


async def test_who_may_not_read_at_the_moment_of_telling_is_shown_a_number_and_nothing_else(
    fhir: Fhir,
    receiver: Receiver,
    worker: None,
    standings: dict[str, Standing],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(owners, "CACHE_SECONDS", 0.0)
    held, met = asyncio.Event(), asyncio.Event()

    async def slowly(one: Received) -> int:
        if one.kind == "event-notification":
            met.set()
            await held.wait()
        return 200

    receiver.answers = slowly
    id_ = await active(fhir, wish(receiver.url, content="full-resource", timeout=20))
    await fhir("PUT", "/Observation/o1", observation(id="o1"))
    await met.wait()
    await fhir("PUT", "/Observation/o2", observation(id="o2"))

    async def numbered() -> bool:
        told = (await fhir("GET", f"/Subscription/{id_}/$status")).json()
        return status_of(told)["events-since-subscription-start"] == ["2"]

    await until(numbered)
    standings["all"] = Standing(scopes=("system/Patient.rs",))
    held.set()
    first, second = await receiver.until(2, "event-notification")
    assert first.bundle["entry"][1]["resource"]["id"] == "o1"
    assert second.numbers == [2]
    assert len(second.bundle["entry"]) == 1
    assert b"o2" not in second.body


async def test_a_program_removed_is_switched_off_without_any_event(
    fhir: Fhir,
    receiver: Receiver,
    worker: None,
    standings: dict[str, Standing],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(owners, "CACHE_SECONDS", 0.0)
    id_ = await active(fhir, wish(receiver.url, heartbeat=1))
    del standings["all"]

    async def is_off() -> bool:
        return await status(fhir, id_) == "off"

    await until(is_off)
    shown = (await fhir("GET", f"/Subscription/{id_}")).json()
    assert "owner" in shown["error"]


async def test_a_program_of_one_house_hears_of_its_patients_only(
    fhir: Fhir, receiver: Receiver, worker: None, database: Database
) -> None:
    await two_houses(fhir, database)
    made = await make(fhir, wish(receiver.url), token="chu")

    async def is_active() -> bool:
        told = (await fhir("GET", f"/Subscription/{made['id']}/$status", token="chu")).json()
        return status_of(told)["status"] == ["active"]

    await until(is_active)
    for n, of in enumerate(("p2", "p1", "p2", "p1")):
        await fhir("PUT", f"/Observation/o{n}", observation(f"Patient/{of}", id=f"o{n}"))
    events = await receiver.until(2, "event-notification")
    focuses = [one.bundle["entry"][1]["fullUrl"].rsplit("/", 1)[1] for one in events]
    assert focuses == ["o1", "o3"]
    assert [one.numbers for one in events] == [[1], [2]], "nobody can count what is hidden"


async def test_events_asked_for_again_are_those_the_asker_may_read(
    fhir: Fhir, receiver: Receiver, worker: None
) -> None:
    id_ = await active(fhir, wish(receiver.url))
    await fhir("POST", "/Observation", observation())
    await receiver.until(1, "event-notification")
    other = await fhir("GET", f"/Subscription/{id_}/$events", token="chu")
    assert other.status_code == 404
    own = (await fhir("GET", f"/Subscription/{id_}/$events")).json()
    assert numbers_of(own) == [1]


async def test_each_delivery_leaves_an_entry_before_it_leaves_the_house(
    fhir: Fhir, receiver: Receiver, worker: None, database: Database
) -> None:
    seen: list[int] = []

    async def counting(one: Received) -> int:
        async with database.reading() as tx:
            seen.append(
                await tx.fetchval(
                    "select count(*) from journal.entry where action = 'FHIR notification' "
                    "and detail->>'what' = $1",
                    one.kind,
                )
            )
        return 200

    receiver.answers = counting
    id_ = await active(fhir, wish(receiver.url))
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    await fhir("POST", "/Observation", observation())
    await receiver.until(1, "event-notification")
    assert seen == [1, 1]
    async with database.reading() as tx:
        entry = await tx.fetchrow(
            "select actor, patient, resource from journal.entry "
            "where action = 'FHIR notification' and detail->>'what' = 'event-notification'"
        )
    assert tuple(entry) == ("client:all", "p1", f"Subscription/{id_}")


async def test_header_secrets_are_never_shown_and_survive_an_update(
    fhir: Fhir, receiver: Receiver, worker: None, database: Database
) -> None:
    id_ = await active(fhir, wish(receiver.url, header=["Authorization: Bearer secret-7"]))
    shown = (await fhir("GET", f"/Subscription/{id_}")).json()
    assert shown["channel"]["header"] == ["Authorization: ********"]
    async with database.reading() as tx:
        for table in ("record.resource", "record.history"):
            found = await tx.fetchval(f"select count(*) from {table} where body like '%secret-7%'")
            assert found == 0
    changed = {**shown, "reason": "still needed"}
    assert (await fhir("PUT", f"/Subscription/{id_}", changed)).status_code == 200
    await fhir("POST", "/Observation", observation())
    (event,) = await receiver.until(1, "event-notification")
    assert event.headers["authorization"] == "Bearer secret-7"


async def test_whoever_rewrites_a_subscription_becomes_its_owner(
    fhir: Fhir, receiver: Receiver, worker: None, database: Database
) -> None:
    async with receiving() as theirs:
        await two_houses(fhir, database)
        id_ = await active(fhir, wish(receiver.url))
        changed = wish(theirs.url, id=id_)
        answer = await fhir("PUT", f"/Subscription/{id_}", changed, token="chu")
        assert answer.status_code == 200, answer.text
        await theirs.until(1, "handshake")

        async def is_active() -> bool:
            return await status(fhir, id_) == "active"

        await until(is_active)
        await fhir("PUT", "/Observation/o1", observation("Patient/p2", id="o1"))
        await fhir("PUT", "/Observation/o2", observation("Patient/p1", id="o2"))
        (event,) = await theirs.until(1, "event-notification")
        assert event.bundle["entry"][1]["fullUrl"].endswith("/o2")
