"""Promise: published nomenclatures are loaded whole, by edition, repeatably, and found at once."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from liane.base.errors import Invalid, NotFound
from liane.importing.terminology import load
from liane.importing.terminology.cim10 import dotted
from liane.importing.terminology.nomenclature import Edition
from liane.store import Database
from liane.store.terminology import (
    Wish,
    below,
    expand,
    look_up,
    member,
    project,
    relation,
    resolving,
)
from tests.store.terminology.cases import codes

ICD = "http://hl7.org/fhir/sid/icd-10"
CCAM = "urn:oid:1.2.250.1.215.300.1"


@pytest.fixture
async def record(database: Database) -> AsyncIterator[Database]:
    opened = await Database.open(database.dsn, max_size=4, projections=(project,))
    yield opened
    await opened.close()


def shared(folder: Path, name: str) -> Path:
    if not (folder / name).exists():
        pytest.skip(f"shared data set {name!r} not found")
    return folder / name


def beginning(path: Path, folder: Path, lines: int) -> Path:
    """The first lines of a shared file, for the tests of every day; `soak` reads it whole."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines(keepends=True)
    short = folder / path.name.removesuffix(".gz")
    short.write_bytes(b"".join(text[:lines]))
    return short


WHOLE = pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.soak)])


def written(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("given", "expected"),
    [("A00", "A00"), ("A000", "A00.0"), ("A00.0", "A00.0"), ("z991+0", "Z99.1+0")],
)
def test_a_code_has_its_point(given: str, expected: str) -> None:
    assert dotted(given) == expected


async def test_cim10_of_the_shared_list(
    record: Database, shared_data: Path, tmp_path: Path
) -> None:
    whole = shared(shared_data, "nomenclatures-fr/cim10-fr/cim10.json")
    entries = json.loads(whole.read_text("utf-8"))[:400]
    path = written(tmp_path, "cim10.json", json.dumps(entries))
    report = await load(record, "cim10", [path], Edition(version="2025"))
    assert (report.systems[0].concepts, report.refused) == (400, [])
    again = await load(record, "cim10", [path], Edition(version="2025"))
    assert again.systems[0].known
    async with record.reading() as tx:
        system = await resolving.system(tx, ICD)
        assert await relation(tx, system, "A00", "A00.1") == "subsumes"
        found = await look_up(tx, system, "A00.1")
        assert [one.code for one in found.parents] == ["A00"]
        every = {"resourceType": "ValueSet", "compose": {"include": [{"system": ICD}]}}
        assert "A00.1" in codes(await expand(tx, every, Wish(filter="vibrio tor", count=10)))
        assert codes(await expand(tx, every, Wish(filter="A001", count=10)))[0] == "A00.1"


@pytest.mark.soak
async def test_cim10_whole(record: Database, shared_data: Path) -> None:
    path = shared(shared_data, "nomenclatures-fr/cim10-fr/cim10.json")
    report = await load(record, "cim10", [path], Edition(version="2025"))
    assert (report.systems[0].concepts, report.refused) == (11_623, [])


@WHOLE
async def test_cim10_of_atih_with_its_columns(
    record: Database, shared_data: Path, tmp_path: Path, whole: bool
) -> None:
    path = shared(shared_data, "clinical_nlp/cim10.csv.gz")
    if not whole:
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        path = written(tmp_path, "cim10.csv", "\n".join(x for x in lines if x[:1] in "cZ"))
    report = await load(record, "cim10", [path], Edition(version="2023", url="urn:test:cim10"))
    assert report.systems[0].concepts > (42_000 if whole else 800)
    async with record.reading() as tx:
        found = await look_up(tx, await resolving.system(tx, "urn:test:cim10"), "Z99.1+0")
        assert [one.code for one in found.parents] == ["Z99.1"]
        assert {p.name: p.value for p in found.concept.properties}["ssr"] == "NONO"
        assert "Z99.1+1" in await below(tx, "urn:test:cim10", "Z99")


CLAML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE ClaML SYSTEM "ClaML.dtd">
<ClaML version="2.0.0"><Title name="X" version="2031" date="2031-01-01">Essai</Title>
<Class code="I" kind="chapter"><SubClass code="A00-A09"/>
 <Rubric kind="preferred"><Label xml:lang="fr">Chapitre un</Label></Rubric></Class>
<Class code="A00-A09" kind="block"><SuperClass code="I"/><SubClass code="A00"/>
 <Rubric kind="preferred"><Label xml:lang="fr">Un bloc</Label></Rubric></Class>
<Class code="A00" kind="category"><SuperClass code="A00-A09"/>
 <Rubric kind="preferred"><Label xml:lang="fr">Une <Term>maladie</Term></Label></Rubric>
 <Rubric kind="inclusion"><Label xml:lang="fr">Autre nom</Label></Rubric></Class>
