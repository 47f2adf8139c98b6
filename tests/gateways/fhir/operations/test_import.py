"""Promise: each line of an import is stored once, or refused by name; a kill changes nothing."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liane.access.sessions import Limits, Sessions
from liane.base.errors import Denied, Invalid, LianeError
from liane.gateways.fhir.asynchronous.running import handler
from liane.gateways.fhir.exchange import Choices
from liane.gateways.fhir.operations import import_job
from liane.gateways.fhir.operations.import_asking import Input
from liane.gateways.fhir.operations.import_job import import_work
from liane.gateways.fhir.operations.import_reading import _unpacked
from liane.store import Database
from liane.store.blobs import Blobs
from liane.store.jobs import Job
from liane.ui.services import Services
from tests.gateways.fhir.conftest import Fhir, observation, patient


class Killed(Exception):
    """Stands for a process that dies before its commit."""


@pytest.fixture
def services(database: Database, blobs: Blobs, tmp_path: Path) -> Services:
    return Services(database, blobs, tmp_path, Sessions(database, Limits()))


def ndjson(bodies: Iterable[Any]) -> bytes:
    return b"".join(
        (body if isinstance(body, bytes) else json.dumps(body).encode()) + b"\n" for body in bodies
    )


def asking(*inputs: tuple[str, str, str]) -> dict[str, Any]:
    entries = [
        {"name": "input", "part": [
            {"name": "type", "valueCode": type_},
            {"name": name, "valueBase64Binary" if name == "content" else "valueUri": value},
        ]}
        for type_, name, value in inputs
    ]  # fmt: skip
    form = {"name": "inputFormat", "valueCode": "application/fhir+ndjson"}
    return {"resourceType": "Parameters", "parameter": [form, *entries]}


def content(bodies: Iterable[Any], *, squeezed: bool = False) -> str:
    data = ndjson(bodies)
    return base64.b64encode(gzip.compress(data) if squeezed else data).decode()


async def run_jobs(services: Services, *, hosts: tuple[str, ...] = ()) -> None:
    database = services.database
    work = handler(services.home, import_work(services, Choices(import_hosts=hosts)))
    async with database.transaction() as tx:
        rows = await tx.fetch("select key from work.job where kind = 'fhir-import'")
        await tx.execute("delete from work.job where kind = 'fhir-import'")
        now = tx.now
    for row in rows:
        await work(database, Job(1, "fhir-import", row["key"], {}, 1, now))


async def imported(
    fhir: Fhir, services: Services, body: dict[str, Any], *, token: str = "all"
) -> dict[str, Any]:
    asked = await fhir("POST", "/$import", body, token=token, Prefer="respond-async")
    assert asked.status_code == 202, asked.text
    await run_jobs(services)
    place = asked.headers["content-location"].partition("/fhir")[2]
    done = await fhir("GET", place, token=token)
    assert done.status_code == 200, done.text
    return dict(done.json())


async def errors_of(fhir: Fhir, manifest: dict[str, Any]) -> list[str]:
    found = []
    for entry in manifest["error"]:
        answer = await fhir("GET", entry["url"].partition("/fhir")[2])
        outcomes = [json.loads(line) for line in answer.text.splitlines()]
        assert len(outcomes) == entry["count"]
        found += [o["issue"][0]["diagnostics"] for o in outcomes]
    return found


async def test_good_lines_are_stored_bad_ones_named(fhir: Fhir, services: Services) -> None:
    lines: list[Any] = [observation(id=f"o{n}") for n in range(5)]
    lines[2:2] = [b"{broken", patient(id="stranger"), observation(id="bad", status="nonsense"), b"", observation(id="not ok")]  # fmt: skip
    body = asking(
        ("Patient", "content", content([patient(id="p1")])),
        ("Observation", "content", content(lines, squeezed=True)),
    )
    manifest = await imported(fhir, services, body)
    assert [(one["type"], one["count"]) for one in manifest["output"]] == [("Patient", 1), ("Observation", 5)]  # fmt: skip
    told = await errors_of(fhir, manifest)
    assert [int(words.partition("line ")[2].partition(":")[0]) for words in told] == [3, 4, 5, 7]
    found = (await fhir("GET", "/Observation?patient=p1&_total=accurate")).json()
    assert found["total"] == 5
    again = await imported(fhir, services, body)
    assert again["output"] == manifest["output"]
    assert (await fhir("GET", "/Observation/o1")).json()["meta"]["versionId"] == "1"


async def test_the_same_resource_twice_ends_as_its_last_line(
    fhir: Fhir, services: Services
) -> None:
    bodies = [observation(id="o", status=status) for status in ("preliminary", "final", "amended")]
    await imported(fhir, services, asking(("Observation", "content", content(bodies))))
    read = (await fhir("GET", "/Observation/o")).json()
    assert (read["status"], read["meta"]["versionId"]) == ("amended", "3")


async def test_a_file_stored_as_binary_is_read_under_the_gate(
    fhir: Fhir, services: Services
) -> None:
    data = content([patient(id="p9")])
    binary = {"resourceType": "Binary", "id": "f", "contentType": "application/fhir+ndjson", "data": data}  # fmt: skip
    assert (await fhir("PUT", "/Binary/f", binary)).status_code == 201
    manifest = await imported(fhir, services, asking(("Patient", "url", "Binary/f")))
    assert manifest["error"] == []
    assert (await fhir("GET", "/Patient/p9")).status_code == 200
    manifest = await imported(fhir, services, asking(("Patient", "url", "Binary/none"), ("Patient", "content", content([patient(id="p8")]))))  # fmt: skip
    assert "Binary/none" in (await errors_of(fhir, manifest))[0]
    assert (await fhir("GET", "/Patient/p8")).status_code == 200


async def test_only_listed_servers_are_called(fhir: Fhir, services: Services) -> None:
    for url in ("http://169.254.169.254/x", "https://evil.example/x.ndjson", "file:///etc/passwd", "http://[::1"):  # fmt: skip
        refused = await fhir("POST", "/$import", asking(("Patient", "url", url)))
        assert refused.status_code == 403, url
    work = import_job.lines(Input("Patient", url="https://evil.example/x"), None, services.database, services.blobs, ("good.example",))  # type: ignore[arg-type]  # fmt: skip
    with pytest.raises(Denied):
        await anext(work)


async def test_a_file_is_fetched_from_a_listed_server(fhir: Fhir, services: Services) -> None:
    data = gzip.compress(ndjson(patient(id=f"n{n}") for n in range(3)))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + data)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        reading = import_job.lines(Input("Patient", url=f"http://{host}/p.ndjson.gz"), None, services.database, services.blobs, (host,))  # type: ignore[arg-type]  # fmt: skip
        found = [json.loads(line)["id"] async for _, line in reading]
    assert found == ["n0", "n1", "n2"]


async def test_rights_are_asked_for_each_resource(fhir: Fhir, services: Services) -> None:
    body = asking(("Observation", "content", content([observation(id="o")])))
    assert (await fhir("POST", "/$import", body, token="reader")).status_code == 403
    assert (await fhir("POST", "/$import", body, token="")).status_code == 401
    manifest = await imported(fhir, services, body, token="chu")
    assert [one["type"] for one in manifest["error"]] == ["OperationOutcome"]
    assert (await fhir("GET", "/Observation/o")).status_code == 404
    for wrong in (
        {"resourceType": "Parameters"},
        asking(("Observatoin", "content", "")),
        asking(("Observation", "content", "$$$")),
        asking(("Observation", "url", "")),
        {"resourceType": "Parameters", "parameter": [{"name": "input", "part": 3}]},
    ):
        assert (await fhir("POST", "/$import", wrong)).status_code == 400, wrong
    assert (await fhir("GET", "/$import")).status_code == 405


async def test_a_killed_import_goes_on_after_its_last_line(
    fhir: Fhir, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_job, "LINES", 2)
    bodies: list[Any] = [
        {k: v for k, v in observation(id="x", valueQuantity={"value": n}).items() if k != "id"}
        for n in range(9)
    ]
    bodies.insert(4, b"{broken")
    asked = await fhir("POST", "/$import", asking(("Observation", "content", content(bodies))))
    id_ = asked.headers["content-location"].rpartition("/")[2]
    whole = import_job._Run._write
    turns = 0

    async def dying(self: Any, tx: Any, chunk: Any) -> Any:
        nonlocal turns
        turns += 1
        written = await whole(self, tx, chunk)
        if turns % 2 == 0:
            raise Killed
        return written

    monkeypatch.setattr(import_job._Run, "_write", dying)
    database = services.database
    work = handler(services.home, import_work(services, Choices()))
    runs = 0
    while runs < 30:
        runs += 1
        async with database.transaction() as tx:
            now = tx.now
        try:
            await work(database, Job(1, "fhir-import", id_, {}, 1, now))
            break
        except Killed:
            continue
    assert runs > 2
    manifest = (await fhir("GET", f"/$job/{id_}")).json()
    assert [one["count"] for one in manifest["output"]] == [9]
    assert len(await errors_of(fhir, manifest)) == 1
    found = (await fhir("GET", "/Observation?_count=100&_total=accurate")).json()
    assert found["total"] == 9
    values = sorted(e["resource"]["valueQuantity"]["value"] for e in found["entry"])
    assert values == list(range(9))


@given(st.binary(max_size=3000), st.integers(1, 50))
@settings(max_examples=60, deadline=None)
def test_packed_and_plain_files_read_alike(data: bytes, step: int) -> None:
    async def parts(whole: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(whole), step):
            yield whole[start : start + step]

    async def read(whole: bytes) -> bytes:
        return b"".join([part async for part in _unpacked(parts(whole))])

    packed = gzip.compress(data[:1000]) + gzip.compress(data[1000:])
    if not data.startswith(b"\x1f\x8b") and step > 1:
        assert asyncio.run(read(data)) == data
    if step > 1:
        assert asyncio.run(read(packed)) == data


async def test_bombs_and_broken_files_are_refused() -> None:
    async def one(data: bytes) -> AsyncIterator[bytes]:
        yield data

    bomb = gzip.compress(b"\0" * 60_000_000)
    for data in (bomb, gzip.compress(b"abc")[:-4], b"\x1f\x8b broken"):
        with pytest.raises(Invalid):
            async for _ in _unpacked(one(data)):
                pass
    assert issubclass(Invalid, LianeError)
