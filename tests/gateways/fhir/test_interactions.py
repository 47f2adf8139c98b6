"""Promise: the FHIR door behaves as R4 says, asks for a right each time, and leaves its trace."""

from __future__ import annotations

import gzip

import asyncpg
import pytest

from tests.gateways.fhir.conftest import Fhir, observation, patient


async def test_metadata_and_smart_configuration_are_public_and_nothing_else(fhir: Fhir) -> None:
    statement = await fhir("GET", "/metadata", token="")
    assert statement.status_code == 200
    assert len(statement.json()["rest"][0]["resource"]) == 146
    smart = await fhir("GET", "/.well-known/smart-configuration", token="")
    assert smart.json()["token_endpoint"].endswith("/id/o/token/")
    for path in ("/Patient", "/Patient/1", "/_history", "/", "/Patient/1/$everything", "/x/y/z"):
        refused = await fhir("GET", path, token="")
        assert refused.status_code == 401, path
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert refused.json()["issue"][0]["code"] == "login"
        assert (await fhir("GET", path, token="wrong")).status_code == 401


async def test_create_read_and_version(fhir: Fhir) -> None:
    text = b'{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":72.50}}'
    made = await fhir("POST", "/Observation", text)
    assert made.status_code == 201
    assert made.headers["etag"] == 'W/"1"'
    location = made.headers["location"]
    assert location.endswith("/_history/1")
    path = location.partition("/fhir")[2]
    read = await fhir("GET", path.removesuffix("/_history/1"))
    assert read.status_code == 200
    assert b'"value":72.50' in read.content
    assert (await fhir("GET", path)).content == read.content
    fresh = await fhir("GET", path.removesuffix("/_history/1"), If_None_Match='W/"1"')
    assert fresh.status_code == 304


async def test_an_id_in_a_created_resource_is_not_kept(fhir: Fhir) -> None:
    made = await fhir("POST", "/Patient", patient(id="chosen"))
    assert made.json()["id"] != "chosen"


async def test_update_as_create_then_update_then_conflict(fhir: Fhir) -> None:
    assert (await fhir("PUT", "/Patient/p1", patient(id="p1"))).status_code == 201
    changed = patient(id="p1", gender="female")
    second = await fhir("PUT", "/Patient/p1", changed, If_Match='W/"1"')
    assert (second.status_code, second.headers["etag"]) == (200, 'W/"2"')
    late = await fhir("PUT", "/Patient/p1", patient(id="p1", gender="male"), If_Match='W/"1"')
    assert late.status_code == 412
    same = await fhir("PUT", "/Patient/p1", changed)
    assert same.headers["etag"] == 'W/"2"'
    assert (await fhir("PUT", "/Patient/p1", patient(id="p2"))).status_code == 400
    assert (await fhir("PUT", "/Patient/p1", patient(id="p1"), If_Match="x")).status_code == 400


