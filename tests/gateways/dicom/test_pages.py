"""Does the interfaces page say how each machine that sends images is doing, and set it right?"""

import asyncio
import dataclasses
import re
import time

import pytest
from litestar import Request

from liane.access.actor import Actor, Role
from liane.base.errors import Invalid, NotFound
from liane.base.i18n import load_catalogues, translator
from liane.gateways.dicom import Source, declaring, file_object, pages, partners
from liane.gateways.dicom.listener import Peer
from liane.gateways.dicom.noticeboard import REASONS, UNREADABLE, Noticeboard
from liane.gateways.dicom.reads import health
from liane.rooms.imaging.values import Policy
from liane.ui.routing import Context
from liane.ui.templating import Templates
from tests.gateways.dicomweb.test_dicomweb import file_of

from .test_header import image

PACKAGES = ("liane.ui", "liane.rooms.imaging", "liane.gateways.dicom", "liane.gateways.hl7v2")
CATALOGUES = load_catalogues(PACKAGES)
IT = Actor("staff", "Practitioner/dsi", "Ada Réseau", (Role("dsi", "chu"),), login="dsi")
LAB = Actor("staff", "Practitioner/bio", "Bo Labo", (Role("biologiste", "chu"),), login="bio")
BOTH = Actor("staff", "Practitioner/x", "Ida Deux", (Role("dsi", "chu"), Role("secretaire", "chu")))
CT = {
    "id": "scanner-1",
    "name": "Scanner 1",
    "allowed": "on",
    "addresses": "127.0.0.0/8\n::1",
    "titles": "DCMTK\nCT 1",
    "called": "LIANE",
    "unknown_patient": "hold",
    "authorities": "CHU = urn:oid:1.2.250.1.999.1.1\n= urn:oid:1.2.250.1.999.1.2",
}


async def page(services, handler, *args, actor=IT, form=None, language="fr", fragment=True):
    headers = [(b"hx-request", b"true")] if fragment else []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/interfaces/dicom",
        "headers": headers,
        "query_string": b"",
    }
    ready = dataclasses.replace(services, templates=Templates(PACKAGES), catalogues=CATALOGUES)
    async with services.database.transaction() as tx:
        t = translator(language, CATALOGUES)
        context = Context(Request(scope), actor, tx, t, ready, csrf_token="secret-9", _form=form)
        return await handler(context, *args)


async def shown(services, *args, **options):
    return (await page(services, *args, **options)).content.decode()


async def declare(services, partner_id="new", **changes):
    return await page(services, pages.change_machine, partner_id, form={**CT, **changes})


