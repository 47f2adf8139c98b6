"""Promise: what the standard says in words holds where the published cases do not look."""

from __future__ import annotations

from typing import Any

import pytest

from liane.fhir import fhirpath

pytestmark = pytest.mark.unit

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p",
    "contained": [{"resourceType": "Organization", "id": "o", "name": "Org"}],
    "managingOrganization": {"reference": "#o"},
    "generalPractitioner": [{"reference": "Practitioner/gp"}],
    "gender": "female",
    "birthDate": "1980-02",
    "_birthDate": {"id": "b", "extension": [{"url": "http://t", "valueString": "noon"}]},
    "name": [
        {"given": ["A", None, "C"], "_given": [None, {"extension": [{"url": "http://n", "valueCode": "x"}]}]}
    ],
    "deceasedBoolean": False,
}  # fmt: skip

ANSWERS: list[tuple[str, list[Any]]] = [
    ("name.given.count()", [3]),
    ("name.given.where(hasValue()).count()", [2]),
    ("name.given[1].extension.value", ["x"]),
    ("name.given.extension('http://n').value is code", [True]),
    ("birthDate.id", ["b"]),
    ("birthDate.extension('http://t').value", ["noon"]),
    ("birthDate.getValue() = @1980-02", [True]),
    ("birthDate < @1980-02-10", []),
    ("birthDate < @1980-03-01", [True]),
    ("birthDate = @1981", [False]),
    ("deceased", [False]),
    ("deceased is boolean", [True]),
    ("deceased.exists() and deceased.not()", [True]),
    ("managingOrganization.resolve().name", ["Org"]),
    ("managingOrganization.resolve() is Organization", [True]),
    ("generalPractitioner.resolve().active", [True]),
    ("contained.name", ["Org"]),
    ("gender.memberOf('http://genders')", [True]),
    ("gender.memberOf('http://unknown')", []),
    ("%resource.id", ["p"]),
    ("%mine", ["yours"]),
    ("name.select(%context.id)", ["p"]),
    ("iif(gender = 'female', 1, 2)", [1]),
    ("name.given.trace('never written').first()", ["A"]),
    ("(1 | 2).aggregate($total + $this, 0)", [3]),
    ("defineVariable('a', gender).select(%a)", ["female"]),
    ("1 year > 11 months", [True]),
    ("1 'kg' > 999 'g'", [True]),
    ("1 'kg' = 1 'm'", []),
    ("37 'Cel' = 310.15 'K'", [True]),
    ("1 'mg/dL' = 0.01 'g/L'", [True]),
    ("@2020-02-29 + 1 year", ["2021-02-28"]),
    ("@2020-01-31 + 1 month", ["2020-02-29"]),
    ("@2020 + 24 months", ["2022"]),
    ("@T23:30 + 1 hour", ["00:30"]),
    ("@2020-01-01T00:00:00Z + 90 minutes", ["2020-01-01T01:30:00Z"]),
    ("@2020-12-31T23:30:00-05:00 = @2021-01-01T04:30:00Z", [True]),
    ("10 div 3 | 10 mod 3", [3, 1]),
    ("-7 div 2", [-3]),
    ("1.10 + 2.20 = 3.3", [True]),
    ("0.1 + 0.2 = 0.3", [True]),
    ("'a' in ('a' | 'b')", [True]),
    ("{} in ('a' | 'b')", []),
    ("('b' | 'a').sort().first()", ["a"]),
    ("'x'.matches('^[a-z]$')", [True]),
    ("'a-b'.replaceMatches('([a-z])-([a-z])', '$2+$1')", ["b+a"]),
    ("'1'.toInteger() + '2'.toInteger()", [3]),
    ("'Zoé'.upper()", ["ZOÉ"]),
    ("descendants().where($this is Reference).count()", [2]),
    ("type().name", ["Patient"]),
    ("is(DomainResource) and is(Resource) and is(Person).not()", [True]),
    ("text.`div`.exists() or text.div.exists()", [False]),
]