async def test_delete_then_gone_and_history_stays(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    assert (await fhir("DELETE", "/Patient/p1")).status_code == 204
    assert (await fhir("DELETE", "/Patient/p1")).status_code == 204
    assert (await fhir("DELETE", "/Patient/never")).status_code == 204
    gone = await fhir("GET", "/Patient/p1")
    assert gone.status_code == 410
    assert (await fhir("GET", "/Patient/p1/_history/1")).status_code == 200
    history = (await fhir("GET", "/Patient/p1/_history")).json()
    methods = [entry["request"]["method"] for entry in history["entry"]]
    assert methods == ["DELETE", "POST"]
    assert (await fhir("GET", "/Patient/never")).status_code == 404
    back = await fhir("PUT", "/Patient/p1", patient(id="p1"))
    assert (back.status_code, back.headers["etag"]) == (201, 'W/"3"')


async def test_history_pages_without_loss(fhir: Fhir) -> None:
    for number in range(7):
        await fhir("PUT", "/Patient/p1", patient(id="p1", multipleBirthInteger=number))
    seen = []
    address = "/Patient/p1/_history?_count=3"
    while address:
        page = (await fhir("GET", address)).json()
        seen += [entry["resource"]["meta"]["versionId"] for entry in page["entry"]]
        links = {link["relation"]: link["url"] for link in page["link"]}
        address = links.get("next", "").partition("/fhir")[2]
    assert seen == ["7", "6", "5", "4", "3", "2", "1"]
    whole = (await fhir("GET", "/_history?_count=100")).json()
    assert len(whole["entry"]) == 7


async def test_conditional_create(fhir: Fhir) -> None:
    condition = {"If_None_Exist": "identifier=urn:test:ipp|1"}
    assert (await fhir("POST", "/Patient", patient(), **condition)).status_code == 201
    again = await fhir("POST", "/Patient", patient(), **condition)
    assert again.status_code == 200
    await fhir("POST", "/Patient", patient())
    assert (await fhir("POST", "/Patient", patient(), **condition)).status_code == 412


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"{", 400, "JSON"),
        (b"[]", 400, "JSON"),
        (b'{"resourceType":"Patient","gender":"homme"}', 422, "Patient.gender"),
        (b'{"resourceType":"Observation"}', 400, "Patient"),
        (b'{"resourceType":"Patient","id":"1","id":"2"}', 400, "id"),
        (b"", 400, "corps"),
    ],
)
async def test_wrong_bodies_are_refused_with_a_reason(
    fhir: Fhir, body: bytes, status: int, text: str
) -> None:
    refused = await fhir("POST", "/Patient", body)
    assert refused.status_code == status
    outcome = refused.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert text in outcome["issue"][0]["diagnostics"]


async def test_messages_follow_the_reader_s_language(fhir: Fhir) -> None:
    english = await fhir("POST", "/Patient", b"", Accept_Language="en")
    assert "expected" in english.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/Zorro", 404),
        ("GET", "/Patient/a b", 400),
        ("GET", "/Patient/1/_history/x", 404),
        ("POST", "/Patient/1", 405),
        ("PATCH", "/Patient/1", 404),
        ("DELETE", "/Patient", 405),
        ("GET", "/Patient/$unknown", 405),
        ("GET", "/Patient/1/$unknown", 405),
        ("GET", "/_unknown", 404),
        ("GET", "/Patient?zorro=1", 400),
        ("GET", "/Patient?_format=turtle", 406),
        ("GET", "/Patient/1/2/3/4/5", 405),
        ("GET", "/Patient/1?zorro=1", 400),
    ],
)
async def test_wrong_addresses(fhir: Fhir, method: str, path: str, status: int) -> None:
    body = patient() if method in ("POST", "PATCH") else None
    assert (await fhir(method, path, body)).status_code == status


async def test_d3a_compressed_bodies_are_inflated_within_limits(fhir: Fhir) -> None:
    good = gzip.compress(b'{"resourceType":"Patient"}')
    assert (await fhir("POST", "/Patient", good, Content_Encoding="gzip")).status_code == 201
    bomb = gzip.compress(bytes(80_000_000))
    refused = await fhir("POST", "/Patient", bomb, Content_Encoding="gzip")
    assert refused.status_code == 413
    broken = await fhir("POST", "/Patient", good[:20], Content_Encoding="gzip")
    assert broken.status_code == 400


async def test_prefer_minimal_leaves_the_body_out(fhir: Fhir) -> None:
    made = await fhir("POST", "/Patient", patient(), Prefer="return=minimal")
    assert (made.status_code, made.content) == (201, b"")


