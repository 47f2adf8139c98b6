"""Promise: the terminology operations of R4, by GET and POST, on a type and on one resource."""

from __future__ import annotations

from typing import Any

import pytest

from liane.store import Database
from liane.store.terminology import project
from tests.gateways.fhir.conftest import Fhir
from tests.store.terminology.cases import ANIMALS, CODE_SYSTEM, filtered, value_set

STATUS = "http://hl7.org/fhir/observation-status"


@pytest.fixture
def database(database: Database) -> Database:
    """The record as the platform opens it for terminology."""
    database.projections = (project,)
    return database


@pytest.fixture
async def filled(fhir: Fhir) -> Fhir:
    assert (await fhir("PUT", "/CodeSystem/animals", CODE_SYSTEM)).status_code == 201
    mammals = value_set(filtered("concept", "is-a", "mammal"), id="mammals", url="urn:mammals")
    assert (await fhir("PUT", "/ValueSet/mammals", mammals)).status_code == 201
    assert (await fhir("PUT", "/ConceptMap/legs", CONCEPT_MAP)).status_code == 201
    return fhir


CONCEPT_MAP: dict[str, Any] = {
    "resourceType": "ConceptMap", "id": "legs", "url": "urn:legs", "status": "active",
    "sourceUri": "urn:mammals", "targetUri": "urn:words",
    "group": [
        {
            "source": ANIMALS, "target": "urn:words",
            "element": [
                {"code": "cat", "target": [
                    {"code": "chat", "display": "Chat", "equivalence": "equivalent"},
                    {"code": "félin", "equivalence": "wider",
                     "product": [{"property": "urn:p", "system": "urn:q", "value": "v"}]}]},
                {"code": "dodo", "target": [{"equivalence": "unmatched", "comment": "gone"}]},
            ],
            "unmapped": {"mode": "fixed", "code": "autre", "display": "Autre"},
        }
    ],
}  # fmt: skip


def told(answer: Any) -> dict[str, Any]:
    """The simple parameters of an answer by name."""
    found = {}
    for one in answer.json().get("parameter", []):
        for key, value in one.items():
            if key.startswith("value"):
                found[one["name"]] = value
    return found


def parts(answer: Any, name: str) -> list[dict[str, Any]]:
    """The parameters of one name, their parts by name."""
    return [
        {p["name"]: next(v for k, v in p.items() if k != "name") for p in one["part"]}
        for one in answer.json().get("parameter", [])
        if one["name"] == name
    ]


def body(**values: Any) -> dict[str, Any]:
    """A Parameters body: codings and concepts as they are, resources as resources."""
    entries = []
    for name, value in values.items():
        if isinstance(value, dict) and "resourceType" in value:
            entries.append({"name": name, "resource": value})
        elif isinstance(value, dict):
            kind = "valueCodeableConcept" if "coding" in value else "valueCoding"
            entries.append({"name": name, kind: value})
        else:
            kind = (
                "valueBoolean"
                if isinstance(value, bool)
                else "valueUri"
                if name in ("system", "url")
                else "valueString"
            )
            entries.append({"name": name, kind: value})
    return {"resourceType": "Parameters", "parameter": entries}


async def test_lookup_tells_all_that_is_known(filled: Fhir) -> None:
    answer = await filled("GET", f"/CodeSystem/$lookup?system={ANIMALS}&code=cat")
    assert answer.status_code == 200
    assert told(answer) == {"name": "Animals", "version": "1.0", "display": "Domestic cat"}
    assert parts(answer, "designation")[0]["value"] == "Chat domestique"
    said = {(one["code"], one["value"]) for one in parts(answer, "property")}
    assert {("legs", 4), ("habitat", "house"), ("parent", "mammal"), ("abstract", False)} <= said
    french = await filled(
        "GET", f"/CodeSystem/$lookup?system={ANIMALS}&code=cat&displayLanguage=fr"
    )
    assert told(french)["display"] == "Chat domestique"
    less = await filled("GET", f"/CodeSystem/$lookup?system={ANIMALS}&code=mammal&property=child")
    assert [one["value"] for one in parts(less, "property")] == ["cat", "bat"]
    posted = await filled(
        "POST", "/CodeSystem/$lookup", body(coding={"system": ANIMALS, "code": "bat"})
    )
    assert told(posted)["display"] == "Bat"


