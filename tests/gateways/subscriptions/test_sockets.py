"""WebSocket: a token opens it, it greets, tells what was not told yet, and follows the newest."""

from __future__ import annotations

import asyncio
import json

import pytest
import websockets

from liane.gateways.subscriptions import owners
from liane.gateways.subscriptions.owners import Standing
from liane.store import Database
from tests.gateways.fhir.conftest import observation
from tests.gateways.subscriptions.conftest import (
    OURS,
    Site,
    numbers_of,
    serving_site,
    status_of,
    until,
    wish,
)

pytestmark = pytest.mark.enable_socket


async def made(site: Site, **changes) -> str:
    body = wish("", kind="websocket", **changes)
    resource = await site.ask("POST", "/Subscription", body)
    assert resource["status"] == "active"
    return resource["id"]


async def bound(site: Site, id_: str):
    token, url = await site.binding(id_)
    line = await websockets.connect(url, open_timeout=20)
    await line.send(f"bind-with-token {token}")
    return line


async def heard(line) -> dict:
    return json.loads(await asyncio.wait_for(line.recv(), 20))


async def test_a_socket_is_greeted_then_told_each_event_in_order(site: Site, worker: None) -> None:
    id_ = await made(site, content="full-resource")
    line = await bound(site, id_)
    hello = await heard(line)
    assert status_of(hello)["type"] == ["handshake"]
    for value in ("1", "2", "3"):
        await site.ask("POST", "/Observation", observation(valueString=value))
    events = [await heard(line) for _ in range(3)]
    assert [numbers_of(one) for one in events] == [[1], [2], [3]]
    assert [one["entry"][1]["resource"]["valueString"] for one in events] == ["1", "2", "3"]
    await line.close()


async def test_what_happened_without_a_socket_is_told_when_one_opens(
    site: Site, worker: None
) -> None:
    id_ = await made(site, max_count=10)
    for _ in range(4):
        await site.ask("POST", "/Observation", observation())

    async def numbered() -> bool:
        told = await site.ask("GET", f"/Subscription/{id_}/$status")
        return status_of({"entry": told["entry"]})["events-since-subscription-start"] == ["4"]

    await until(numbered)
    line = await bound(site, id_)
    assert status_of(await heard(line))["events-since-subscription-start"] == ["4"]
    assert numbers_of(await heard(line)) == [1, 2, 3, 4]
    await line.close()


async def test_a_token_opens_one_socket_only_and_a_false_one_none(site: Site, worker: None) -> None:
    id_ = await made(site)
    token, url = await site.binding(id_)
    for wrong in ("bind-with-token wrong", f"bind {id_}"):
        async with websockets.connect(url) as line:
            await line.send(wrong)
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await line.recv()
            assert closed.value.rcvd.code == 4401
    async with websockets.connect(url) as line:
        await line.send(f"bind-with-token {token}")
        await heard(line)
    async with websockets.connect(url) as line:
        await line.send(f"bind-with-token {token}")
        with pytest.raises(websockets.ConnectionClosed):
            await line.recv()


async def test_the_newest_socket_takes_over_even_on_another_node(
    site: Site,
    worker: None,
    database: Database,
    blobs,
    tmp_path,
    standings: dict[str, Standing],
) -> None:
    id_ = await made(site)
    old = await bound(site, id_)
    await heard(old)
    async with serving_site(database, blobs, tmp_path, standings) as other:
        new = await bound(other, id_)
        await heard(new)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await asyncio.wait_for(old.recv(), 20)
        assert closed.value.rcvd.code == 4409
        await site.ask("POST", "/Observation", observation())
        assert numbers_of(await heard(new)) == [1]
        await new.close()


async def test_who_loses_the_right_is_cut_off_and_told_nothing(
    site: Site, worker: None, standings: dict[str, Standing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owners, "CACHE_SECONDS", 0.0)
    id_ = await made(site)
    line = await bound(site, id_)
    await heard(line)
    del standings["all"]
    await site.ask("POST", "/Observation", observation())
    with pytest.raises(websockets.ConnectionClosed) as closed:
        await heard(line)
    assert closed.value.rcvd.code == 4404
    told = await site.ask("GET", f"/Subscription/{id_}/$status")
    assert status_of(told)["status"] == ["off"]


async def test_a_heartbeat_says_that_nothing_has_happened(site: Site, worker: None) -> None:
    id_ = await made(site, heartbeat=1)
    line = await bound(site, id_)
    await heard(line)
    beat = await heard(line)
    assert status_of(beat)["type"] == ["heartbeat"]
    assert numbers_of(beat) == []
    await line.close()


async def test_a_plain_subscription_is_pinged(site: Site, worker: None) -> None:
    body = wish("", topic="Observation?code=http://loinc.org|2823-3", kind="websocket")
    del body["channel"]["_payload"]
    id_ = (await site.ask("POST", "/Subscription", body))["id"]
    _, url = await site.binding(id_)
    async with websockets.connect(url, additional_headers={"Authorization": "Bearer all"}) as line:
        await line.send(f"bind {id_}")
        assert await line.recv() == f"bound {id_}"
        await site.ask("POST", "/Observation", observation())
        assert await asyncio.wait_for(line.recv(), 20) == f"ping {id_}"


async def test_several_subscriptions_share_a_socket(site: Site, worker: None) -> None:
    first, second = await made(site), await made(site, topic=OURS + "Patient")
    found = await site.ask("GET", f"/Subscription/$get-ws-binding-token?id={first}&id={second}")
    values = {
        one["name"]: one.get("valueString") or one.get("valueUrl") for one in found["parameter"]
    }
    async with websockets.connect(values["websocket-url"]) as line:
        await line.send(f"bind-with-token {values['token']}")
        greeted = {status_of(await heard(line))["subscription"][0]["reference"] for _ in range(2)}
        assert {one.rsplit("/", 1)[1] for one in greeted} == {first, second}
