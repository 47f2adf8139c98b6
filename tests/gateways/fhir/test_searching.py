"""Searches through the door: pages both ways, several types, compartments, parts, explanations."""

from __future__ import annotations

from typing import Any

from liane.store import Database
from tests.gateways.fhir.conftest import Fhir, observation, patient


async def given(fhir: Fhir, count: int = 7) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    await fhir("PUT", "/Patient/p2", patient(id="p2"))
    for n in range(count):
        dated = observation(f"Patient/p{n % 2 + 1}", id=f"o{n}")
        await fhir(
            "PUT", f"/Observation/o{n}", dated | {"effectiveDateTime": f"2026-03-{n + 1:02}"}
        )


def ids(bundle: dict[str, Any]) -> list[str]:
    return [entry["resource"]["id"] for entry in bundle.get("entry", ())]


def links(bundle: dict[str, Any]) -> dict[str, str]:
    return {one["relation"]: one["url"].partition("/fhir")[2] for one in bundle["link"]}


async def test_pages_go_on_and_back_in_every_order(fhir: Fhir) -> None:
    await given(fhir)
    for order in ("-date", "date", "_id", "-_lastUpdated", "code,-_id", "-value-quantity,date"):
        forward, back = [], []
        address: str | None = f"/Observation?_count=3&_sort={order}"
        last = ""
        while address:
            page = (await fhir("GET", address)).json()
            forward.append(ids(page))
            last, address = links(page)["self"], links(page).get("next")
            assert "_cursor" not in links(page)["first"]
        address = last
        while address:
            page = (await fhir("GET", address)).json()
            back.append(ids(page))
            address = links(page).get("previous")
        assert sorted(id_ for page in forward for id_ in page) == [f"o{n}" for n in range(7)], order
        assert back == forward[::-1], order


async def test_a_page_that_has_begun_loses_nothing_while_others_write(fhir: Fhir) -> None:
    await given(fhir, 9)
    for order in ("-date", "date", "_id", "code,_id", "-_tag"):
        seen: list[str] = []
        address: str | None = f"/Observation?_count=2&_sort={order}"
        n = 0
        while address:
            page = (await fhir("GET", address)).json()
            seen += ids(page)
            n += 1
            later = observation("Patient/p1", id=f"x{order.strip('-_').replace(',', '.')}{n}")
            await fhir("PUT", f"/Observation/{later['id']}", later)
            unchanged = observation("Patient/p1", id="o4", status="amended")
            unchanged["effectiveDateTime"] = "2026-03-05"
            await fhir("PUT", "/Observation/o4", unchanged)
            address = links(page).get("next")
        assert len(seen) == len(set(seen)), order
        assert {f"o{k}" for k in range(9)} <= set(seen), order
        for name in [one for one in seen if one.startswith("x")]:
            await fhir("DELETE", f"/Observation/{name}")


async def test_several_types_and_compartments(fhir: Fhir) -> None:
    await given(fhir)
    both = (await fhir("GET", "?_type=Patient,Observation&_sort=_id&_total=accurate")).json()
    assert ids(both) == [*(f"o{n}" for n in range(7)), "p1", "p2"]
    assert both["total"] == 9
    tagged = await fhir("GET", "?_type=Patient,Observation&_lastUpdated=gt2020&_count=4")
    assert len(ids(tagged.json())) == 4
    assert "next" in links(tagged.json())
    mine = (await fhir("GET", "/Patient/p1/Observation?_sort=_id")).json()
    assert ids(mine) == ["o0", "o2", "o4", "o6"]
    whole = (await fhir("GET", "/Patient/p2/*?_sort=_id")).json()
    assert ids(whole) == ["o1", "o3", "o5", "p2"]
    assert (await fhir("GET", "/Patient/p1/Medication")).status_code == 400
    assert (await fhir("GET", "/Organization/x/Observation")).status_code == 400


async def test_search_by_post_means_the_same(fhir: Fhir) -> None:
    await given(fhir, 3)
    form = {"content_type": "application/x-www-form-urlencoded"}
    posted = await fhir("POST", "/Observation/_search?_sort=_id", b"patient=p1", **form)
    assert ids(posted.json()) == ["o0", "o2"]
    assert "/Observation?" in links(posted.json())["self"]
    system = await fhir("POST", "/_search", b"_type=Patient&_sort=_id", **form)
    assert ids(system.json()) == ["p1", "p2"]