async def test_lookup_serves_what_r4_brings(fhir: Fhir) -> None:
    answer = await fhir("GET", f"/CodeSystem/$lookup?system={STATUS}&code=corrected")
    assert told(answer)["display"] == "Corrected"
    assert ("parent", "amended") in {(p["code"], p["value"]) for p in parts(answer, "property")}
    country = await fhir(
        "GET", "/CodeSystem/$lookup?system=urn:iso:std:iso:3166&code=DE&displayLanguage=fr"
    )
    assert told(country)["display"] == "Allemagne"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        (f"system={ANIMALS}&code=unicorn", 404, "not-found"),
        ("system=urn:unknown&code=x", 404, "not-found"),
        ("code=cat", 400, "invalid"),
        (f"system={ANIMALS}", 400, "invalid"),
        (f"system={ANIMALS}&code=cat&colour=red", 400, "invalid"),
        (f"system={ANIMALS}&code=cat&coding={ANIMALS}|cat", 400, "invalid"),
        (f"system={ANIMALS}&version=7&code=cat", 404, "not-found"),
    ],
)
async def test_lookup_refuses_plainly(filled: Fhir, query: str, status: int, code: str) -> None:
    for language, word in (("fr", "«"), ("en", "'")):
        answer = await filled("GET", f"/CodeSystem/$lookup?{query}", Accept_Language=language)
        assert answer.status_code == status
        issue = answer.json()["issue"][0]
        assert issue["code"] == code
        assert (
            word in issue["diagnostics"]
            or "exactement" in issue["diagnostics"]
            or "exactly" in issue["diagnostics"]
        )


@pytest.mark.parametrize(
    ("a", "b", "outcome"),
    [
        ("cat", "cat", "equivalent"),
        ("animal", "bat", "subsumes"),
        ("bat", "flyer", "subsumed-by"),
        ("cat", "flyer", "not-subsumed"),
    ],
)
async def test_subsumption(filled: Fhir, a: str, b: str, outcome: str) -> None:
    typed = await filled("GET", f"/CodeSystem/$subsumes?system={ANIMALS}&codeA={a}&codeB={b}")
    assert told(typed) == {"outcome": outcome}
    one = await filled("GET", f"/CodeSystem/animals/$subsumes?codeA={a}&codeB={b}")
    assert told(one) == {"outcome": outcome}
    coded = body(codingA={"system": ANIMALS, "code": a}, codingB={"system": ANIMALS, "code": b})
    assert told(await filled("POST", "/CodeSystem/$subsumes", coded)) == {"outcome": outcome}


async def test_subsumption_refuses_two_systems_and_unknown_codes(filled: Fhir) -> None:
    coded = body(
        codingA={"system": ANIMALS, "code": "cat"}, codingB={"system": STATUS, "code": "final"}
    )
    assert (await filled("POST", "/CodeSystem/$subsumes", coded)).status_code == 400
    query = f"/CodeSystem/$subsumes?system={ANIMALS}&codeA=cat&codeB=unicorn"
    assert (await filled("GET", query)).status_code == 404


async def test_codes_are_checked_against_a_system(filled: Fhir) -> None:
    right = told(await filled("GET", f"/CodeSystem/$validate-code?url={ANIMALS}&code=cat"))
    assert (right["result"], right["display"], right["version"]) == (True, "Domestic cat", "1.0")
    wrong = told(await filled("GET", f"/CodeSystem/$validate-code?url={ANIMALS}&code=unicorn"))
    assert wrong["result"] is False
    assert "unicorn" in wrong["message"]
    words = told(await filled("GET", "/CodeSystem/animals/$validate-code?code=cat&display=Dog"))
    assert (words["result"], words["display"]) == (False, "Domestic cat")
    other = told(
        await filled("GET", "/CodeSystem/animals/$validate-code?code=cat&display=CHAT DOMESTIQUE")
    )
    assert other["result"] is True
    gone = told(
        await filled("GET", "/CodeSystem/animals/$validate-code?code=dodo", Accept_Language="en")
    )
    assert gone["result"] is True
    assert "no longer" in gone["message"]
    abstract = "/CodeSystem/animals/$validate-code?code=animal&abstract=false"
    assert told(await filled("GET", abstract))["result"] is False
    unknown = told(await filled("GET", "/CodeSystem/$validate-code?url=urn:unknown&code=cat"))
    assert unknown["result"] is False
    inline = {**CODE_SYSTEM, "url": "urn:inline", "id": "x"}
    posted = await filled("POST", "/CodeSystem/$validate-code", body(codeSystem=inline, code="bat"))
    assert told(posted)["result"] is True


