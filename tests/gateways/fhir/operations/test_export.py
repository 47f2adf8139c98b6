"""Promise: a bulk export gives every resource the asker may see, once, whatever happens on the way."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from liane.gateways.fhir.asynchronous import files
from liane.gateways.fhir.asynchronous.requests import Overtaken
from liane.gateways.fhir.asynchronous.running import handler
from liane.gateways.fhir.operations import export_job
from liane.store import Database, jobs
from liane.store.jobs import Job
from tests.gateways.fhir.conftest import Fhir, observation, patient

KICK = {"Prefer": "respond-async", "Accept": "application/fhir+json"}


async def run_jobs(database: Database, home: Path) -> None:
    """Every export that waits, as the worker would."""
    work = handler(home, export_job.export_work(home))
    async with database.transaction() as tx:
        rows = await tx.fetch("select key from work.job where kind = 'fhir-export'")
        await tx.execute("delete from work.job where kind = 'fhir-export'")
        now = tx.now
    for row in rows:
        await work(database, Job(1, "fhir-export", row["key"], {}, 1, now))


async def exported(fhir: Fhir, path: str, home: Path, token: str = "all") -> dict[str, Any]:
    """The manifest of an export, carried out."""
    asked = await fhir("GET", path, token=token, **KICK)
    assert asked.status_code == 202, asked.text
    place = asked.headers["content-location"].partition("/fhir")[2]
    waiting = await fhir("GET", place, token=token)
    assert (waiting.status_code, waiting.headers["retry-after"]) == (202, "2")
    await run_jobs(fhir_database(fhir), home)
    done = await fhir("GET", place, token=token)
    assert done.status_code == 200, done.text
    assert done.headers["expires"].endswith("GMT")
    return {**done.json(), "place": place}


def fhir_database(fhir: Fhir) -> Database:
    return fhir.database  # type: ignore[attr-defined,no-any-return]


async def lines_of(fhir: Fhir, output: Iterable[dict[str, Any]], token: str = "all") -> list[str]:
    found = []
    for entry in output:
        answer = await fhir("GET", entry["url"].partition("/fhir")[2], token=token)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("application/fhir+ndjson")
        lines = answer.text.splitlines()
        assert len(lines) == entry["count"]
        assert {json.loads(line)["resourceType"] for line in lines} == {entry["type"]}
        found += lines
    return found


@pytest.fixture
async def filled(fhir: Fhir, database: Database) -> Fhir:
    """Three patients with results, one house, one group."""
    fhir.database = database  # type: ignore[attr-defined]
    for number in ("a", "b", "c"):
        await fhir("PUT", f"/Patient/{number}", patient(id=number))
        for n in range(3):
            body = observation(f"Patient/{number}", id=f"{number}{n}", note=[{"text": 'a\\b"\n'}])
            assert (await fhir("PUT", f"/Observation/{number}{n}", body)).status_code == 201
    await fhir("PUT", "/Organization/o", {"resourceType": "Organization", "id": "o", "name": "CHU"})
    group = {
        "resourceType": "Group", "id": "g", "type": "person", "actual": True,
        "member": [{"entity": {"reference": "Patient/a"}}, {"entity": {"reference": "Patient/c"}}],
    }  # fmt: skip
    assert (await fhir("PUT", "/Group/g", group)).status_code == 201
    return fhir


async def test_the_whole_record_leaves_byte_for_byte(filled: Fhir, tmp_path: Path) -> None:
    manifest = await exported(filled, "/$export", tmp_path)
    assert manifest["requiresAccessToken"] is True
    assert manifest["request"].endswith("/fhir/$export")
    lines = await lines_of(filled, manifest["output"])
    assert len(lines) == 3 + 9 + 2
    for line in lines:
        one = json.loads(line)
        read = await filled("GET", f"/{one['resourceType']}/{one['id']}")
        assert read.text == line


async def test_patients_and_groups_limit_what_leaves(filled: Fhir, tmp_path: Path) -> None:
    manifest = await exported(filled, "/Patient/$export", tmp_path)
    kinds = {entry["type"]: entry["count"] for entry in manifest["output"]}
    assert kinds == {"Patient": 3, "Observation": 9, "Group": 1}
    manifest = await exported(filled, "/Group/g/$export?_type=Observation", tmp_path)
    lines = await lines_of(filled, manifest["output"])
    assert {json.loads(line)["subject"]["reference"] for line in lines} == {
        "Patient/a",
        "Patient/c",
    }
    assert len(lines) == 6
    assert (await filled("GET", "/Group/none/$export")).status_code == 404


async def test_filters_elements_and_since(filled: Fhir, tmp_path: Path) -> None:
    path = "/$export?_type=Observation,Patient&_typeFilter=Observation%3Fsubject%3DPatient/a&_typeFilter=Observation%3F_id%3Da1,b1&_elements=status"
    manifest = await exported(filled, path, tmp_path)
    lines = [json.loads(line) for line in await lines_of(filled, manifest["output"])]
    found = [one for one in lines if one["resourceType"] == "Observation"]
    assert sorted(one["id"] for one in found) == ["a0", "a1", "a2", "b1"]
    assert all("note" not in one and one["status"] == "final" for one in found)
    assert all("name" not in one for one in lines if one["resourceType"] == "Patient")
    since = manifest["transactionTime"]
    changed = observation("Patient/a", id="a0", status="amended")
    assert (await filled("PUT", "/Observation/a0", changed)).status_code == 200
    assert (await filled("DELETE", "/Observation/b0")).status_code == 204
    manifest = await exported(filled, f"/$export?_since={since}", tmp_path)
    assert [(e["type"], e["count"]) for e in manifest["output"]] == [("Observation", 1)]
    (gone,) = manifest["deleted"]
    answer = await filled("GET", gone["url"].partition("/fhir")[2])
    assert json.loads(answer.text)["entry"] == [
        {"request": {"method": "DELETE", "url": "Observation/b0"}}
    ]


async def test_the_gate_stands_inside_the_query(filled: Fhir, tmp_path: Path) -> None:
    asked = await filled("GET", "/$export?_type=Patient", token="reader", **KICK)
    assert asked.status_code == 403
    manifest = await exported(filled, "/$export", tmp_path, token="reader")
    assert {entry["type"] for entry in manifest["output"]} == {"Observation"}
    manifest = await exported(filled, "/$export", tmp_path, token="chu")
    assert {entry["type"] for entry in manifest["output"]} == {"Organization"}
    manifest = await exported(filled, "/$export", tmp_path, token="nurse")
    assert {entry["type"] for entry in manifest["output"]} == {"Organization"}
    foreign = await filled("GET", manifest["place"], token="all")
    assert foreign.status_code == 404
    for group in ("g", "none"):  # nobody learns which groups exist
        assert (await filled("GET", f"/Group/{group}/$export", token="chu", **KICK)).status_code == 404  # fmt: skip
    name = manifest["output"][0]["url"].rpartition("/")[2]
    assert (await filled("GET", f"{manifest['place']}/{name}", token="all")).status_code == 404
    assert (await filled("DELETE", manifest["place"], token="all")).status_code == 404


async def test_what_is_not_understood_is_refused_by_name(filled: Fhir) -> None:
    for query, word in (
        ("_typ=Patient", "_typ"),
        ("_type=Patiant", "Patiant"),
        ("_since=yesterday", "yesterday"),
        ("_outputFormat=csv", "csv"),
        ("_typeFilter=Patient", "_typeFilter"),
        ("organizeOutputBy=Patient", "organizeOutputBy"),
    ):
        refused = await filled("GET", f"/$export?{query}", **KICK)
        assert refused.status_code == 400, query
        assert word in refused.text
    lenient = await filled("GET", "/$export?_typ=x", Prefer="respond-async, handling=lenient")
    assert lenient.status_code == 202


async def test_one_account_has_five_requests_at_a_time_and_may_cancel(
    filled: Fhir, database: Database, tmp_path: Path
) -> None:
    places = []
    for _ in range(5):
        asked = await filled("GET", "/$export", **KICK)
        places.append(asked.headers["content-location"].partition("/fhir")[2])
    assert (await filled("GET", "/$export", **KICK)).status_code == 429
    assert (await filled("DELETE", places[0])).status_code == 202
    assert (await filled("GET", places[0])).status_code == 404
    assert (await filled("GET", "/$export", **KICK)).status_code == 202
    await run_jobs(database, tmp_path)
    assert not (tmp_path / "requests" / places[0].rpartition("/")[2]).exists()
    assert (await filled("GET", places[1])).status_code == 200


async def test_a_killed_run_goes_on_where_it_was(
    filled: Fhir, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_job, "ROWS", 1)
    asked = await filled("GET", "/$export", **KICK)
    place = asked.headers["content-location"].partition("/fhir")[2]
    stretches = 0
    whole = export_job._Run._stretch

    async def dying(self: Any, types: Any, stretch: Any) -> None:
        nonlocal stretches
        stretches += 1
        await whole(self, types, stretch)
        if stretches % 3 == 0:
            raise ConnectionError("killed after the rows were written, before the checkpoint")

    monkeypatch.setattr(export_job._Run, "_stretch", dying)
    work = handler(tmp_path, export_job.export_work(tmp_path))
    id_ = place.rpartition("/")[2]
    runs = 0
    while True:
        runs += 1
        async with database.transaction() as tx:
            now = tx.now
        try:
            await work(database, Job(1, "fhir-export", id_, {}, 1, now))
            break
        except ConnectionError:
            continue
    assert runs > 3
    manifest = (await filled("GET", place)).json()
    lines = await lines_of(filled, manifest["output"])
    assert len(lines) == len(set(lines)) == 14


async def test_what_changes_meanwhile_leaves_as_it_was_when_asked(
    filled: Fhir, database: Database, tmp_path: Path
) -> None:
    asked = await filled("GET", "/$export?_type=Observation", **KICK)
    before = (await filled("GET", "/Observation/a0")).text
    await filled("PUT", "/Observation/a0", observation("Patient/a", id="a0", status="amended"))
    await filled("PUT", "/Observation/new", observation("Patient/a", id="new"))
    await run_jobs(database, tmp_path)
    place = asked.headers["content-location"].partition("/fhir")[2]
    lines = await lines_of(filled, (await filled("GET", place)).json()["output"])
    assert before in lines
    assert len(lines) == 9


async def test_every_patient_exported_is_in_the_journal(
    filled: Fhir, database: Database, tmp_path: Path
) -> None:
    manifest = await exported(filled, "/Patient/$export", tmp_path)
    async with database.reading() as tx:
        rows = await tx.fetch(
            "select patient from journal.entry where action = 'FHIR $export' and patient is not null"
        )
    assert sorted(row["patient"] for row in rows) == ["a", "b", "c"]
    assert manifest["error"] == []


async def test_a_run_that_was_overtaken_writes_nothing_more(tmp_path: Path) -> None:
    first = files.Files(tmp_path, [])
    first.write("Patient", b'{"n":1}\n', 1)
    kept = first.checkpoint()
    first.write("Patient", b'{"n":2}\n', 1)
    second = files.Files(tmp_path, kept)
    second.write("Patient", b'{"n":3}\n', 1)
    first.checkpoint()
    (told,) = second.close()
    first.checkpoint()
    assert gzip.decompress((tmp_path / told["name"]).read_bytes()) == b'{"n":1}\n{"n":3}\n'
    assert told["count"] == 2


def test_overtaken_is_no_error_for_people() -> None:
    assert not issubclass(Overtaken, jobs.LianeError)