async def test_scopes_are_held_for_each_interaction(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    await fhir("PUT", "/Observation/o1", observation(id="o1"))
    assert (await fhir("GET", "/Observation/o1", token="reader")).status_code == 200
    assert (await fhir("GET", "/Observation?code=2823-3", token="reader")).status_code == 200
    for method, path, body in (
        ("GET", "/Patient/p1", None),
        ("GET", "/Patient", None),
        ("POST", "/Observation", observation()),
        ("PUT", "/Observation/o1", observation(id="o1")),
        ("DELETE", "/Observation/o1", None),
        ("GET", "/Patient/p1/$everything", None),
        ("GET", "/_history", None),
    ):
        refused = await fhir(method, path, body, token="reader")
        assert refused.status_code == 403, (method, path)


async def test_an_included_patient_needs_its_own_scope(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    await fhir("PUT", "/Observation/o1", observation(id="o1"))
    address = "/Observation?code=2823-3&_include=Observation:patient"
    both = (await fhir("GET", address)).json()
    assert {e["search"]["mode"] for e in both["entry"]} == {"match", "include"}
    one = (await fhir("GET", address, token="reader")).json()
    assert {e["resource"]["resourceType"] for e in one["entry"]} == {"Observation"}


async def test_staff_and_limited_programs_see_nobody_without_a_tie(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    await fhir("PUT", "/Observation/o1", observation(id="o1"))
    for token in ("nurse", "chu"):
        assert (await fhir("GET", "/Observation/o1", token=token)).status_code == 404
        assert (await fhir("GET", "/Patient/p1/$everything", token=token)).status_code == 404
        assert (await fhir("GET", "/Observation/o1/_history", token=token)).status_code == 404
        assert (await fhir("GET", "/Observation/_history", token=token)).status_code == 403
        found = await fhir("GET", "/Observation?code=2823-3", token=token)
        assert found.json().get("entry", []) == []
        moved = observation("Patient/other", id="o1")
        assert (await fhir("PUT", "/Observation/o1", moved, token=token)).status_code == 403
        assert (await fhir("DELETE", "/Observation/o1", token=token)).status_code == 404
        assert (await fhir("POST", "/Observation", observation(), token=token)).status_code == 403
    organization = {"resourceType": "Organization", "name": "x"}
    assert (await fhir("POST", "/Organization", organization, token="nurse")).status_code == 403


async def test_every_read_and_refusal_is_in_the_journal(fhir: Fhir, test_database) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    await fhir("PUT", "/Observation/o1", observation(id="o1"))
    await fhir("GET", "/Observation/o1")
    await fhir("GET", "/Observation?code=2823-3")
    await fhir("GET", "/Observation/o1", token="nurse")
    owner = await asyncpg.connect(test_database.owner_dsn)
    rows = await owner.fetch(
        "select actor, action, patient, outcome, detail from journal.entry order by at, id"
    )
    await owner.close()
    reads = [row for row in rows if row["action"] == "FHIR GET"]
    assert [(row["actor"], row["patient"], row["outcome"]) for row in reads] == [
        ("client:all", "p1", "ok"),
        ("client:all", "p1", "ok"),
        ("nurse", None, "refused"),
    ]
    assert not any("2823-3" in str(row["detail"]) for row in reads)
    assert sum(row["action"] == "write" for row in rows) == 2


async def test_everything_of_a_patient(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    for number in range(5):
        await fhir("PUT", f"/Observation/o{number}", observation(id=f"o{number}"))
    await fhir("PUT", "/Observation/other", observation("Patient/p2", id="other"))
    page = (await fhir("GET", "/Patient/p1/$everything?_count=4")).json()
    address = next(link["url"] for link in page["link"] if link["relation"] == "next")
    rest = (await fhir("GET", address.partition("/fhir")[2])).json()
    ids = [entry["resource"]["id"] for entry in page["entry"] + rest["entry"]]
    assert ids == ["p1", "o0", "o1", "o2", "o3", "o4"]
    few = (await fhir("GET", "/Patient/p1/$everything?_type=Patient")).json()
    assert len(few["entry"]) == 1
    assert (await fhir("GET", "/Patient/none/$everything")).status_code == 404


async def test_conditional_update_keeps_signs_in_values_apart(fhir: Fhir) -> None:
    odd = {"system": "urn:x", "value": "a&b=c+d%20e"}
    address = "/Patient?identifier=urn:x%7Ca%26b%3Dc%2Bd%2520e"
    assert (await fhir("PUT", address, patient(identifier=[odd]))).status_code == 201
    again = await fhir("PUT", address, patient(identifier=[odd], active=True))
    assert (again.status_code, again.headers["etag"]) == (200, 'W/"2"')
