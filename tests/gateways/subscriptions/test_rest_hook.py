"""Rest-hooks: greeted first, then told of each event once, in order, with its number."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from liane.fhir import json as fhir_json
from liane.gateways.subscriptions import Policy, attempts
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
    working,
)

pytestmark = pytest.mark.enable_socket


async def make(fhir: Fhir, body: dict, token: str = "all") -> dict:
    answer = await fhir("POST", "/Subscription", body, token=token)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def status(fhir: Fhir, id_: str) -> str:
    return (await fhir("GET", f"/Subscription/{id_}")).json()["status"]


async def active(fhir: Fhir, body: dict, token: str = "all") -> str:
    made = await make(fhir, body, token)

    async def is_active() -> bool:
        return await status(fhir, made["id"]) == "active"

    await until(is_active)
    return made["id"]


async def test_a_receiver_is_greeted_then_told_of_each_event_in_order(
    fhir: Fhir, receiver: Receiver, worker: None
) -> None:
    made = await make(fhir, wish(receiver.url))
    assert made["status"] == "requested"
    (hello,) = await receiver.until(1)
    assert hello.kind == "handshake"
    assert hello.status["status"] == ["requested"]
    assert hello.status["events-since-subscription-start"] == ["0"]

    async def is_active() -> bool:
        return await status(fhir, made["id"]) == "active"

    await until(is_active)
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    for _ in range(5):
        answer = await fhir("POST", "/Observation", observation())
        assert answer.status_code == 201
    events = await receiver.until(5, "event-notification")
    assert [one.numbers for one in events] == [[1], [2], [3], [4], [5]]
    first = events[0].bundle
    assert first["type"] == "history"
    assert first["entry"][1]["request"] == {"method": "POST", "url": "Observation"}
    assert "resource" not in first["entry"][1]
    assert events[0].headers["idempotency-key"] == f'"{made["id"]}/1-1"'
    history = (await fhir("GET", f"/Subscription/{made['id']}/_history")).json()
    assert [e["resource"]["status"] for e in history["entry"]] == ["active", "requested"]


async def test_full_content_shows_the_resource_as_it_was_at_the_event(
    fhir: Fhir, receiver: Receiver, worker: None
) -> None:
    await active(fhir, wish(receiver.url, content="full-resource", header=["X-Key: secret-7"]))
    body = observation(id="o1", valueQuantity={"value": 7.20, "unit": "mmol/L"})
    await fhir("PUT", "/Observation/o1", body)
    await fhir("PUT", "/Observation/o1", {**body, "status": "amended"})
    await fhir("DELETE", "/Observation/o1")
    events = await receiver.until(3, "event-notification")
    entries = [one.bundle["entry"][1] for one in events]
    assert [e["request"]["method"] for e in entries] == ["POST", "PUT", "DELETE"]
    assert [e.get("resource", {}).get("status") for e in entries] == ["final", "amended", None]
    assert events[0].headers["x-key"] == "secret-7"


async def test_empty_content_names_nothing(fhir: Fhir, receiver: Receiver, worker: None) -> None:
    await active(fhir, wish(receiver.url, content="empty"))
    await fhir("POST", "/Observation", observation())
    (event,) = await receiver.until(1, "event-notification")
    assert len(event.bundle["entry"]) == 1
    assert b"Observation/" not in event.body
    assert event.numbers == [1]


async def test_only_what_passes_every_filter_is_told(
    fhir: Fhir, receiver: Receiver, worker: None
) -> None:
    filters = ("Observation?code=http://loinc.org|2823-3", "Observation?value-quantity=gt5")
    await active(fhir, wish(receiver.url, filters=filters))
    for value in (4.9, 5.1):
        await fhir("POST", "/Observation", observation(valueQuantity={"value": value}))
    other = {"coding": [{"system": "http://loinc.org", "code": "1-1"}]}
    await fhir("POST", "/Observation", observation(code=other, valueQuantity={"value": 9}))
    await fhir("POST", "/Observation", observation(id="last", valueQuantity={"value": 6}))
    events = await receiver.until(2, "event-notification")
    assert [one.numbers for one in events] == [[1], [2]]


async def test_a_clinical_topic_sees_the_step_and_not_the_state(
    fhir: Fhir, receiver: Receiver, worker: None
) -> None:
    await active(fhir, wish(receiver.url, OURS + "admission"))
    stay = {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "planned",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
    }
    for status_ in ("planned", "in-progress", "in-progress", "finished"):
        changed = {**stay, "status": status_, "period": {"start": "2026-01-01"}}
        await fhir("PUT", "/Encounter/e1", changed)
    await fhir("PUT", "/Encounter/e2", {**stay, "id": "e2", "status": "in-progress"})
    events = await receiver.until(2, "event-notification")
    focuses = [one.bundle["entry"][1]["fullUrl"].rsplit("/", 1)[1] for one in events]
    assert focuses == ["e1", "e2"]


async def test_several_events_travel_together_when_asked(
    fhir: Fhir, receiver: Receiver, worker: None
) -> None:
    held = asyncio.Event()

    async def slowly(one: Received) -> int:
        if one.kind == "event-notification":
            await held.wait()
        return 200

    receiver.answers = slowly
    await active(fhir, wish(receiver.url, max_count=3, timeout=20))
    for _ in range(7):
        await fhir("POST", "/Observation", observation())
    held.set()
    async with asyncio.timeout(20):
        while sum(len(o.numbers) for o in receiver.got) < 7:
            await asyncio.sleep(0.05)
    batches = [one.numbers for one in receiver.got if one.kind == "event-notification"]
    assert [n for batch in batches for n in batch] == list(range(1, 8))
    assert max(map(len, batches)) == 3


async def test_a_plain_r4_subscription_sends_the_resource_itself(
    fhir: Fhir, receiver: Receiver, worker: None
) -> None:
    body = wish(receiver.url, topic="Observation?code=http://loinc.org|2823-3")
    del body["channel"]["_payload"]
    made = await make(fhir, body)
    assert made["status"] == "active"
    await fhir("PUT", "/Observation/o1", observation(id="o1"))
    (event,) = await receiver.until(1)
    assert (event.method, event.path) == ("PUT", "/hook/Observation/o1")
    assert fhir_json.loads(event.body)["resourceType"] == "Observation"


async def test_a_failing_receiver_is_seen_in_error_and_loses_nothing(
    fhir: Fhir, receiver: Receiver, worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "BACK_OFF_SECONDS", (0.05,))
    works = asyncio.Event()
    tried: list[str] = []

    async def broken(one: Received) -> int:
        if one.kind == "handshake" or works.is_set():
            return 200
        tried.append(one.headers["idempotency-key"])
        return 503

    receiver.answers = broken
    id_ = await active(fhir, wish(receiver.url))
    for _ in range(3):
        await fhir("POST", "/Observation", observation())

    async def in_error() -> bool:
        return await status(fhir, id_) == "error"

    await until(in_error)
    shown = (await fhir("GET", f"/Subscription/{id_}")).json()
    assert "503" in shown["error"]
    told = (await fhir("GET", f"/Subscription/{id_}/$status")).json()
    assert status_of(told)["status"] == ["error"]
    works.set()
    events = await receiver.until(3, "event-notification")
    assert [one.numbers for one in events] == [[1], [2], [3]]
    assert set(tried) == {f'"{id_}/1-1"'}

    async def is_active() -> bool:
        return await status(fhir, id_) == "active"

    await until(is_active)
    assert "error" not in (await fhir("GET", f"/Subscription/{id_}")).json()


async def test_a_receiver_that_is_gone_is_switched_off(
    fhir: Fhir, receiver: Receiver, worker: None
) -> None:
    async def gone(one: Received) -> int:
        return 200 if one.kind == "handshake" else 410

    receiver.answers = gone
    id_ = await active(fhir, wish(receiver.url))
    await fhir("POST", "/Observation", observation())

    async def is_off() -> bool:
        return await status(fhir, id_) == "off"

    await until(is_off)


async def test_dead_receivers_never_delay_another(
    fhir: Fhir, receiver: Receiver, worker: None
) -> None:
    async with receiving() as dead:
        held = asyncio.Event()

        async def silent(one: Received) -> int:
            if one.kind == "event-notification":
                await held.wait()
            return 200

        dead.answers = silent
        for _ in range(8):
            await active(fhir, wish(dead.url, timeout=30))
        await active(fhir, wish(receiver.url))
        for _ in range(20):
            await fhir("POST", "/Observation", observation())
        events = await receiver.until(20, "event-notification")
        assert [one.numbers[0] for one in events] == list(range(1, 21))
        assert not any(one.kind == "event-notification" for one in dead.got)
        held.set()


async def test_missed_events_are_asked_for_by_number(
    fhir: Fhir, receiver: Receiver, worker: None
) -> None:
    id_ = await active(fhir, wish(receiver.url))
    for n in range(4):
        await fhir("PUT", f"/Observation/o{n}", observation(id=f"o{n}"))
    await receiver.until(4, "event-notification")
    answer = await fhir(
        "GET",
        f"/Subscription/{id_}/$events?eventsSinceNumber=2&eventsUntilNumber=3&content=full-resource",
    )
    found = fhir_json.loads(answer.content)
    assert status_of(found)["type"] == ["query-event"]
    assert numbers_of(found) == [2, 3]
    assert [e["resource"]["id"] for e in found["entry"][1:]] == ["o1", "o2"]
    wrong = await fhir("GET", f"/Subscription/{id_}/$events?eventsSinceNumber=two")
    assert wrong.status_code == 400
    assert "eventsSinceNumber" in wrong.text


async def test_a_heartbeat_says_that_nothing_has_happened(
    fhir: Fhir, receiver: Receiver, worker: None
) -> None:
    await active(fhir, wish(receiver.url, heartbeat=1))
    (beat,) = (await receiver.until(1, "heartbeat"))[:1]
    assert beat.numbers == []
    assert beat.status["status"] == ["active"]


async def test_a_subscription_ends_when_it_said_it_would(
    fhir: Fhir, receiver: Receiver, worker: None, database: Database
) -> None:
    end = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    id_ = await active(fhir, wish(receiver.url, end=end))

    async def is_off() -> bool:
        return await status(fhir, id_) == "off"

    await until(is_off)


async def test_a_subscription_switched_off_or_deleted_is_told_nothing_more(
    fhir: Fhir, receiver: Receiver, worker: None
) -> None:
    kept, off, gone = [await active(fhir, wish(receiver.url)) for _ in range(3)]
    changed = (await fhir("GET", f"/Subscription/{off}")).json() | {"status": "off"}
    assert (await fhir("PUT", f"/Subscription/{off}", changed)).status_code == 200
    assert (await fhir("DELETE", f"/Subscription/{gone}")).status_code in (200, 204)
    for _ in range(3):
        await fhir("POST", "/Observation", observation())
    events = await receiver.until(3, "event-notification")
    assert {one.status["subscription"][0]["reference"].rsplit("/", 1)[1] for one in events} == {
        kept
    }


async def test_two_workers_share_the_work_and_double_nothing(
    fhir: Fhir,
    receiver: Receiver,
    worker: None,
    database: Database,
    policy: Policy,
    standings: dict[str, Standing],
) -> None:
    ids = [await active(fhir, wish(receiver.url)) for _ in range(6)]
    async with working(database, policy, standings):
        for n in range(15):
            await fhir("PUT", f"/Observation/o{n}", observation(id=f"o{n}"))
        await receiver.until(15 * len(ids), "event-notification")
    told: dict[str, list[tuple[int, str]]] = {id_: [] for id_ in ids}
    for one in receiver.got:
        if one.kind == "event-notification":
            id_ = one.status["subscription"][0]["reference"].rsplit("/", 1)[1]
            focus = one.bundle["entry"][1]["fullUrl"].rsplit("/", 1)[1]
            told[id_] += [(number, focus) for number in one.numbers]
    for events in told.values():
        assert events == [(n + 1, f"o{n}") for n in range(15)]


async def test_status_of_several_subscriptions(
    fhir: Fhir, receiver: Receiver, worker: None
) -> None:
    first, second = [await active(fhir, wish(receiver.url)) for _ in range(2)]
    gone = (await fhir("GET", f"/Subscription/{second}")).json() | {"status": "off"}
    await fhir("PUT", f"/Subscription/{second}", gone)
    both = (await fhir("GET", f"/Subscription/$status?id={first},{second}")).json()
    assert both["type"] == "searchset"
    assert both["total"] == 2
    parameters = {
        "resourceType": "Parameters",
        "parameter": [{"name": "status", "valueCode": "active"}],
    }
    lively = (await fhir("POST", "/Subscription/$status", parameters)).json()
    (entry,) = lively["entry"]
    assert status_of({"entry": [entry]})["subscription"][0]["reference"].endswith(first)
    assert (await fhir("GET", "/Subscription/nothing/$status")).status_code == 404
