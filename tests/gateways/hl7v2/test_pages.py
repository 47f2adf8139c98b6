"""Does the interfaces page say what happened, to those who may know it, and replay what failed?"""

from __future__ import annotations

import asyncio
import re

import pytest
from litestar import Request

from liane.access.actor import Actor, Role
from liane.base.errors import Invalid, NotFound
from liane.base.i18n import load_catalogues, translator
from liane.gateways.hl7v2 import pages, reads
from liane.ui.routing import Context
from liane.ui.templating import Templates

from .conftest import code
from .messages import adt, msh, oru, pid

PACKAGES = ("liane.ui", "liane.gateways.hl7v2")
CATALOGUES = load_catalogues(PACKAGES)
DSI = Actor("staff", "Practitioner/dsi", "Ada Réseau", (Role("dsi", "chu"),), login="dsi")
BIOLOGIST = Actor("staff", "Practitioner/bio", "Bo Labo", (Role("biologiste", "chu"),), login="bio")


def context(running, tx, actor=DSI, query="", form=None, language="fr"):
    import dataclasses

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/interfaces",
        "headers": [],
        "query_string": query.encode(),
    }
    services = dataclasses.replace(
        running.services, templates=Templates(PACKAGES), catalogues=CATALOGUES
    )
    return Context(
        request=Request(scope),
        actor=actor,
        tx=tx,
        t=translator(language, CATALOGUES),
        services=services,
        _form=form,
    )


async def page(running, handler, *args, **options):
    async with running.database.transaction() as tx:
        response = await handler(context(running, tx, **options), *args)
    return response.content.decode() if isinstance(response.content, bytes) else response


async def _some_messages(running):
    async with running.client() as sender:
        await sender.send(adt("A01", "p1", key="M1"))
        await sender.send(oru("p2"))
        await sender.send(msh("ORU^R01", "p3") + "\rOBR|1||||\r")
        await sender.send(msh("DFT^P03", "p4") + "\r" + pid() + "\r")
        assert code(await sender.send(b"n'importe quoi")) == "AR"


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_the_first_page_shows_partners_messages_and_reasons(running, language):
    await _some_messages(running)
    html = await page(running, pages.interfaces, language=language)
    assert "Simulateur de démonstration" in html
    for word in ("p1", "p2", "p3", "p4", "ADT^A01", "DFT^P03"):
        assert word in html
    said = "pas de segment PID" if language == "fr" else "no PID segment"
    assert said in html
    assert 'data-live="interfaces"' in html
    assert "127.0.0.1" in html


async def test_filters_narrow_the_list(running):
    await _some_messages(running)
    html = await page(running, pages.interfaces, query="state=failed")
    assert "p3" in html
    assert ">p1<" not in html
    html = await page(running, pages.interfaces, query="q=p2")
    assert ">p2<" in html
    assert ">p3<" not in html


async def test_a_message_is_explained_without_clinical_text_for_the_it_department(running):
    await _some_messages(running)
    [row] = await running.rows("where control_id = 'p2'")
    html = await page(running, pages.one_message, row["id"])
    assert "Application émettrice" in html
    assert "Numéro de l&#39;exécutant" in html or "Numéro de l'exécutant" in html
    assert "HIRONDELLE" not in html
    assert "4.2" not in re.sub(r"<svg.*?</svg>", "", html)
    assert "masqué" in html
    assert "Observation/" in html
    html = await page(running, pages.one_message, row["id"], actor=BIOLOGIST)
    assert "HIRONDELLE" in html
    assert "Valeurs de référence" in html


async def test_script_in_a_message_is_shown_as_text(running):
    evil = adt("A01", "x1", key="M1").replace("HIRONDELLE", "<script>alert(1)</script>")
    async with running.client() as sender:
        await sender.send(evil)
    [row] = await running.rows()
    html = await page(running, pages.one_message, row["id"], actor=BIOLOGIST)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html


async def test_a_message_that_could_not_be_applied_is_replayed_once_the_cause_is_gone(running):
    await _hold(running)
    async with running.client() as sender:
        assert code(await sender.send(oru("h1", ipp="90001"))) == "AE"
        [row] = await running.rows()
        assert (row["state"], row["reason_code"]) == ("held", "hl7v2.patient-unknown")
        await _hold(running, hold=False)
        async with running.database.transaction() as tx:
            form = {f"message-{row['id']}": "on", "csrf": "x"}
            answer = await pages.replay(context(running, tx, form=form))
            assert answer.status_code == 303
        await running.gateway.sweeper.sweep()
        [row] = await running.rows()
        assert row["state"] == "applied"
        # The sender that repeats the same message is now told so.
        assert code(await sender.send(oru("h1", ipp="90001"))) == "AA"
    assert len(await running.rows()) == 1
    assert len(await running.resources("Observation")) == 1


async def _hold(running, *, hold=True):
    form = {
        "name": "Laboratoire",
        "allowed": "on",
        "addresses": "127.0.0.1\n::1",
        "unknown_patient": "hold" if hold else "provisional",
        "authorities": "CHU = urn:oid:1.2.250.1.999.1.1",
        "quiet_minutes": "30",
    }
    async with running.database.transaction() as tx:
        await pages.change_partner(context(running, tx, form=form), "demo-loopback")
    await running.gateway.directory.refresh()


async def test_settings_are_checked_in_words(running):
    for form in ({"addresses": "pas une adresse"}, {"certificates": "abc"}, {"charset": "klingon"}):
        with pytest.raises(Invalid) as refusal:
            pages.partner_from(form, "labo")
        assert refusal.value.fr
    with pytest.raises(Invalid):
        pages.partner_from({}, "Pas Bon")
    html = await page(running, pages.change_partner, "demo-loopback", form={"addresses": "zut"})
    assert "ni un réseau" in html
    assert "demo-loopback" in await page(running, pages.partner, "demo-loopback")
    assert "Nouveau partenaire" in await page(running, pages.partner, "new")


async def test_replay_of_everything_that_waits_at_a_partner(running):
    await _hold(running)
    async with running.client() as sender:
        for n in range(3):
            assert code(await sender.send(oru(f"h{n}", ipp=f"9000{n}", order=f"L{n}"))) == "AE"
    await _hold(running, hold=False)
    async with running.database.transaction() as tx:
        await pages.replay(context(running, tx, form={"all_of": "demo-loopback"}))
    for _ in range(50):
        rows = await running.rows()
        if all(row["state"] == "applied" for row in rows):
            break
        await asyncio.sleep(0.1)
    assert [row["state"] for row in rows] == ["applied"] * 3


async def test_an_unknown_message_is_said_to_be_unknown(running):
    async with running.database.reading() as tx:
        with pytest.raises(NotFound):
            await reads.message(tx, "nobody")


def test_every_word_exists_in_both_languages():
    assert set(CATALOGUES["fr"]) == set(CATALOGUES["en"])
