"""Promise: a package of definitions is loaded once, checked, used by every process, and can go."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liane.base.errors import Invalid, NotFound
from liane.importing.packages import add_package, list_packages, read_package, remove_package
from liane.projections import PROJECTIONS
from liane.store import Database, conformance
from liane.store.resources import read
from tests.conftest import TestDatabase

CORE = "http://hl7.org/fhir/StructureDefinition/"
CARD = {"name": "example.guide", "version": "1.0.0", "fhirVersions": ["4.0.1"], "title": "Guide"}
URL = "http://example.org/StructureDefinition/named"


def profile(**changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "StructureDefinition",
        "id": "named",
        "url": URL,
        "name": "Named",
        "status": "active",
        "kind": "resource",
        "abstract": False,
        "type": "Patient",
        "baseDefinition": f"{CORE}Patient",
        "derivation": "constraint",
        "differential": {
            "element": [
                {"id": "Patient", "path": "Patient"},
                {"id": "Patient.name", "path": "Patient.name", "min": 1},
            ]
        },
        **changes,
    }


def packed(*resources: dict[str, Any], card: Any = CARD, **others: bytes) -> bytes:
    out = io.BytesIO()
    files = {f"package/{n}.json": json.dumps(one).encode() for n, one in enumerate(resources)}
    if card is not None:
        files["package/package.json"] = json.dumps(card).encode()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in {**files, **others}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


@pytest.fixture
async def record(database: Database) -> Database:
    database.projections = PROJECTIONS
    return database


async def missing_name(database: Database) -> bool:
    async with database.reading() as tx:
        found = await conformance.report(tx, {"resourceType": "Patient"}, [URL])
    return any(one.path == "Patient.name" for one in found)


async def test_a_package_is_loaded_used_listed_and_removed(record: Database) -> None:
    assert not await missing_name(record)
    package, changed = await add_package(record, packed(profile()))
    assert (package.name, changed) == ("example.guide", 1)
    assert await missing_name(record)
    assert (await add_package(record, packed(profile())))[1] == 0
    [listed] = await list_packages(record)
    assert (listed.name, listed.version, listed.count) == ("example.guide", "1.0.0", 1)
    async with record.reading() as tx:
        stored = await read(tx, "StructureDefinition", "named")
    assert stored is not None
    assert stored.resource["url"] == URL
    assert await remove_package(record, "example.guide") == 1
    assert await list_packages(record) == []
    assert not await missing_name(record)
    with pytest.raises(NotFound):
        await remove_package(record, "example.guide")


async def test_another_process_sees_it(record: Database, test_database: TestDatabase) -> None:
    async with await Database.open(test_database.app_dsn) as other:
        assert not await missing_name(other)
        await add_package(record, packed(profile()))
        conformance.knowing.forget(other)  # as a second passing does
        assert await missing_name(other)


async def test_what_two_packages_bring_stays_until_both_are_gone(record: Database) -> None:
    await add_package(record, packed(profile()))
    await add_package(record, packed(profile(), card={**CARD, "name": "example.other"}))
    assert await remove_package(record, "example.guide") == 0
    assert await missing_name(record)
    assert await remove_package(record, "example.other") == 1


async def test_an_id_that_is_taken_by_another_definition_is_not_overwritten(
    record: Database,
) -> None:
    await add_package(record, packed(profile()))
    other = profile(url="http://example.org/StructureDefinition/another")
    await add_package(record, packed(other, card={**CARD, "name": "example.other"}))
    async with record.reading() as tx:
        stored = await read(tx, "StructureDefinition", "named")
    assert stored is not None
    assert stored.resource["url"] == URL
    assert await missing_name(record)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"not an archive", "archive-damaged"),
        (gzip.compress(bytes(20_000_000)), "archive-ratio"),
        (packed(profile(), card=None), "package.refused"),
        (packed(profile(), card={"name": "x/../y", "version": "1"}), "package.refused"),
        (packed(profile(), card={**CARD, "fhirVersions": ["5.0.0"]}), "package.refused"),
        (packed(), "package.refused"),
        (packed(profile(differential={})), "profile.unreadable"),
        (packed(profile(), **{"../../etc/x": b"{}"}), "archive-path"),
        (packed(profile(), **{"package/bad.json": b"{"}), "json-invalid"),
    ],
)
def test_a_hostile_or_useless_package_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(Invalid, match=code):
        read_package(data)


async def test_fr_core_is_loaded_and_its_examples_keep_it(
    record: Database, shared_data: Path
) -> None:
    folder = shared_data / "fhir-fr-core"
    if not folder.is_dir():
        pytest.skip("shared data set 'fhir-fr-core' not found")
    file = next((folder / "packages").glob("*.tgz"))
    package, changed = await add_package(record, file.read_bytes())
    assert (package.version, changed) == ("2.2.0", len(package.resources))
    checked = 0
    for path in sorted((folder / "2.2.0-json").glob("*.json")):
        resource = json.loads(path.read_bytes(), parse_float=Decimal)
        if "resourceType" not in resource:
            continue
        async with record.reading() as tx:
            found = await conformance.report(tx, resource)
        wrong = [one for one in found if one.severity == "error"]
        told = [(one.path, one.en) for one in wrong]
        assert all("practitioner-specialty" in one.en for one in wrong), (path.name, told)
        assert not any(one.kind == "unknown-profile" for one in found), path.name
        checked += 1
    assert checked >= 14