async def test_codes_are_checked_against_a_value_set(filled: Fhir) -> None:
    inside = f"/ValueSet/$validate-code?url=urn:mammals&system={ANIMALS}&code=cat"
    assert told(await filled("GET", inside))["result"] is True
    outside = await filled(
        "GET", "/ValueSet/mammals/$validate-code?code=bird", Accept_Language="en"
    )
    assert told(outside)["result"] is False
    assert "urn:mammals" in told(outside)["message"]
    concept = {"coding": [{"system": "urn:x", "code": "cat"}, {"system": ANIMALS, "code": "bat"}]}
    posted = body(url="urn:mammals", codeableConcept=concept)
    assert told(await filled("POST", "/ValueSet/$validate-code", posted))["code"] == "bat"
    inline = body(
        valueSet=value_set(filtered("legs", "=", "2")), coding={"system": ANIMALS, "code": "bird"}
    )
    assert told(await filled("POST", "/ValueSet/$validate-code", inline))["result"] is True
    built = (
        "/ValueSet/$validate-code?url=http://hl7.org/fhir/ValueSet/observation-status&code=final"
    )
    assert told(await filled("GET", built))["system"] == STATUS
    language = "/ValueSet/$validate-code?url=http://hl7.org/fhir/ValueSet/languages&system=urn:ietf:bcp:47&code=fr"
    assert told(await filled("GET", language))["result"] is True
    missing = await filled("GET", "/ValueSet/$validate-code?url=urn:none&code=x")
    assert missing.status_code == 404


async def test_expansion_by_every_door(filled: Fhir) -> None:
    typed = await filled(
        "GET", "/ValueSet/$expand?url=urn:mammals&filter=ca&includeDesignations=true"
    )
    assert [one["code"] for one in typed.json()["expansion"]["contains"]] == ["cat"]
    one = await filled("GET", "/ValueSet/mammals/$expand?count=1&offset=1")
    assert [c["code"] for c in one.json()["expansion"]["contains"]] == ["cat"]
    assert one.json()["expansion"]["total"] == 3
    direct = await filled("POST", "/ValueSet/$expand", value_set(filtered("legs", "=", "2")))
    assert [c["code"] for c in direct.json()["expansion"]["contains"]] == ["bat", "bird"]
    wrapped = body(valueSet=value_set({"system": ANIMALS}), activeOnly=True, excludeNotForUI=True)
    found = await filled("POST", "/ValueSet/$expand", wrapped)
    assert [c["code"] for c in found.json()["expansion"]["contains"]] == [
        "mammal",
        "cat",
        "bat",
        "bird",
        "flyer",
    ]
    built = await filled(
        "GET", "/ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/administrative-gender"
    )
    assert built.json()["expansion"]["total"] == 4
    xml = await filled("GET", "/ValueSet/mammals/$expand?_format=xml")
    assert b'<code value="cat"/>' in xml.content


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/ValueSet/$expand", 400, "invalid"),
        ("/ValueSet/$expand?url=urn:none", 404, "not-found"),
        ("/ValueSet/none/$expand", 404, "not-found"),
        ("/ValueSet/$expand?url=urn:mammals&count=-1", 400, "invalid"),
        ("/ValueSet/$expand?url=urn:mammals&nonsense=1", 400, "invalid"),
        ("/ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/languages", 200, ""),
        ("/ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/all-languages", 422, "not-found"),
        ("/ValueSet/$expand?url=http://terminology.hl7.org/ValueSet/v3-hl7Realm", 200, ""),
    ],
)
async def test_expansion_refuses_plainly(filled: Fhir, path: str, status: int, code: str) -> None:
    answer = await filled("GET", path)
    assert answer.status_code == status
    if code:
        assert answer.json()["issue"][0]["code"] == code


