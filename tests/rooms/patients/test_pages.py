"""Home, board, search and identity pages, as people open them."""

from __future__ import annotations

import re

import pytest
from tests.rooms.patients.ward_people import GAM, IPP_CHG, NOW, moved, person
from tests.rooms.patients.ward_site import OTHER, WARD, Ward

from liane.rooms import patients


async def test_the_board_shows_each_patient_once_with_allergies_not_recorded(ward: Ward) -> None:
    async with await ward.client("ide") as nurse:
        answer = await nurse.get(f"/units/{WARD}")
    assert answer.status_code == 200
    text = answer.text
    for name in ("DUBREUIL", "CACHÉE"):
        assert name in text
    assert text.count("Allergies non renseignées") == 3
    assert text.count("Homonyme proche") >= 2
    assert "2 à nettoyer" not in text


async def test_the_corridor_names_nobody_and_tells_nobody_apart(ward: Ward) -> None:
    async with await ward.client("ide") as nurse:
        text = (await nurse.get(f"/units/{WARD}", params={"mode": "couloir"})).text
    page = text[text.index('<ul class="tiles"') : text.index("</ul>")]
    for word in ("DUBREUIL", "MOREL", "CACHÉE", "1948", "Jeanne", "patient", "allerg", "protég"):
        assert word.lower() not in page.lower().replace("patients", "")
    tiles = re.findall(
        r"<li class=\"(tile[^\"]*)\"[^>]*><b class=\"bed\">([^<]*)</b>(.*?)</li>", page
    )
    assert len(tiles) == 3
    assert len({(kind, rest) for kind, _, rest in tiles}) == 1


async def test_the_secretary_sees_beds_and_names_and_nothing_of_care(ward: Ward) -> None:
    async with await ward.client("secretaire") as clerk:
        text = (await clerk.get(f"/units/{WARD}")).text
    assert "DUBREUIL" in text
    for word in ("llergie", "NEWS2", "hors bornes"):
        assert word not in text, word


async def test_another_unit_stays_shut(ward: Ward) -> None:
    async with await ward.client("ide", OTHER) as nurse:
        assert (await nurse.get(f"/units/{WARD}")).status_code == 403
        found = await nurse.get("/search", params={"q": "dubreuil"}, headers={"HX-Request": "true"})
        assert "DUBREUIL" not in found.text


async def test_the_ward_door_leads_to_the_own_unit(ward: Ward) -> None:
    async with await ward.client("ide") as nurse:
        answer = await nurse.get("/ward")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/units/{WARD}")
        assert f'href="/units/{WARD}"' in (await nurse.get("/ward?all=1")).text
        assert OTHER not in (await nurse.get("/ward?all=1")).text


@pytest.mark.parametrize(
    ("role", "says"),
    [
        ("ide", "DUBREUIL"),
        ("medecin", "DUBREUIL"),
        ("secretaire", "Identités à vérifier"),
        ("dsi", "/interfaces"),
    ],
)
async def test_each_profession_has_its_home(ward: Ward, role: str, says: str) -> None:
    async with await ward.client(role) as client:
        answer = await client.get("/")
    assert answer.status_code == 200
    assert says in answer.text


async def test_the_dsi_sees_no_patient_on_the_home_page(ward: Ward) -> None:
    async with await ward.client("dsi") as client:
        assert "DUBREUIL" not in (await client.get("/")).text
        assert (await client.get(f"/units/{WARD}")).status_code == 403
        assert (await client.get("/search?q=dubreuil")).status_code == 403


async def test_search_answers_lines_to_the_box_and_a_page_to_a_link(ward: Ward) -> None:
    async with await ward.client("ide") as nurse:
        part = await nurse.get("/search", params={"q": "dubrueil"}, headers={"HX-Request": "true"})
        whole = await nurse.get("/search", params={"q": "dubrueil"})
    assert "<html" not in part.text
    assert f'href="/patients/{ward.ids["jeanne"]}"' in part.text
    assert "309-1" in part.text
    assert "<html" in whole.text


async def test_names_are_escaped_wherever_they_are_shown(ward: Ward) -> None:
    bad = "<script>alert(1)</script>"
    database = ward.site.services.database
    async with database.transaction() as tx:
        known = await patients.register_identity(
            tx, GAM, person(family=bad, given=bad, ipp="66"), source="GAM", at=NOW
        )
        await patients.record_movement(
            tx,
            GAM,
            moved(known.patient_id, "A01", -1, venue="V66", key="66", unit="3101", bed=bad[:20]),
        )
    async with await ward.client("ide") as nurse, await ward.client("secretaire") as clerk:
        for answer in (
            await nurse.get(f"/units/{WARD}"),
            await nurse.get("/"),
            await nurse.get("/search", params={"q": bad}),
            await clerk.get(f"/patients/{known.patient_id}/identity"),
        ):
            assert answer.status_code == 200
            assert bad.lower() not in answer.text.lower()


