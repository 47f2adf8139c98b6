"""Promise: who may see one establishment learns nothing of the others, not even what exists.

The cases A2, A3 and A6 of the security reference: another one's patient, put wherever an
identifier may stand, reads exactly like one that does not exist.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from liane.access.relations import RelationRow, replace_for_encounter
from liane.fhir import json as fhir_json
from liane.store import Database, Tx
from tests.gateways.fhir.conftest import Fhir, observation, patient
from tests.gateways.fhir.test_bundles import bundle, entry

MINE, THEIRS, NOBODYS = "mine", "theirs", "absent"


@pytest.fixture
async def two_houses(fhir: Fhir, database: Database) -> Fhir:
    """`mine` is a patient of the establishment `chu`, `theirs` of another; each has a result."""
    for id_, house in ((MINE, "chu"), (THEIRS, "ch-nord")):
        identifier = [{"system": "urn:test:ipp", "value": id_}]
        name = [{"family": f"Nom{id_}"}]
        await fhir("PUT", f"/Patient/{id_}", patient(id=id_, identifier=identifier, name=name))
        result = observation(f"Patient/{id_}", id=f"o-{id_}", valueString="secret-value")
        await fhir("PUT", f"/Observation/o-{id_}", result)
        async with database.transaction() as tx:
            tie = RelationRow("present", tx.now - timedelta(days=1), establishment=house)
            await replace_for_encounter(tx, id_, f"e-{id_}", [tie])
    return fhir


def told(answer: httpx.Response, id_: str) -> tuple[int, str]:
    """What a reader learns, with the id asked for and what is new each time left out."""
    text = answer.text.replace(id_, "ID")
    if answer.headers.get("content-type", "").startswith("application/fhir+json"):
        body = fhir_json.loads(text) if text else {}
        body.pop("id", None)
        body.pop("meta", None)
        text = fhir_json.dumps(body)
    return answer.status_code, text


ADDRESSES = [
    ("GET", "/Patient/{id}"),
    ("HEAD", "/Patient/{id}"),
    ("GET", "/Patient/{id}/_history"),
    ("GET", "/Patient/{id}/_history/1"),
    ("GET", "/Patient/{id}/$everything"),
    ("GET", "/Patient?_id={id}"),
    ("GET", "/Patient?_id={id}&_total=accurate"),
    ("GET", "/Patient?_id={id}&_summary=count"),
    ("GET", "/Patient?identifier=urn:test:ipp|{id}&_total=accurate"),
    ("GET", "/Patient?name=Nom{id}&_total=accurate"),
    ("GET", "/Patient?_has:Observation:patient:_id=o-{id}&_total=accurate"),
    ("GET", "/Patient?_id={id}&_revinclude=Observation:patient"),
    ("GET", "/Observation/o-{id}"),
    ("GET", "/Observation?patient={id}&_total=accurate"),
    ("GET", "/Observation?patient.identifier=urn:test:ipp|{id}&_total=accurate"),
    ("GET", "/Observation?subject:Patient.name=Nom{id}&_total=accurate"),
    ("GET", "/Observation?_id=o-{id}&_include=Observation:patient"),
    ("DELETE", "/Patient/{id}"),
    ("DELETE", "/Observation/o-{id}"),
    ("DELETE", "/Observation?_id=o-{id}"),
]


@pytest.mark.parametrize(("method", "address"), ADDRESSES)
async def test_a3_another_one_s_patient_reads_like_none(
    two_houses: Fhir, method: str, address: str
) -> None:
    answers = [
        told(await two_houses(method, address.format(id=id_), token="chu"), id_)
        for id_ in (THEIRS, NOBODYS)
    ]
    assert answers[0] == answers[1]
    assert "secret-value" not in answers[0][1]
    assert (await two_houses("GET", f"/Observation/o-{THEIRS}")).status_code == 200


@pytest.mark.parametrize(("method", "address"), [one for one in ADDRESSES if one[0] != "DELETE"])
async def test_one_s_own_patient_is_found_at_the_same_address(
    two_houses: Fhir, method: str, address: str
) -> None:
    answer = await two_houses(method, address.format(id=MINE), token="chu")
    assert answer.status_code == 200
    if method == "GET" and answer.json()["resourceType"] == "Bundle":
        assert answer.json().get("total", 1) == 1
        assert "count" in address or answer.json()["entry"]


async def test_a2_patches_and_bodies_that_name_another_one_s_patient(two_houses: Fhir) -> None:
    steps = [{"op": "add", "path": "/language", "value": "fr"}]
    media = {"Content_Type": "application/json-patch+json"}
    for id_ in (THEIRS, NOBODYS):
        for address in (f"/Observation/o-{id_}", f"/Observation?_id=o-{id_}"):
            answer = await two_houses("PATCH", address, steps, token="chu", **media)
            assert answer.status_code == 404
    refusals = [
        told(
            await two_houses("POST", "/Observation", observation(f"Patient/{id_}"), token="chu"),
            id_,
        )
        for id_ in (THEIRS, NOBODYS)
    ]
    assert refusals[0] == refusals[1]
    assert refusals[0][0] == 403
    moved = observation(f"Patient/{THEIRS}", id=f"o-{MINE}")
    assert (
        await two_houses("PUT", f"/Observation/o-{MINE}", moved, token="chu")
    ).status_code == 403
    move = [{"op": "replace", "path": "/subject/reference", "value": f"Patient/{THEIRS}"}]
    stolen = await two_houses("PATCH", f"/Observation/o-{MINE}", move, token="chu", **media)
    assert stolen.status_code == 403


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that goes to the database, in its order; each is carried out."""
    heard: list[str] = []

    def listening(name: str) -> None:
        carried_out = getattr(Tx, name)

        async def spy(self: Tx, sql: str, *args: Any) -> Any:
            heard.append(sql)
            return await carried_out(self, sql, *args)

        monkeypatch.setattr(Tx, name, spy)

    for name in ("fetch", "fetchrow", "fetchval", "execute"):
        listening(name)
    return heard


