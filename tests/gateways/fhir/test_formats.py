"""Promise: each answer comes in the format, the size and the amount of detail asked for."""

from __future__ import annotations

import base64
import gzip

import pytest

from liane.fhir import xml
from tests.gateways.fhir.conftest import Fhir, observation, patient

XML = "application/fhir+xml"


async def test_a_resource_goes_in_and_out_as_xml(fhir: Fhir) -> None:
    sent = xml.dumps(patient(id="p1", multipleBirthInteger=2))
    made = await fhir("PUT", "/Patient/p1", sent, Content_Type=XML, Accept=XML)
    assert made.status_code == 201
    assert made.headers["content-type"].startswith(XML)
    assert xml.loads(made.content)["multipleBirthInteger"] == 2
    for address in ("/Patient/p1?_format=xml", "/Patient?_id=p1&_format=text/xml", "/metadata?_format=xml"):  # fmt: skip
        answer = await fhir("GET", address)
        assert answer.headers["content-type"].startswith(XML)
        assert xml.loads(answer.content)["resourceType"] in ("Patient", "Bundle", "CapabilityStatement")  # fmt: skip
    wrong = await fhir("POST", "/Patient", b"<Patient", Content_Type=XML, Accept=XML)
    assert wrong.status_code == 400
    assert xml.loads(wrong.content)["resourceType"] == "OperationOutcome"


async def test_a_transaction_as_xml(fhir: Fhir) -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"resource": patient(), "request": {"method": "POST", "url": "Patient"}}],
    }
    done = await fhir("POST", "", xml.dumps(bundle), Content_Type=XML, Accept=XML)
    assert xml.loads(done.content)["entry"][0]["response"]["status"].startswith("201")


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({"Accept": "text/turtle"}, "", 406),
        ({"Accept": "application/fhir+json; fhirVersion=5.0"}, "", 406),
        ({"Accept": "application/fhir+json; fhirVersion=4.0"}, "", 200),
        ({"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}, "", 200),
        ({"Accept": "application/fhir+json;q=0, */*;q=0"}, "", 406),
        ({}, "?_format=application/fhir%2Bjson", 200),
        ({}, "?_format=application/fhir+json", 200),
        ({}, "?_format=html", 406),
    ],
)
async def test_formats_that_are_offered(
    fhir: Fhir, headers: dict[str, str], query: str, status: int
) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    answer = await fhir("GET", f"/Patient/p1{query}", **headers)
    assert answer.status_code == status
    assert answer.json()["resourceType"] == ("Patient" if status == 200 else "OperationOutcome")


@pytest.mark.parametrize(
    "media",
    [
        "text/plain",
        "application/fhir+json; fhirVersion=3.0",
        "application/json; charset=latin-1",
        "application/x-www-form-urlencoded",
    ],
)
async def test_other_bodies_are_refused_before_they_are_read(fhir: Fhir, media: str) -> None:
    assert (await fhir("POST", "/Patient", b"{", Content_Type=media)).status_code == 415


async def test_the_preferred_of_several_formats_is_sent(fhir: Fhir) -> None:
    both = "application/fhir+xml;q=0.4, application/fhir+json;q=0.9"
    assert (
        (await fhir("GET", "/Patient", Accept=both))
        .headers["content-type"]
        .startswith("application/fhir+json")
    )


async def test_pretty_keeps_every_digit(fhir: Fhir) -> None:
    text = b'{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"x"},"valueQuantity":{"value":72.50}}'
    await fhir("PUT", "/Observation/o1", text)
    answer = await fhir("GET", "/Observation/o1?_pretty=true")
    assert b'"value": 72.50' in answer.content
    assert answer.content.count(b"\n") > 8


