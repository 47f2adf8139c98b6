"""Promise: every form of link and every verb of a transaction means what R4 says it means."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from liane.fhir import json as fhir_json
from tests.gateways.fhir.conftest import Fhir, observation, patient
from tests.gateways.fhir.test_bundles import bundle, entry

IPP = "identifier=urn:test:ipp|1"
LAB = "http://lab.example/fhir"


async def placed(fhir: Fhir, *entries: dict[str, Any]) -> list[dict[str, Any]]:
    """Send a transaction and read back what each entry has become."""
    done = await fhir("POST", "", bundle(*entries))
    assert done.status_code == 200, done.text
    found = []
    for one in done.json()["entry"]:
        address = one["response"]["location"].partition("/_history")[0]
        found.append((await fhir("GET", f"/{address}")).json())
    return found


@pytest.mark.parametrize(
    ("full_url", "link"),
    [
        (
            "urn:uuid:6f9619ff-8b86-d011-b42d-00cf4fc964ff",
            "urn:uuid:6f9619ff-8b86-d011-b42d-00cf4fc964ff",
        ),
        ("urn:oid:1.2.3", "urn:oid:1.2.3"),
        (f"{LAB}/Patient/77", f"{LAB}/Patient/77"),
        (f"{LAB}/Patient/77", "Patient/77"),
    ],
)
async def test_a_link_follows_the_resource_it_names(fhir: Fhir, full_url: str, link: str) -> None:
    who, what = await placed(
        fhir,
        entry("POST", "Patient", patient(), full_url),
        entry("POST", "Observation", observation(link), f"{LAB}/Observation/5"),
    )
    assert what["subject"]["reference"] == f"Patient/{who['id']}"


async def test_a_relative_link_to_what_is_not_in_the_bundle_stays(fhir: Fhir) -> None:
    _, what = await placed(
        fhir,
        entry("POST", "Patient", patient(), f"{LAB}/Patient/77"),
        entry("POST", "Observation", observation("Patient/77"), "urn:uuid:b"),
    )
    assert what["subject"]["reference"] == "Patient/77"


async def test_links_in_uris_and_narratives_follow_and_identifiers_stay(fhir: Fhir) -> None:
    name = "urn:uuid:6f9619ff-8b86-d011-b42d-00cf4fc964ff"
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{name}">x</a></div>'
    document = {
        "resourceType": "DocumentReference",
        "text": {"status": "generated", "div": div},
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": name}],
        "status": "current",
        "content": [{"attachment": {"url": name}}],
    }
    binary = {"resourceType": "Binary", "contentType": "text/plain", "data": "eA=="}
    content, told = await _both(fhir, binary, name, document)
    new = f"Binary/{content}"
    assert told["content"][0]["attachment"]["url"] == new
    assert f'href="{new}"' in told["text"]["div"]
    assert told["identifier"][0]["value"] == name


async def _both(
    fhir: Fhir, binary: dict[str, Any], name: str, document: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    sent = bundle(
        entry("POST", "Binary", binary, name), entry("POST", "DocumentReference", document)
    )
    done = (await fhir("POST", "", sent)).json()["entry"]
    first, second = (one["response"]["location"].partition("/_history")[0] for one in done)
    return first.partition("/")[2], (await fhir("GET", f"/{second}")).json()


async def test_a_conditional_link_may_name_what_the_bundle_makes(fhir: Fhir) -> None:
    who, what = await placed(
        fhir,
        entry("POST", "Patient", patient(), "urn:uuid:a", ifNoneExist=IPP),
        entry("POST", "Observation", observation(f"Patient?{IPP}")),
    )
    assert what["subject"]["reference"] == f"Patient/{who['id']}"
    again, _ = await placed(
        fhir,
        entry("POST", "Patient", patient(), "urn:uuid:a", ifNoneExist=IPP),
        entry("POST", "Observation", observation(f"Patient?{IPP}")),
    )
    assert again["id"] == who["id"]


def json_patch(*steps: dict[str, Any]) -> dict[str, Any]:
    data = base64.b64encode(fhir_json.dump_bytes(list(steps))).decode()
    return {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data}


def path_patch(name: str, value: dict[str, Any]) -> dict[str, Any]:
    part = [
        {"name": "type", "valueCode": "add"},
        {"name": "path", "valueString": "Patient"},
        {"name": "name", "valueString": name},
        {"name": "value", **value},
    ]
    return {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": part}]}


@pytest.mark.parametrize("kind", ["batch", "transaction"])
async def test_patches_in_a_bundle(fhir: Fhir, kind: str) -> None:
    for id_ in ("p1", "p2"):
        identifier = [{"system": "urn:test:ipp", "value": id_}]
        await fhir("PUT", f"/Patient/{id_}", patient(id=id_, identifier=identifier))
    female = json_patch({"op": "add", "path": "/gender", "value": "female"})
    sent = bundle(
        entry("PATCH", "Patient/p1", female, ifMatch='W/"1"'),
        entry("PATCH", "Patient?identifier=p2", path_patch("active", {"valueBoolean": True})),
        kind=kind,
    )
    done = (await fhir("POST", "", sent)).json()["entry"]
    assert [one["response"]["status"] for one in done] == ["200 OK", "200 OK"]
    assert (await fhir("GET", "/Patient/p1")).json()["gender"] == "female"
    assert (await fhir("GET", "/Patient/p2")).json()["active"] is True
    stale = bundle(entry("PATCH", "Patient/p1", female, ifMatch='W/"1"'), kind=kind)
    answer = await fhir("POST", "", stale)
    status = answer.json()["entry"][0]["response"]["status"] if kind == "batch" else str(answer.status_code)  # fmt: skip
    assert status.startswith("412")


async def test_deletes_by_condition_come_first_whatever_their_place(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/old", patient(id="old"))
    sent = bundle(
        entry("GET", f"Patient?{IPP}"),
        entry("POST", "Patient", patient()),
        entry("DELETE", f"Patient?{IPP}"),
    )
    done = (await fhir("POST", "", sent)).json()["entry"]
    assert [one["response"]["status"][:3] for one in done] == ["200", "201", "204"]
    (left,) = done[0]["resource"]["entry"]
    assert left["resource"]["id"] != "old"
    nothing = bundle(entry("DELETE", "Patient?identifier=none"))
    assert (await fhir("POST", "", nothing)).json()["entry"][0]["response"]["status"][:3] == "204"


@pytest.mark.parametrize(
    ("entries", "status"),
    [
        ([entry("POST", "Patient", patient(), ifNoneExist=IPP)] * 2, 400),
        ([entry("PUT", f"Patient?{IPP}", patient())] * 2, 400),
        ([entry("PUT", "Patient/p1", patient(id="p1")), entry("DELETE", "Patient/p1")], 400),
        (
            [
                entry("PUT", "Patient/p1", patient(id="p1")),
                entry("PATCH", "Patient/p1", json_patch()),
            ],
            400,
        ),
        ([entry("PATCH", "Patient/none", json_patch())], 404),
        ([entry("PATCH", "Patient?identifier=none", json_patch())], 404),
        ([entry("PUT", "Patient/p1", patient(id="p2"))], 400),
        ([entry("PUT", "Patient/p1", patient(id="p1"), ifMatch='W/"9"')], 412),
        ([entry("POST", "Patient", patient(), ifNoneExist="identifier=")], 412),
        ([entry("POST", "Patient", patient(), ifNoneExist="zorro=1")], 400),
        ([entry("POST", "", bundle())], 400),
        ([entry("TRACE", "Patient/p1")], 405),
        ([entry("POST", "Patient/p1", patient())], 405),
        ([entry("GET", "$export")], 400),
        ([{"request": {"method": "PUT", "url": "Patient/p1", "ifMatch": 5}}], 400),
        ([{"fullUrl": 5, "request": {"method": "GET", "url": "Patient"}}], 400),
        ([{"resource": [], "request": {"method": "POST", "url": "Patient"}}], 400),
        (["x"], 400),
    ],
)
async def test_wrong_entries_are_refused_and_named(
    fhir: Fhir, entries: list[Any], status: int
) -> None:
    ahead = entry("POST", "Observation", observation())
    answer = await fhir("POST", "", bundle(ahead, *entries))
    assert answer.status_code == status, answer.text
    assert answer.json()["issue"][0]["expression"][0].startswith("Bundle.entry[")
    assert not answer.json()["issue"][0]["expression"][0].startswith("Bundle.entry[0]")
    assert "entry" not in (await fhir("GET", "/Observation")).json()
    apart = await fhir("POST", "", bundle(ahead, *entries[:1], kind="batch"))
    statuses = [one["response"]["status"][:3] for one in apart.json()["entry"]]
    assert statuses[0] == "201"
    assert len(statuses) == 2


async def test_operations_and_absolute_addresses_in_a_batch(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    base = (await fhir("GET", "/metadata")).json()["implementation"]["url"]
    sent = bundle(
        entry("GET", "Patient/p1/$everything"),
        entry("GET", f"{base}/Patient/p1"),
        entry("GET", "Patient/p1", ifNoneMatch='W/"1"'),
        entry("HEAD", "Patient/p1"),
        entry("GET", "Patient/p1/_history"),
        entry("GET", "/Patient?_id=p1"),
        kind="batch",
    )
    done = (await fhir("POST", "", sent)).json()["entry"]
    assert [one["response"]["status"][:3] for one in done] == ["200", "200", "304", "200", "200", "200"]  # fmt: skip


async def test_transactions_over_the_same_resources_never_wait_in_a_circle(fhir: Fhir) -> None:
    ids = [f"p{number}" for number in range(6)]
    for id_ in ids:
        await fhir("PUT", f"/Patient/{id_}", patient(id=id_))

    def turned(turn: int) -> dict[str, Any]:
        order = ids[turn % 6 :] + ids[: turn % 6]
        order = order if turn % 2 else order[::-1]
        return bundle(
            *(
                entry("PUT", f"Patient/{id_}", patient(id=id_, multipleBirthInteger=turn))
                for id_ in order
            )
        )

    answers = await asyncio.gather(*(fhir("POST", "", turned(turn)) for turn in range(24)))
    assert {answer.status_code for answer in answers} == {200}
    for id_ in ids:
        assert (await fhir("GET", f"/Patient/{id_}")).headers["etag"] == 'W/"25"'


async def test_transactions_that_make_the_same_new_resources_all_succeed(fhir: Fhir) -> None:
    """Both find nothing; the second begins again and finds what the first has made."""
    both = ["n1", "n2"]
    sent = [
        bundle(
            *(
                entry("PUT", f"Patient/{id_}", patient(id=id_, multipleBirthInteger=turn))
                for id_ in order
            )
        )
        for turn in range(4)
        for order in (both, both[::-1])
    ]
    answers = await asyncio.gather(*(fhir("POST", "", one) for one in sent))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert 200 in {answer.status_code for answer in answers}
    assert (await fhir("GET", "/Patient/n1")).status_code == 200