def cells(html, machine="scanner-1"):
    row = re.search(rf'<tr data-key="machine-{machine}".*?</tr>', html, re.DOTALL)[0]
    return [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", row)]


async def arrive(services, n=1, study="1.2.3", number="90009", **words):
    data = image(
        PatientID=number, IssuerOfPatientID="CHU", PatientName="SECRET^CLAIRE",
        StudyInstanceUID=study, SeriesInstanceUID=f"{study}.1", SOPInstanceUID=f"{study}.1.{n}",
        **words,
    )  # fmt: skip
    authorities = partners.GROUP_AUTHORITIES
    source = Source(
        partners.partner_actor("scanner-1"), Policy("Scanner 1", "hold", authorities=authorities)
    )
    return await file_object(services, file_of(data), source=source)


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_a_machine_is_told_with_its_rate_and_what_waits_in_plain_words(services, language):
    await declare(services)
    silent = await shown(services, pages.machines, language=language)
    assert cells(silent)[0] == ("Jamais entendue" if language == "fr" else "Never heard")
    for n in range(1, 6):
        await arrive(services, n)
    html = await shown(services, pages.machines, language=language)
    state, rate, received, waiting, refused, *_ = cells(html)
    assert state == ("Images à traiter" if language == "fr" else "Images to see to")
    assert (rate, received, waiting, refused) == ("1", "5", "5", "0")
    words = "Le numéro de patient n’est pas connu ici" if language == "fr" else "not known here"
    assert words in html
    assert "SECRET" not in html
    assert "90009" not in html


async def test_a_machine_whose_images_find_their_charts_is_well(services, person):
    await declare(services)
    await person("90009", "SECRET")
    await arrive(services)
    html = await shown(services, pages.machines)
    assert cells(html)[0] == "Tout va bien"
    assert "Aucune image n&#39;attend" in html


async def test_images_kept_apart_are_counted_with_their_reason(services, person):
    await declare(services)
    await person("90009", "SECRET")
    await arrive(services)
    await arrive(services, InstanceNumber=7)
    html = await shown(services, pages.machines)
    assert cells(html)[3] == "1"
    assert "contenu différent" in html


async def test_only_those_who_mend_identities_are_led_to_the_waiting_images(services):
    await declare(services)
    await arrive(services)
    assert "/imaging/waiting" not in await shown(services, pages.machines)
    assert 'href="/imaging/waiting"' in await shown(services, pages.machines, actor=BOTH)
    reader = await shown(services, pages.machines, actor=LAB)
    assert "/interfaces/dicom/partners" not in reader


async def test_the_section_stands_alone_where_no_script_runs(services):
    html = await shown(services, pages.machines, fragment=False)
    assert "<html" in html
    assert 'data-live="interfaces"' in html
    assert "<html" not in await shown(services, pages.machines)


async def test_a_machine_turned_away_is_named_with_the_reason(port, dcmtk, tmp_path, services):
    file = tmp_path / "one.dcm"
    file.write_bytes(file_of(image()))
    await declare(services, "loopback", addresses="192.0.2.7")

    async def turned_away():
        code, _ = await dcmtk(port.number, file)
        return code != 0

    await port.until(turned_away, 30)

    async def told():
        html = await shown(services, pages.machines)
        return "Machine inconnue" in html and "DCMTK appelle LIANE" in html

    await port.until(told)


async def test_an_object_refused_counts_for_its_machine(port, dcmtk, tmp_path, services):
    file = tmp_path / "one.dcm"
    file.write_bytes(file_of(image(StudyInstanceUID="abc")))
    await dcmtk(port.number, file)

    async def told():
        return cells(await shown(services, pages.machines), "loopback")[4] == "1"

    await port.until(told)
    html = await shown(services, pages.machines)
    assert cells(html, "loopback")[0] == "Images à traiter"
    assert "study UID breaks the rules" in html


async def test_arrivals_are_announced_to_the_open_pages_at_most_once_a_second(services):
    board = Noticeboard(services)
    telling, began = asyncio.create_task(board.run()), time.monotonic()
    for _ in range(12):
        for _ in range(20):
            board.arrived()
        await asyncio.sleep(0.1)
    telling.cancel()
    lasted_seconds = time.monotonic() - began
    async with services.database.reading() as tx:
        told = await tx.fetch("select facts from record.change where type = 'interfaces'")
    assert 1 <= len(told) <= lasted_seconds + 1
    assert "interfaces" in str(told[0]["facts"])


async def test_a_flood_of_refusals_is_a_few_rows_and_no_refusal_of_a_known_kind_is_forgotten(
    services,
):
    board = Noticeboard(services)
    for n in range(2000):
        board.refused(Peer(f"192.0.2.{n % 4}", f"<b>{n}", "LIANE"), UNREADABLE, "truncated")
    await board.tell()
    for n in range(8):
        board.refused(Peer(f"192.0.2.{n % 4}", "<b>x", "LIANE"), UNREADABLE, "truncated")
    await board.tell(forget=True)
    async with services.database.reading() as tx:
        rows = await tx.fetch("select sum(times) as times from imaging.refusal group by address")
    assert [row["times"] for row in rows] == [502] * 4
    html = await shown(services, pages.machines)
    assert "<b>x" not in html
    assert "&lt;b&gt;x appelle LIANE" in html
    for n in range(5000):
        board.refused(Peer(f"2001:db8::{n:x}", "X", "LIANE"), UNREADABLE)
    assert len(board._refused) <= 500


async def test_settings_are_saved_journaled_and_followed(services):
    answer = await declare(services)
    assert answer.status_code == 303
    [known] = await partners.load(services.database)
    assert known.titles == ("DCMTK", "CT 1")
    assert known.policy.unknown_patient == "hold"
    assert known.policy.authorities[""] == "urn:oid:1.2.250.1.999.1.2"
    assert known.matches(Peer("127.0.0.1", "CT 1", "LIANE"))

    await declare(
        services, "scanner-1", name="Autre nom", unknown_patient="provisional", quarantine="on"
    )
    [known] = await partners.load(services.database)
    assert known.policy.source == "Scanner 1"
    assert (known.policy.unknown_patient, known.policy.quarantine) == ("provisional", True)
    form = await shown(services, pages.machine, "scanner-1")
    assert 'name="csrf" value="secret-9"' in form
    assert "CT 1" in form
    assert re.search(r'name="quarantine" checked', form)

    await declare(services, "scanner-1", allowed="")
    assert await partners.load(services.database) == ()
    html = await shown(services, pages.machines)
    assert cells(html)[0] == "Suspendue"
    async with services.database.reading() as tx:
        entries = await tx.fetch(
            "select detail from journal.entry where action = 'change DICOM partner settings' order by at"
        )
    assert len(entries) == 3
    assert "quarantine" in str(entries[1]["detail"])


async def test_settings_that_make_no_sense_are_refused_in_words_and_what_was_typed_stays(services):
    for form, words in (
        ({"addresses": "zut"}, "ni un réseau"),
        ({"addresses": "0.0.0.0/0"}, "monde entier"),
        ({"titles": "DIX-SEPT-CARACTERES"}, "titre AE"),
        ({"called": "à\\b"}, "titre AE"),
        ({"authorities": "CHU"}, "émetteur = système"),
        ({"id": "Pas Bon"}, "Le code"),
        ({"id": "new"}, "Le code"),
        ({"name": " "}, "un nom"),
    ):
        answer = await declare(services, **form)
        assert answer.status_code == 400
        html = answer.content.decode()
        assert words in html
        assert "CT 1" in html or "titles" in form
    async with services.database.reading() as tx:
        assert await declaring.declared(tx) == []
    await declare(services)
    assert "déjà pris" in (await declare(services)).content.decode()
    assert (
        "porte déjà ce nom" in (await declare(services, id="b", name="SCANNER 1")).content.decode()
    )
    with pytest.raises(NotFound):
        await page(services, pages.machine, "personne")
    with pytest.raises(Invalid):
        declaring.declared_from({"addresses": "x"}, "a", "A")
    assert "Nouvelle machine" in await shown(services, pages.machine, "new")


def test_what_people_must_see_to_goes_first():
    from datetime import UTC, datetime, timedelta

    now = datetime(2026, 1, 2, 12, tzinfo=UTC)
    told = {"allowed": True, "reachable": True, "last": now, "troubles": 0, "now": now}
    assert health(**told) == "ok"
    assert health(**{**told, "last": now - timedelta(hours=25)}) == "quiet"
    assert health(**{**told, "last": None}) == "silent"
    assert health(**{**told, "last": None, "troubles": 1}) == "attention"
    assert health(**{**told, "reachable": False, "troubles": 1}) == "closed"
    assert health(**{**told, "allowed": False, "troubles": 1}) == "suspended"


def test_every_reason_and_state_has_its_words():
    assert set(CATALOGUES["fr"]) == set(CATALOGUES["en"])
    for reason in REASONS:
        assert f"dicom.refused.{reason}" in CATALOGUES["fr"]
    for state in ("ok", "attention", "quiet", "silent", "closed", "suspended"):
        assert f"dicom.health.{state}" in CATALOGUES["fr"]
