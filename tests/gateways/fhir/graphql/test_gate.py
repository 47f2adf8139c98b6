"""Promise: `$graphql` shows nobody more than reading and searching would, and leaves its trace.

A2 (g): an identifier swapped inside a nested query finds what a stranger would find: nothing.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import asyncpg
import pytest

from tests.gateways.fhir.conftest import Fhir, observation, patient
from tests.gateways.fhir.graphql.conftest import Ask

pytestmark = pytest.mark.usefixtures("ward")
GENEROUS_SECONDS = 60

STRANGERS = ["nurse", "chu"]


@pytest.mark.parametrize("token", STRANGERS)
async def test_a_stranger_learns_nothing_by_any_way_in(ask: Ask, token: str) -> None:
    for at in ("/Patient/p1", "/Observation/o1", "/Patient/none"):
        answer = await ask("{id}", at, token=token)
        assert answer.status_code == 404
        assert at[1:] in answer.json()["issue"][0]["diagnostics"]
    existing = (await ask("{Patient(id: p1) {id}}", token=token)).json()
    missing = (await ask("{Patient(id: none) {id}}", token=token)).json()
    assert existing["data"] == missing["data"] == {"Patient": None}
    assert str(existing).replace("p1", "none") == str(missing)
    found = (
        await ask("{PatientConnection {count next edges {resource {id}}}}", token=token)
    ).json()
    assert found["data"] == {"PatientConnection": {"count": 0, "next": None, "edges": []}}
    by_chain = '{ObservationList(subject: "Patient/p1") {id subject {resource {id}}}}'
    assert (await ask(by_chain, token=token)).json()["data"] == {"ObservationList": []}


async def test_a_reference_does_not_lead_out_of_the_scopes(ask: Ask) -> None:
    document = "{status subject {reference resource {... on Patient {name {family}}}}}"
    answer = (await ask(document, "/Observation/o1", token="reader")).json()
    assert answer["data"] == {"status": "final", "subject": {"reference": "Patient/p1"}}
    assert len(answer["errors"]) == 1
    assert (await ask("{id}", "/Patient/p1", token="reader")).status_code == 403
    assert (await ask("{PatientList {id}}", token="reader")).status_code == 403
    nested = "{ObservationList {id PatientList(_reference: organization) {id}}}"
    assert (await ask(nested, token="reader")).status_code == 403


async def test_a_reference_to_another_place_is_not_followed(ask: Ask, fhir: Fhir) -> None:
    for number, reference in enumerate(
        (
            "http://169.254.169.254/Patient/p1",
            "file:///etc/passwd",
            "Patient/../p1",
            "#x",
            "Patient/p1/x",
        )
    ):
        one = observation("Patient/p1", id=f"far{number}", performer=[{"reference": reference}])
        await fhir("PUT", f"/Observation/far{number}", one)
        answer = await ask(
            "{performer {resource(optional: true) {id}}}", f"/Observation/far{number}"
        )
        if answer.status_code == 200:
            assert answer.json()["data"] == {"performer": [{}]}


async def test_nobody_without_a_token_is_answered(fhir: Fhir) -> None:
    answer = await fhir("GET", "/$graphql?query={PatientList{id}}", token="")
    assert answer.status_code == 401


async def test_every_patient_shown_and_every_refusal_is_in_the_journal(
    ask: Ask, test_database: Any
) -> None:
    owner = await asyncpg.connect(test_database.owner_dsn)
    before = await owner.fetchval("select count(*) from journal.entry")
    await ask("{PatientList(_sort: _id) {id}}")
    await ask("{a: Observation(id: o1) {id} b: Observation(id: o2) {id}}")
    await ask("{id}", "/Patient/p1", token="nurse")
    rows = await owner.fetch(
        "select actor, patient, outcome, detail::text from journal.entry"
        " where action = 'FHIR POST' order by at, id offset 0"
    )
    await owner.close()
    shown = [(row["actor"], row["patient"], row["outcome"]) for row in rows]
    assert sorted(shown, key=str) == sorted(
        [
            ("client:all", "p1", "ok"),
            ("client:all", "p2", "ok"),
            ("client:all", "p1", "ok"),
            ("nurse", None, "refused"),
        ],
        key=str,
    )
    assert before > 0


def _bomb() -> str:
    """Fragments that double at each level."""
    last = "fragment f15 on Patient {id}"
    return "{...f0}" + "".join(
        f" fragment f{n} on Patient {{...f{n + 1} name {{use}} ...f{n + 1}}}" for n in range(15)
    ) + last  # fmt: skip


COSTLY = {
    "deep": "{subject{resource{... on Patient{" * 8 + "id" + "}}}" * 8 + "}",
    "brackets": "{" * 3_000,
    "strings": '{name(use: "' + "x" * 200_000 + '") {use}}',
    "aliases": "{" + " ".join(f"a{n}: name {{use}}" for n in range(2_000)) + "}",
    "fragments that double": _bomb(),
    "searches": "{" + " ".join(f"a{n}: ObservationList(_reference: patient) {{id}}" for n in range(120)) + "}",
    "expressions": "{" + " ".join(
        f'a{n}: name(fhirpath: "1.repeat($this + 1).exists()") {{use}}' for n in range(50)
    ) + "}",
    "types in types": "{generalPractitioner{resource{" * 7 + "id" + "}}" * 7 + "}",
    "values": "{" + " ".join(f"a{n}: ObservationList(_reference: patient) {{{' '.join(f'b{m}: id' for m in range(12))}}}" for n in range(101)) + "}",
}  # fmt: skip


@pytest.mark.parametrize("name", COSTLY)
async def test_a_document_that_asks_too_much_is_refused_soon(ask: Ask, name: str) -> None:
    before = time.monotonic()
    answer = await asyncio.wait_for(ask(COSTLY[name], "/Patient/p1"), GENEROUS_SECONDS)
    assert answer.status_code == 400, answer.text[:500]
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert time.monotonic() - before < GENEROUS_SECONDS


async def test_a_page_is_never_larger_than_the_limit(ask: Ask, fhir: Fhir) -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"resource": patient(), "request": {"method": "POST", "url": "Patient"}}
            for _ in range(210)
        ],
    }
    assert (await fhir("POST", "", bundle)).status_code == 200
    found = (await ask("{PatientList(_count: 100000) {id}}")).json()["data"]["PatientList"]
    assert len(found) == 200


NO_QUESTIONS = [
    (b"\xff\xfe", "application/graphql"),
    (b"{id}", "text/html"),
    (b"[]", "application/json"),
    (b'{"query": 1}', "application/json"),
    (b'{"query": "{id}", "variables": []}', "application/json"),
    (
        b'{"query": "query($a: String) {name(use: $a) {use}}", "variables": {"a": {"b": 1}}}',
        "application/json",
    ),
    (b"", "application/graphql"),
    (b'{"a":' * 5_000, "application/json"),
]


async def test_bodies_that_are_no_question_are_refused(fhir: Fhir) -> None:
    for body, kind in NO_QUESTIONS:
        answer = await fhir("POST", "/Patient/p1/$graphql", body, Content_Type=kind)
        assert answer.status_code in (400, 415), (body[:50], answer.text)