async def test_large_answers_are_compressed_when_the_reader_takes_it(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1", name=[{"text": "x" * 4000}]))
    squeezed = await fhir("GET", "/Patient/p1", Accept_Encoding="gzip")
    assert squeezed.headers["content-encoding"] == "gzip"
    assert int(squeezed.headers["content-length"]) < 400
    plain = await fhir("GET", "/Patient/p1", Accept_Encoding="gzip;q=0")
    assert "content-encoding" not in plain.headers
    assert plain.json() == squeezed.json()


async def test_head_gives_the_same_headers_and_nothing_else(fhir: Fhir) -> None:
    await fhir("PUT", "/Patient/p1", patient(id="p1"))
    for address in ("/Patient/p1", "/Patient", "/Patient/p1/_history/1", "/metadata"):
        whole = await fhir("GET", address)
        head = await fhir("HEAD", address)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers.get("etag") == whole.headers.get("etag")
        assert head.headers["content-type"] == whole.headers["content-type"]


async def test_options_and_refusals_name_the_methods(fhir: Fhir) -> None:
    for address, methods in (
        ("/Patient/p1", {"HEAD", "GET", "PUT", "PATCH", "DELETE", "OPTIONS"}),
        ("/Patient", {"HEAD", "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}),
        ("/Patient/p1/_history", {"HEAD", "GET", "OPTIONS"}),
        ("/Patient/_search", {"POST", "OPTIONS"}),
        ("/Patient/p1/$everything", {"GET", "POST", "OPTIONS"}),
    ):
        answer = await fhir("OPTIONS", address)
        assert answer.status_code == 204
        assert set(answer.headers["allow"].split(", ")) == methods
    refused = await fhir("POST", "/Patient/p1", patient())
    assert refused.status_code == 405
    assert "PUT" in refused.headers["allow"]


async def test_prefer_says_how_much_comes_back(fhir: Fhir) -> None:
    whole = await fhir("PUT", "/Patient/p1", patient(id="p1"))
    assert whole.json()["resourceType"] == "Patient"
    assert "preference-applied" not in whole.headers
    minimal = await fhir("PUT", "/Patient/p2", patient(id="p2"), Prefer="return=minimal")
    assert (minimal.status_code, minimal.content) == (201, b"")
    assert minimal.headers["preference-applied"] == "return=minimal"
    told = await fhir("PUT", "/Patient/p3", patient(id="p3"), Prefer="return=OperationOutcome")
    assert told.json()["resourceType"] == "OperationOutcome"
    gone = await fhir("DELETE", "/Patient/p3", Prefer="return=OperationOutcome; handling=lenient")
    assert gone.status_code == 200
    assert gone.headers["preference-applied"] == "return=OperationOutcome, handling=lenient"
    strange = await fhir("PUT", "/Patient/p1", patient(id="p1"), Prefer="return=zorro")
    assert "preference-applied" not in strange.headers


async def test_prefer_in_bundles(fhir: Fhir) -> None:
    def bundle(kind: str) -> dict[str, object]:
        entry = {"resource": patient(), "request": {"method": "POST", "url": "Patient"}}
        return {"resourceType": "Bundle", "type": kind, "entry": [entry]}

    for kind in ("batch", "transaction"):
        (plain,) = (await fhir("POST", "", bundle(kind))).json()["entry"]
        assert "resource" not in plain
        (whole,) = (await fhir("POST", "", bundle(kind), Prefer="return=representation")).json()["entry"]  # fmt: skip
        assert whole["resource"]["resourceType"] == "Patient"
        (told,) = (await fhir("POST", "", bundle(kind), Prefer="return=OperationOutcome")).json()["entry"]  # fmt: skip
        assert told["response"]["outcome"]["resourceType"] == "OperationOutcome"
        assert "resource" not in told


async def test_parts_of_one_resource(fhir: Fhir) -> None:
    await fhir("PUT", "/Observation/o1", observation(id="o1"))
    part = (await fhir("GET", "/Observation/o1?_elements=status")).json()
    assert set(part) == {"resourceType", "id", "meta", "status"}
    assert part["meta"]["tag"][0]["code"] == "SUBSETTED"
    assert (await fhir("GET", "/Observation/o1?_summary=zorro")).status_code == 400
    assert (await fhir("GET", "/Observation/o1?zorro=1")).status_code == 400
    lenient = await fhir("GET", "/Observation/o1?zorro=1", Prefer="handling=lenient")
    assert lenient.status_code == 200


PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


async def test_a_binary_travels_as_it_is(fhir: Fhir) -> None:
    made = await fhir("POST", "/Binary", PICTURE, Content_Type="image/png")
    assert made.status_code == 201
    address = made.headers["location"].partition("/fhir")[2].partition("/_history")[0]
    for accept in ("image/png", "*/*", ""):
        raw = await fhir("GET", address, Accept=accept)
        assert (raw.content, raw.headers["content-type"]) == (PICTURE, "image/png")
        assert raw.headers["x-content-type-options"] == "nosniff"
        assert raw.headers["content-disposition"] == "attachment"
        assert "sandbox" in raw.headers["content-security-policy"]
    as_fhir = await fhir("GET", address, Accept="application/fhir+json")
    assert base64.b64decode(as_fhir.json()["data"]) == PICTURE
    put = await fhir("PUT", "/Binary/b1", b"a,b", Content_Type="text/csv")
    assert put.status_code == 201
    assert (await fhir("GET", "/Binary/b1")).content == b"a,b"
    page = await fhir("PUT", "/Binary/b2", b"<script>alert(1)</script>", Content_Type="text/html")
    assert page.status_code == 201
    shown = await fhir("GET", "/Binary/b2")
    assert shown.headers["content-disposition"] == "attachment"


async def test_a_compressed_body_is_read(fhir: Fhir) -> None:
    sent = gzip.compress(xml.dumps(patient()))
    made = await fhir("POST", "/Patient", sent, Content_Type=XML, Content_Encoding="gzip")
    assert made.status_code == 201
