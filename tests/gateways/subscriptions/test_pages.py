"""The page for the IT department: who is told what, who fails, and a way to try again."""

from __future__ import annotations

import re
from typing import Any

import pytest
from litestar import Request

from liane.access.actor import Actor, Role
from liane.base.errors import NotFound
from liane.base.i18n import load_catalogues, translator
from liane.gateways.subscriptions import attempts, pages, topics
from liane.store import Database
from liane.ui.routing import Context
from liane.ui.services import Services
from liane.ui.templating import Templates
from tests.gateways.fhir.conftest import Fhir, observation
from tests.gateways.subscriptions.conftest import Received, Receiver, until, wish
from tests.gateways.subscriptions.test_rest_hook import active, status

pytestmark = pytest.mark.enable_socket
PACKAGES = ("liane.ui", "liane.gateways.subscriptions")
CATALOGUES = load_catalogues(PACKAGES)
IT = Actor("staff", "dsi", "Ada Réseau", (Role("dsi", "chu"),), login="dsi")
SECURITY = Actor("staff", "rssi", "Ola Sûr", (Role("rssi", "chu"),), login="rssi")


async def page(fhir: Any, handler: Any, *args: str, actor: Actor = IT, language: str = "fr") -> Any:
    scope: Any = {
        "type": "http",
        "method": "GET",
        "path": "/interfaces/subscriptions",
        "headers": [],
        "query_string": b"",
    }
    database, blobs, home, sessions = fhir
    services = Services(
        database=database,
        blobs=blobs,
        home=home,
        sessions=sessions,
        templates=Templates(PACKAGES),
        catalogues=CATALOGUES,
    )
    async with database.transaction() as tx:
        t = translator(language, CATALOGUES)
        context = Context(Request(scope), actor, tx, t, services, csrf_token="secret-9", _form={})
        return await handler(context, *args)


@pytest.fixture
def house(database: Database, blobs: Any, tmp_path: Any) -> Any:
    return database, blobs, tmp_path, None


@pytest.mark.parametrize(("language", "word"), [("fr", "En échec"), ("en", "Failing")])
async def test_a_failing_receiver_stands_first_with_its_reason_and_is_tried_again(
    fhir: Fhir,
    receiver: Receiver,
    worker: None,
    house: Any,
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    word: str,
) -> None:
    monkeypatch.setattr(attempts, "BACK_OFF_SECONDS", (0.05, 0.05, 3600))
    works = False

    async def broken(one: Received) -> int:
        return 200 if works or one.kind == "handshake" else 503

    receiver.answers = broken
    secret = wish(receiver.url, filters=("Observation?patient=Patient/secret-1",))
    await active(fhir, secret)
    id_ = await active(fhir, wish(receiver.url))
    await fhir("POST", "/Observation", observation())

    async def in_error() -> bool:
        return await status(fhir, id_) == "error"

    await until(in_error)
    html = (await page(house, pages.subscriptions, language=language)).content.decode()
    first = re.search(r"<tr data-key.*?</tr>", html, re.DOTALL)[0]
    assert id_ in first
    assert word in first
    assert "503" in first
    # In the reader's language, with what to do.
    assert ("responsable" if language == "fr" else "whoever runs it") in first
    topic = "Observation"
    assert f'<th scope="row">{topic}' in first
    assert "secret-1" not in html
    assert "/again" in first
    plain = await page(house, pages.subscriptions, actor=SECURITY, language=language)
    assert "/again" not in plain.content.decode()
    works = True
    answer = await page(house, pages.again, id_, language=language)
    assert answer.status_code == 303
    (event,) = await receiver.until(1, "event-notification")
    assert event.numbers == [1]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_each_topic_of_ours_has_words(language: str) -> None:
    t = translator(language, CATALOGUES)
    for topic in topics.clinical():
        assert t.has(f"subscriptions.topic.{topic.url.removeprefix(topics.OURS)}"), topic.url


async def test_nobody_is_told_when_nobody_asked(house: Any) -> None:
    html = (await page(house, pages.subscriptions)).content.decode()
    assert "Aucun programme" in html
    with pytest.raises(NotFound):
        await page(house, pages.again, "nothing")