</ClaML>"""


async def test_claml(record: Database, tmp_path: Path) -> None:
    path = written(tmp_path, "icd.xml", CLAML)
    report = await load(record, "cim10", [path])
    assert (report.systems[0].version, report.systems[0].concepts) == ("2031", 3)
    async with record.reading() as tx:
        system = await resolving.system(tx, ICD)
        assert await relation(tx, system, "I", "A00") == "subsumes"
        found = await look_up(tx, system, "A00")
        assert found.concept.display == "Une maladie"
        assert found.concept.designations[0].value == "Autre nom"


async def test_hostile_claml_is_refused(record: Database, tmp_path: Path) -> None:
    bomb = '<!DOCTYPE ClaML [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><ClaML>&b;</ClaML>'
    with pytest.raises(Invalid, match="DOCTYPE"):
        await load(record, "cim10", [written(tmp_path, "bomb.xml", bomb)])


@WHOLE
async def test_ccam_of_the_shared_table(
    record: Database, shared_data: Path, tmp_path: Path, whole: bool
) -> None:
    path = shared(shared_data, "nomenclatures-fr/rpps_api/ccam.csv")
    report = await load(record, "ccam", [path if whole else beginning(path, tmp_path, 2_000)])
    assert report.systems[0].version == "81"
    async with record.reading() as tx:
        system = await resolving.system(tx, CCAM)
        found = await look_up(tx, system, "AHQB025")
        assert [one.code for one in found.parents] == ["01.01.01.01"]
        told = {p.name: p.value for p in found.concept.properties}
        assert told["regroupement"] == "ATM"
        assert told["tarif-1"] == "1/0 : 86.40"
        assert "Formation" in found.concept.definition
        assert await relation(tx, system, "01", "AHQB025") == "subsumes"
        assert len(await below(tx, CCAM, "01")) > 200
        every = await tx.fetchval("select count(*) from terminology.concept where not abstract")
        assert every == 8_257 if whole else every > 200


@WHOLE
async def test_bdpm_of_the_shared_files(
    record: Database, shared_data: Path, tmp_path: Path, whole: bool
) -> None:
    folder = shared(shared_data, "bdpm-2025")
    if not whole:
        for path in sorted(folder.glob("*.gz")):
            beginning(path, tmp_path, 1 if "Dispo" in path.name else 500)
        _keep_cis(tmp_path, folder)
        folder = tmp_path
    report = await load(record, "bdpm", [folder])
    assert [one.concepts for one in report.systems] == ([15_788, 20_882] if whole else [501, 500])
    async with record.reading() as tx:
        found = await look_up(
            tx, await resolving.system(tx, "urn:oid:1.2.250.1.213.2.3.1"), "60002283"
        )
        told = {p.name: p.value for p in found.concept.properties}
        assert told["substance"] == "42215"
        cip = await look_up(
            tx, await resolving.system(tx, "urn:oid:1.2.250.1.213.2.3.2"), "3400949497294"
        )
        assert {p.name: p.value for p in cip.concept.properties}["cis"] == "60002283"
        assert cip.concept.designations[0].value == "4949729"


def _keep_cis(short: Path, folder: Path) -> None:
    """The speciality that the test asks for, which stands far down the list."""
    text = gzip.decompress((folder / "CIS_bdpm.txt.gz").read_bytes())
    line = next(one for one in text.splitlines(keepends=True) if one.startswith(b"60002283"))
    with (short / "CIS_bdpm.txt").open("ab") as file:
        file.write(line)


async def test_bdpm_in_windows_letters_with_bad_lines(record: Database, tmp_path: Path) -> None:
    good = "60000001\tMÉDICAMENT D’ESSAI, gélule\tgélule\torale\tAutorisation abrogée\tp\tx\t01/01/2000\t\t\tLABO\tNon"
    written(tmp_path, "CIS_bdpm.txt", f"{good}\r\ncourt\tligne\n\n{good}\n", "cp1252")
    report = await load(record, "bdpm", [tmp_path])
    assert (report.systems[0].concepts, len(report.refused)) == (1, 2)
    async with record.reading() as tx:
        found = await look_up(
            tx, await resolving.system(tx, "urn:oid:1.2.250.1.213.2.3.1"), "60000001"
        )
        assert found.concept.display == "MÉDICAMENT D’ESSAI, gélule"
        assert found.concept.inactive


LOINC_HEAD = '"LOINC_NUM","COMPONENT","PROPERTY","TIME_ASPCT","SYSTEM","SCALE_TYP","METHOD_TYP","CLASS","STATUS","SHORTNAME","LONG_COMMON_NAME"\n'


async def test_loinc_with_variant_and_hierarchy(record: Database, tmp_path: Path) -> None:
    written(
        tmp_path, "Loinc.csv",
        LOINC_HEAD
        + '"90001-1","Essai","MCnc","Pt","Ser","Qn","","CHEM","ACTIVE","Essai Ser","Invented in serum"\n'
        '"90002-9","Autre","MCnc","Pt","Ur","Ord","","CHEM","DEPRECATED","Autre Ur","Invented in urine"\n'
        '"wrong","","","","","","","","ACTIVE","",""\n',
    )  # fmt: skip
    written(
        tmp_path, "frFR18LinguisticVariant.csv",
        '"LOINC_NUM","COMPONENT","LinguisticVariantDisplayName"\n"90001-1","Essai","Essai inventé [Sérum]"\n',
    )  # fmt: skip
    written(
        tmp_path, "ComponentHierarchyBySystem.csv",
        "PATH_TO_ROOT,SEQUENCE,IMMEDIATE_PARENT,CODE,CODE_TEXT\n,1,,LP1-1,Root\nLP1-1,1,LP1-1,90001-1,x\n",
    )  # fmt: skip
    report = await load(record, "loinc", [tmp_path], Edition(version="9.99"))
    assert (report.systems[0].concepts, len(report.refused)) == (3, 1)
    serum = {"resourceType": "ValueSet", "compose": {"include": [{
        "system": "http://loinc.org",
        "filter": [{"property": "SCALE_TYP", "op": "=", "value": "Qn"}]}]}}  # fmt: skip
    async with record.reading() as tx:
        found = await expand(tx, serum, Wish(language="fr"))
        assert found["expansion"]["contains"][0]["display"] == "Essai inventé [Sérum]"
        assert await below(tx, "http://loinc.org", "LP1-1") == ["LP1-1", "90001-1"]
        assert await member(tx, "http://loinc.org/vs", "http://loinc.org", "90002-9") is True
        active = await expand(tx, "http://loinc.org/vs", Wish(active_only=True))
        assert "90002-9" not in codes(active)


@WHOLE
async def test_every_value_set_of_the_agency(
    record: Database, shared_data: Path, whole: bool
) -> None:
    folder = shared(shared_data, "nomenclatures-fr/jeuxDeValeurs")
    files = [p for p in sorted(folder.glob("*.xml")) if whole or p.name[4] in "ABC"]
    files = [path for path in files if whole or path.stat().st_size < 100_000]
    report = await load(record, "jdv", files)
    assert report.resources >= (500 if whole else 50)
    async with record.reading() as tx:
        stored = await tx.fetchval("select count(*) from terminology.value_set")
        assert stored == report.resources
        name = "urn:oid:1.2.250.1.213.1.1.5.757"
        assert await member(tx, name, "http://loinc.org", "73813-8") is True
        assert await member(tx, name, "http://loinc.org", "0-0") is False
        local = await resolving.system(tx, "urn:oid:1.2.250.1.213.1.1.4.322")
        assert (await look_up(tx, local, "MED-1249")).concept.display.startswith("Anesthésie")
    again = await load(record, "jdv", files)
    assert again.resources == 0


async def test_french_core_package_resources(record: Database, tmp_path: Path) -> None:
    path = written(
        tmp_path, "bundle.xml",
        '<Bundle xmlns="http://hl7.org/fhir"><type value="collection"/><entry><resource><CodeSystem>'
        '<url value="urn:cs"/><status value="active"/><content value="complete"/>'
        '<concept><code value="a"/><display value="Un"/></concept></CodeSystem></resource></entry>'
        "</Bundle>",
    )  # fmt: skip
    written(tmp_path, "other.json", '{"resourceType":"Patient"}')
    written(tmp_path, "bad.json", "{")
    report = await load(record, "fhir", [path.parent])
    assert (report.resources, len(report.refused)) == (1, 1)
    async with record.reading() as tx:
        assert (
            await look_up(tx, await resolving.system(tx, "urn:cs"), "a")
        ).concept.display == "Un"


async def test_a_new_edition_keeps_what_it_leaves_out(record: Database, tmp_path: Path) -> None:
    first = written(tmp_path, "a.json", '[["A00","Un"],["A00.1","Deux"],["B00","Trois"]]')
    second = written(tmp_path, "b.json", '[["A00","Un changé"],["B00","Trois"],["C00","Neuf"]]')
    await load(record, "cim10", [first], Edition(version="2030"))
    report = await load(record, "cim10", [second], Edition(version="2031"))
    done = report.systems[0]
    assert (done.added, done.changed, done.withdrawn, done.concepts) == (1, 1, 1, 4)
    async with record.reading() as tx:
        now = await resolving.system(tx, ICD)
        assert now.header.version == "2031"
        gone = await look_up(tx, now, "A00.1")
        assert (gone.concept.display, gone.concept.inactive) == ("Deux", True)
        before = await resolving.system(tx, ICD, "2030")
        assert (await look_up(tx, before, "A00")).concept.display == "Un"
        with pytest.raises(NotFound):
            await look_up(tx, before, "C00")


@pytest.mark.parametrize("kind", ["cim10", "ccam", "bdpm", "loinc"])
async def test_another_file_is_refused(record: Database, tmp_path: Path, kind: str) -> None:
    with pytest.raises(Invalid, match="this is not"):
        await load(record, kind, [written(tmp_path, "x.txt", "bonjour\nle monde\n")])


async def test_unknown_kinds_and_empty_folders_are_refused(
    record: Database, tmp_path: Path
) -> None:
    with pytest.raises(Invalid, match="Accepted: cim10"):
        await load(record, "snomed", [tmp_path])
    with pytest.raises(Invalid, match="No file"):
        await load(record, "cim10", [tmp_path])