def secret(text: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', text)
    assert found
    return found[1]


async def twice(ward: Ward) -> str:
    """Jeanne a second time, with the number of another establishment."""
    async with ward.site.services.database.transaction() as tx:
        again = await patients.register_identity(
            tx,
            GAM,
            person(
                ipp="77", system=IPP_CHG, family="DUBREUILLE", given="Jeanne", birth="1948-03-14"
            ),
            source="GAM-CHG",
            at=NOW,
        )
    return again.patient_id


async def test_the_clerk_compares_merges_and_takes_it_back(ward: Ward) -> None:
    other, jeanne = await twice(ward), ward.ids["jeanne"]
    async with await ward.client("secretaire") as clerk:
        identity = await clerk.get(f"/patients/{jeanne}/identity")
        assert "DUBREUILLE" in identity.text
        compare = await clerk.get(f"/patients/{jeanne}/compare/{other}")
        assert 'class="differs"' in compare.text
        form = {"csrf": secret(compare.text), "patient": jeanne, "other": other}
        wrong = await clerk.post(f"/patients/{jeanne}/merge", data=form | {"patient": other})
        assert wrong.status_code == 409
        assert (await clerk.post(f"/patients/{jeanne}/merge", data=form)).status_code == 303
        retired = await clerk.get(f"/patients/{other}/identity")
        assert "fusionnée" in retired.text
        merged = await clerk.get(f"/patients/{jeanne}/identity")
        action = re.search(r'action="(/patients/[^"]+/undo)"', merged.text)
        assert action
        undone = await clerk.post(action[1], data=form)
        assert undone.status_code == 303
        assert "Annulée" in (await clerk.get(f"/patients/{jeanne}/identity")).text


async def test_a_difference_is_taken_or_left_and_costs_the_validation(ward: Ward) -> None:
    jeanne = ward.ids["jeanne"]
    async with ward.site.services.database.transaction() as tx:
        await patients.register_identity(
            tx,
            GAM,
            person(ipp="1", family="DUBREUIL", given="Jeanne", birth="1948-03-15"),
            source="LABO",
            at=NOW,
        )
    async with await ward.client("secretaire") as clerk:
        text = (await clerk.get(f"/patients/{jeanne}/identity")).text
        assert "15/03/1948" in text
        action = re.search(r'action="(/patients/[^"]+/differences/[^"]+)"', text)
        assert action
        form = {"csrf": secret(text), "patient": jeanne, "decision": "take"}
        assert (await clerk.post(action[1], data=form)).status_code == 303
        after = (await clerk.get(f"/patients/{jeanne}/identity")).text
    assert "Écarts à régler" not in after
    assert "Identité provisoire" in after


async def test_the_clerk_validates_an_identity_on_a_document_seen(ward: Ward) -> None:
    other = await twice(ward)
    async with await ward.client("secretaire") as clerk:
        text = (await clerk.get(f"/patients/{other}/identity")).text
        form = {"csrf": secret(text), "patient": other, "proof": "PA"}
        unknown = await clerk.post(f"/patients/{other}/validate", data=form | {"proof": "XX"})
        assert unknown.status_code == 400
        assert (await clerk.post(f"/patients/{other}/validate", data=form)).status_code == 303
        assert "Identité validée" in (await clerk.get(f"/patients/{other}/identity")).text
    async with await ward.client("ide") as nurse:
        assert (await nurse.post(f"/patients/{other}/validate", data=form)).status_code == 403


async def test_people_declared_two_are_not_proposed_again(ward: Ward) -> None:
    other, jeanne = await twice(ward), ward.ids["jeanne"]
    async with await ward.client("secretaire") as clerk:
        text = (await clerk.get(f"/patients/{jeanne}/compare/{other}")).text
        form = {"csrf": secret(text), "patient": jeanne, "other": other}
        assert (await clerk.post(f"/patients/{jeanne}/distinct", data=form)).status_code == 303
        assert "Aucun doublon probable" in (await clerk.get(f"/patients/{jeanne}/identity")).text


async def test_a_nurse_says_a_bed_is_clean_and_cannot_touch_another_unit(ward: Ward) -> None:
    database = ward.site.services.database
    async with database.transaction() as tx:
        away = {"unit": "3102", "room": "1", "bed": "1"}
        await patients.record_movement(
            tx, GAM, moved(ward.ids["morel"], "A02", -1, venue="V2", key="m2", **away)
        )
        left = await tx.fetchval("select location from patients.bed where label = '309-2'")
    async with await ward.client("ide") as nurse:
        text = (await nurse.get(f"/units/{WARD}")).text
        assert "state-K" in text
        form = {"csrf": secret(text), "state": "U"}
        assert (await nurse.post(f"/units/{WARD}/beds/{left}", data=form)).status_code == 303
        assert "state-K" not in (await nurse.get(f"/units/{WARD}")).text
        assert (await nurse.post(f"/units/{OTHER}/beds/{left}", data=form)).status_code == 403
        bad = await nurse.post(f"/units/{WARD}/beds/{left}", data=form | {"state": "O"})
        assert bad.status_code == 400


async def test_every_page_speaks_english_too(ward: Ward) -> None:
    jeanne = ward.ids["jeanne"]
    async with await ward.client("secretaire") as clerk:
        for path in (
            "/",
            f"/units/{WARD}",
            "/ward?all=1",
            "/search?q=mo",
            "/identities",
            f"/patients/{jeanne}/identity",
        ):
            answer = await clerk.get(
                path, headers={"Accept-Language": "en"}, cookies={"liane_language": "en"}
            )
            assert answer.status_code == 200, path
            assert 'lang="en"' in answer.text, path