async def test_translation_both_ways(filled: Fhir) -> None:
    forward = await filled("GET", f"/ConceptMap/$translate?url=urn:legs&system={ANIMALS}&code=cat")
    assert told(forward)["result"] is True
    matches = parts(forward, "match")
    assert [(m["equivalence"], m["concept"]["code"]) for m in matches] == [
        ("equivalent", "chat"),
        ("wider", "félin"),
    ]
    assert matches[0]["source"] == "urn:legs"
    gone = await filled("GET", f"/ConceptMap/legs/$translate?system={ANIMALS}&code=dodo")
    assert told(gone)["result"] is False
    assert parts(gone, "match")[0]["equivalence"] == "unmatched"
    rest = await filled(
        "GET",
        f"/ConceptMap/$translate?source=urn:mammals&target=urn:words&system={ANIMALS}&code=bat",
    )
    assert parts(rest, "match")[0]["concept"]["code"] == "autre"
    back = await filled(
        "GET", "/ConceptMap/$translate?url=urn:legs&system=urn:words&code=félin&reverse=true"
    )
    assert (parts(back, "match")[0]["equivalence"], parts(back, "match")[0]["concept"]["code"]) == (
        "narrower",
        "cat",
    )
    inline = body(
        conceptMap={**CONCEPT_MAP, "url": "urn:other"}, coding={"system": ANIMALS, "code": "cat"}
    )
    assert len(parts(await filled("POST", "/ConceptMap/$translate", inline), "match")) == 2
    none = await filled("GET", f"/ConceptMap/$translate?url=urn:none&system={ANIMALS}&code=cat")
    assert none.status_code == 404


async def test_a_client_keeps_a_closure_table(filled: Fhir) -> None:
    def asked(*codes: str, name: str = "mine", version: str = "") -> dict[str, Any]:
        entries: list[dict[str, Any]] = [{"name": "name", "valueString": name}]
        entries += [
            {"name": "concept", "valueCoding": {"system": ANIMALS, "code": c}} for c in codes
        ]
        if version:
            entries.append({"name": "version", "valueString": version})
        return {"resourceType": "Parameters", "parameter": entries}

    def links(answer: Any) -> set[tuple[str, str]]:
        assert answer.status_code == 200, answer.text
        return {
            (element["code"], target["code"])
            for group in answer.json().get("group", [])
            for element in group["element"]
            for target in element["target"]
        }

    early = await filled("POST", "/$closure", asked("cat"))
    assert (early.status_code, early.json()["issue"][0]["code"]) == (404, "not-found")
    begun = await filled("POST", "/$closure", asked())
    assert (begun.json()["version"], links(begun)) == ("0", set())
    assert links(await filled("POST", "/$closure", asked("cat", "animal"))) == {("cat", "animal")}
    more = await filled("POST", "/$closure", asked("mammal", "bird"))
    assert links(more) == {("cat", "mammal"), ("mammal", "animal"), ("bird", "animal")}
    assert more.json()["version"] == "2"
    assert links(await filled("POST", "/$closure", asked("cat"))) == set()
    assert len(links(await filled("POST", "/$closure", asked(version="0")))) == 4
    assert len(links(await filled("POST", "/$closure", asked(version="1")))) == 3
    other = await filled("POST", "/$closure", asked("cat"), token="chu")
    assert other.status_code == 404
    wrong = asked(version="one")
    assert (await filled("POST", "/$closure", wrong)).status_code == 400
    assert (await filled("POST", "/$closure", {"resourceType": "Parameters"})).status_code == 400


async def test_what_r4_maps_is_translated(fhir: Fhir) -> None:
    query = "url=http://hl7.org/fhir/ConceptMap/cm-administrative-gender-v3&system=http://hl7.org/fhir/administrative-gender&code=male"
    answer = await fhir("GET", f"/ConceptMap/$translate?{query}")
    assert parts(answer, "match")[0]["concept"]["code"] == "M"


