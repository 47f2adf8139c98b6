"""Rest-hooks: greeted first, then told of each event once, in order, with its number."""

from __future__ import annotations

from tests.gateways.fhir.conftest import Fhir, observation, patient
from tests.gateways.subscriptions.conftest import Receiver, until, wish


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