@pytest.mark.parametrize("token", ["chu", "nurse"])
@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("GET", "/Patient/{id}"),
        ("GET", "/Observation/o-{id}"),
        ("GET", "/Observation/o-{id}/_history/1"),
        ("GET", "/Patient/{id}/$everything"),
        ("GET", "/Observation/o-{id}/$meta"),
        ("DELETE", "/Observation/o-{id}"),
    ],
)
async def test_a3_a_hidden_and_an_absent_resource_cost_the_same_work(
    two_houses: Fhir, statements: list[str], method: str, address: str, token: str
) -> None:
    """Case A3 (b): the time of the answer tells nothing, as both ask the database the same."""
    work = []
    for id_ in (THEIRS, NOBODYS):
        statements.clear()
        answer = await two_houses(method, address.format(id=id_), token=token)
        assert answer.status_code == 404
        work.append(list(statements))
    assert sorted(work[0]) == sorted(work[1])
    assert any("journal" in sql for sql in work[0])


def sent_for(id_: str) -> list[dict[str, Any]]:
    """Bundles that try to use the patient `id_`."""
    return [
        bundle(entry("POST", "Observation", observation(f"Patient/{id_}"))),
        bundle(entry("POST", "Observation", observation(f"Patient?identifier=urn:test:ipp|{id_}"))),
        bundle(entry("POST", "Observation", observation(f"Patient?_id={id_}"))),
        bundle(
            entry("POST", "Observation", observation(f"Patient/{MINE}")),
            entry("POST", "Observation", observation(f"Patient/{id_}")),
        ),
        bundle(entry("GET", f"Patient/{id_}")),
        bundle(entry("GET", f"Patient/{id_}"), kind="batch"),
        bundle(entry("DELETE", f"Observation?_id=o-{id_}")),
    ]


@pytest.mark.parametrize("number", range(7))
async def test_a6_bundles_tell_nothing_of_another_one_s_patient(
    two_houses: Fhir, number: int
) -> None:
    answers = [
        told(await two_houses("POST", "", sent_for(id_)[number], token="chu"), id_)
        for id_ in (THEIRS, NOBODYS)
    ]
    assert answers[0] == answers[1]
    everyone = (await two_houses("GET", "/Observation?_total=accurate")).json()
    assert everyone["total"] == 2


async def test_a2_a_page_of_results_never_brings_another_one_s(two_houses: Fhir) -> None:
    """A result of mine that points at theirs brings nothing of theirs with it."""
    result = observation(f"Patient/{MINE}", id="o-both")
    result["derivedFrom"] = [{"reference": f"Observation/o-{THEIRS}"}]
    await two_houses("PUT", "/Observation/o-both", result)
    for address in (
        "/Observation?_id=o-both&_include=*",
        "/Observation?_id=o-both&_include=Observation:derived-from&_include:iterate=Observation:patient",
        f"/Patient?_id={MINE}&_revinclude:iterate=Observation:derived-from&_revinclude=Observation:patient",
        f"/Patient/{MINE}/$everything",
    ):
        answer = await two_houses("GET", address, token="chu")
        assert answer.status_code == 200, answer.text
        found = [one["resource"] for one in answer.json()["entry"]]
        assert f"o-{THEIRS}" not in [one["id"] for one in found]
        assert THEIRS not in [one["id"] for one in found]


async def test_a_deleted_resource_of_another_one_reads_like_none(
    two_houses: Fhir, statements: list[str]
) -> None:
    await two_houses("DELETE", f"/Observation/o-{THEIRS}")
    await two_houses("DELETE", f"/Observation/o-{MINE}")
    answers, work = [], []
    for id_ in (THEIRS, NOBODYS):
        statements.clear()
        answers.append(told(await two_houses("GET", f"/Observation/o-{id_}", token="chu"), id_))
        work.append(sorted(statements))
    assert answers[0] == answers[1]
    assert work[0] == work[1]
    assert (await two_houses("GET", f"/Observation/o-{MINE}", token="chu")).status_code == 410


async def test_what_is_hidden_is_journaled_as_refused(two_houses: Fhir, database: Database) -> None:
    await two_houses("GET", f"/Observation/o-{THEIRS}", token="chu")
    async with database.reading() as tx:
        rows = await tx.fetch(
            "select outcome from journal.entry where actor = 'client:chu' and resource = $1",
            f"Observation/o-{THEIRS}",
        )
    assert [row["outcome"] for row in rows] == ["refused"]