async def test_a_reference_by_the_address_of_this_server_is_local(fhir: Fhir) -> None:
    await given(fhir, 3)
    base = (await fhir("GET", "/Observation?_count=1")).json()["link"][0]["url"]
    whole = base.partition("/Observation")[0] + "/Patient/p2"
    assert ids((await fhir("GET", f"/Observation?subject={whole}")).json()) == ["o1"]


async def test_the_summary_is_that_of_the_standard(fhir: Fhir) -> None:
    contact = [{"name": {"family": "Martin"}}]
    await fhir("PUT", "/Patient/p1", patient(id="p1", contact=contact, gender="male"))
    page = (await fhir("GET", "/Patient?_summary=true")).json()
    kept = set(page["entry"][0]["resource"])
    assert {"name", "gender", "identifier"} <= kept
    assert "contact" not in kept
    unknown = await fhir("GET", "/Patient?_elements=zorro")
    assert unknown.status_code == 400
    assert "zorro" in unknown.text


async def test_a_wrong_parameter_is_named_with_the_nearest(fhir: Fhir) -> None:
    for asked, told in (
        ("/Observation?cod=x", "code"),
        ("/Patient?brithdate=1950", "birthdate"),
        ("/Patient?name:exat=x", ":exact"),
        ("/Observation?date=yesterday", "2026-03"),
        ("/Observation?patient.nam=x", "name"),
        ("/Observation?_sort=zorro", "date"),
        ("/Observation?_include=Observation:zorro", "subject"),
        ("/Patient?_filter=name zz x", "sw"),
        ("/Patient?_total=some", "accurate"),
        ("/Patient?_has:Observation:zorro:code=x", "subject"),
    ):
        answer = await fhir("GET", asked)
        assert answer.status_code == 400, asked
        assert told in answer.text, asked


async def test_only_administrators_see_the_plan(fhir: Fhir) -> None:
    await given(fhir, 3)
    explained = await fhir("GET", "/Observation?patient=p1&code=718-7&_explain=true")
    told = {one["name"]: one for one in explained.json()["parameter"]}
    assert told["leader"]["valueString"] == "patient"
    assert "718-7" not in explained.text.partition('"plan"')[2]
    assert "resource" in told["index"]["valueString"]
    assert (await fhir("GET", "/Observation?_explain=true", token="reader")).status_code == 403
    assert (await fhir("GET", "/Observation?_explain=true", token="nurse")).status_code == 403


async def test_the_plan_over_several_types(fhir: Fhir) -> None:
    await given(fhir, 3)
    asked = "?_type=Observation,DiagnosticReport&code=718-7&_explain=true"
    explained = await fhir("GET", asked)
    assert explained.status_code == 200, explained.text
    told = {one["name"]: one for one in explained.json()["parameter"]}
    assert told["leader"]["valueString"] == "Observation: code, DiagnosticReport: code"
    assert told["index"]["valueString"]
    assert "record.ix where h = any" in told["sql"]["valueString"]
    assert "718-7" not in explained.text
    grouped = await fhir("GET", "?_type=Observation,Patient&_explain=true")
    assert grouped.json()["parameter"][0]["valueString"] == "_sort=-updated"
    assert (await fhir("GET", asked, token="nurse")).status_code == 403


async def test_a_token_for_one_type_infers_nothing_of_another(
    fhir: Fhir, database: Database
) -> None:
    await given(fhir, 2)
    seen = await fhir("GET", "/Observation?patient.name=dupont", token="reader")
    assert ids(seen.json()) == []
    neighbours = await fhir("GET", "/Observation?_include=Observation:subject", token="reader")
    assert all(one.startswith("o") for one in ids(neighbours.json()))
    whole = await fhir("GET", "?_type=Patient", token="reader")
    assert whole.status_code == 403


async def test_the_index_is_made_again_for_administrators_only(fhir: Fhir) -> None:
    assert (await fhir("POST", "/$reindex", token="nurse")).status_code == 403
    begun = await fhir("POST", "/$reindex?type=Patient")
    assert begun.status_code == 202
    state = (await fhir("GET", "/$reindex-status")).json()
    parts = {one["name"]: one for one in state["parameter"][0]["part"]}
    assert parts["state"]["valueCode"] == "waiting"