@pytest.mark.parametrize(("expression", "answer"), ANSWERS, ids=[text for text, _ in ANSWERS])
def test_an_expression_has_its_answer(expression: str, answer: list[Any]) -> None:
    def resolve(reference: str) -> dict[str, Any] | None:
        known = {"Practitioner/gp": {"resourceType": "Practitioner", "id": "gp", "active": True}}
        return known.get(reference)

    def member_of(url: str, system: str | None, code: str) -> bool | None:
        return code == "female" if url == "http://genders" else None

    found = fhirpath.compile(expression).evaluate(
        PATIENT, resolve=resolve, member_of=member_of, variables={"mine": "yours"}
    )
    assert [str(v) if isinstance(v, fhirpath.Moment) else v for v in found] == answer


@pytest.mark.parametrize(
    "expression",
    ["name.", "name..given", "1 +", "nothing()", "%unknown", "exists(1, 2)", "'\\x'", "@2020-13-01",
     "@2021-02-29", "1 is Nothing", "(1 | 2) + 1", "'a' > 1", "name.given.single()", "'a'.substring()",
     "@T25:00", "today() + 1 'kg'", "1.lowBoundary('a')", "is(Other.Patient)"],
)  # fmt: skip
def test_what_is_wrong_is_refused_in_both_languages(expression: str) -> None:
    with pytest.raises(fhirpath.Wrong) as refusal:
        fhirpath.compile(expression).evaluate(PATIENT)
    assert refusal.value.fr.startswith("Expression FHIRPath refusée")
    assert refusal.value.en.startswith("FHIRPath expression refused")


def test_subsumption_asks_the_terminology_given() -> None:
    coding = {"system": "s", "code": "a"}
    node = fhirpath.node_of({"coding": [coding]}, "CodeableConcept")

    def above(system: str, code: str, other: str) -> bool | None:
        return {("s", "a", "b"): True, ("s", "b", "a"): False}.get((system, code, other))

    def answer(expression: str, **hooks: Any) -> list[Any]:
        other = {"b": {"system": "s", "code": "b"}, "a": coding, "z": {"system": "s", "code": "z"}}
        return fhirpath.compile(expression).evaluate(node, variables=other, **hooks)

    assert answer("subsumes(%b)", subsumes=above) == [True]
    assert answer("subsumedBy(%b)", subsumes=above) == [False]
    assert answer("subsumes(%a)") == [True]
    assert answer("subsumes(%b)") == answer("subsumes(%z)", subsumes=above) == []


@pytest.mark.parametrize(
    ("reference", "type_"),
    [("Patient/1", "Patient"), ("http://x/fhir/Group/1/_history/2", "Group"), ("urn:uuid:1", None),
     ("#a", None), ("Nothing/1", None), ("Patient/1/x", None), ("", None)],
)  # fmt: skip
def test_the_type_of_a_reference_is_read_from_its_text(reference: str, type_: str | None) -> None:
    resource = {"resourceType": "Observation", "subject": {"reference": reference}}
    for wanted in ("Patient", "Group"):
        path = fhirpath.compile(f"Observation.subject.where(resolve() is {wanted}).exists()")
        assert path.evaluate(resource, resolve=fhirpath.stub_of) == [type_ == wanted]


def test_an_invariant_with_no_answer_holds() -> None:
    assert fhirpath.compile("photo.size > 3").test(PATIENT)
    assert not fhirpath.compile("gender = 'male'").test(PATIENT)


def test_invariants_of_parts_know_their_type_and_their_resource() -> None:
    contact = {"gender": "male"}
    node = fhirpath.node_of(contact, "Patient.contact")
    rule = fhirpath.compile("name.exists() or telecom.exists()")
    assert not rule.test(node, resource=PATIENT)
    assert fhirpath.compile("%resource.id = 'p' and is(BackboneElement)").test(
        node, resource=PATIENT
    )


def test_strict_refuses_members_that_the_type_does_not_have() -> None:
    with pytest.raises(fhirpath.Wrong):
        fhirpath.compile("name.nickname").evaluate(PATIENT, strict=True)
    assert fhirpath.compile("name.nickname").evaluate(PATIENT) == []