async def test_operations_answer_inside_a_batch(filled: Fhir) -> None:
    def asked(url: str) -> dict[str, Any]:
        return {"request": {"method": "GET", "url": url}}

    batch = {"resourceType": "Bundle", "type": "batch", "entry": [
        asked("ValueSet/$expand?url=urn:mammals&count=1"),
        asked(f"CodeSystem/$lookup?system={ANIMALS}&code=unicorn"),
        asked(f"CodeSystem/$validate-code?url={ANIMALS}&code=cat"),
    ]}  # fmt: skip
    answer = await filled("POST", "", batch)
    entries = answer.json()["entry"]
    assert [one["response"]["status"][:3] for one in entries] == ["200", "404", "200"]
    assert entries[0]["resource"]["expansion"]["total"] == 3
    assert entries[2]["resource"]["parameter"][0] == {"name": "result", "valueBoolean": True}


async def test_only_those_who_may_read_terminology_are_answered(filled: Fhir) -> None:
    for path in ("/ValueSet/$expand?url=urn:mammals", f"/CodeSystem/$lookup?system={ANIMALS}&code=cat",
                 f"/ConceptMap/$translate?system={ANIMALS}&code=cat"):  # fmt: skip
        assert (await filled("GET", path, token="reader")).status_code == 403
        assert (await filled("GET", path, token="")).status_code == 401
    assert (
        await filled("GET", "/ValueSet/$expand?url=urn:mammals", token="nurse")
    ).status_code == 200


async def test_the_capability_statement_names_them(fhir: Fhir) -> None:
    statement = (await fhir("GET", "/metadata", token="")).json()
    named = {
        (resource["type"], operation["name"])
        for resource in statement["rest"][0]["resource"]
        for operation in resource.get("operation", [])
    }
    assert {("CodeSystem", "lookup"), ("CodeSystem", "subsumes"), ("CodeSystem", "validate-code"),
            ("ValueSet", "expand"), ("ValueSet", "validate-code"), ("ConceptMap", "translate")} <= named  # fmt: skip


@pytest.mark.parametrize(
    "parameter",
    [
        [{"name": "codeableConcept", "valueCodeableConcept": {"coding": {"code": "a"}}}],
        [{"name": "coding", "valueCoding": {"code": 5}}, 7, None],
        [{"name": "coding", "valueCoding": "x"}],
        [
            {"name": "valueSet", "resource": {"resourceType": "Patient"}},
            {"name": "code", "valueCode": "a"},
        ],
        [{"name": "valueSet", "resource": []}, {"name": "code", "valueCode": "a"}],
        [{"name": "concept", "valueCoding": None}, {"name": "name", "valueString": "x"}],
        [{"name": "name", "valueString": "x\u0000"}],
    ],
)
async def test_misshapen_parameters_are_refused(filled: Fhir, parameter: Any) -> None:
    sent = {"resourceType": "Parameters", "parameter": parameter}
    for path in (
        "/ValueSet/$validate-code",
        "/CodeSystem/$lookup",
        "/ConceptMap/$translate",
        "/$closure",
    ):
        answer = await filled("POST", path, sent)
        assert 400 <= answer.status_code < 500, (path, answer.text)


@pytest.mark.parametrize(
    "sign", ["%00", "%ED%9F%BF", "%ED%A0%80", "%FF", "%F4%8F%BF%BF", "%25", "%5C", "'%22"]
)
async def test_strange_signs_are_answered(filled: Fhir, sign: str) -> None:
    for path in (
        f"/ValueSet/$expand?url=urn:mammals&filter={sign}",
        f"/ValueSet/$expand?url=urn:mammals&filter=a{sign}b",
        f"/ValueSet/$expand?url={sign}",
        f"/CodeSystem/$lookup?system={ANIMALS}&code={sign}",
        f"/CodeSystem/$lookup?system={ANIMALS}&version={sign}&code=cat",
        f"/CodeSystem/$subsumes?system={ANIMALS}&codeA={sign}&codeB=cat",
        f"/ValueSet/$validate-code?url=urn:mammals&system={ANIMALS}&code={sign}",
        f"/ValueSet/$validate-code?url=urn:mammals&code=cat&display={sign}",
        f"/ConceptMap/$translate?url=urn:legs&system={ANIMALS}&code={sign}",
        f"/ConceptMap/$translate?url={sign}&code=cat",
    ):
        answer = await filled("GET", path)
        assert answer.status_code < 500, (path, answer.text)
