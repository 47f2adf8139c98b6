"""Does the one decision function answer every cell of the policy as it is written?"""

from __future__ import annotations

import itertools

import pytest

from liane.access.actor import SYSTEM, Actor, Role, partner
from liane.access.decision import PARTNER_WRITES, Facts, PatientFacts, Relation, decide
from liane.access.permissions import Permission
from liane.access.policy import (
    CLINICAL_ROLES,
    DEFAULT_SCOPE,
    OF_THE_ROLE_ALONE,
    POLICY,
    permissions_of,
)

pytestmark = pytest.mark.unit

HERE, THERE = "uf-here", "uf-there"
SITUATIONS = {
    "own unit, present": PatientFacts((Relation("present", HERE, "chu"),)),
    "own unit, expected": PatientFacts((Relation("expected", HERE, "chu"),)),
    "own unit, left recently": PatientFacts((Relation("recent", HERE, "chu"),)),
    "care team": PatientFacts((Relation("care_team", "", "chg", "me"),)),
    "another's care team": PatientFacts((Relation("care_team", "", "chg", "other"),)),
    "other unit": PatientFacts((Relation("present", THERE, "chu"),)),
    "other establishment": PatientFacts((Relation("present", "uf-far", "chg"),)),
    "protected, own unit": PatientFacts((Relation("present", HERE, "chu"),), protected=True),
    "protected, other unit": PatientFacts((Relation("present", THERE, "chu"),), protected=True),
    "no tie, or no such patient": PatientFacts(),
}
OWN = {
    "own unit, present",
    "own unit, expected",
    "own unit, left recently",
    "care team",
    "protected, own unit",
}


def staff(code: str, scope: str) -> Actor:
    return Actor("staff", "me", "M", (Role(code, "chu", (HERE,), scope),))  # type: ignore[arg-type]


def expected(code: str, scope: str, permission: Permission, situation: str) -> bool:
    """The policy in words, written a second time and differently."""
    if permission in (Permission.PUBLIC, Permission.SIGNED_IN):
        return True
    wanted = Permission.CHART_READ if permission is Permission.FHIR_API else permission
    if wanted not in POLICY[code]:
        return False
    if permission in OF_THE_ROLE_ALONE or situation in OWN:
        return True
    if situation.startswith("protected") and code not in CLINICAL_ROLES:
        return False
    if scope == "group":
        return True
    return scope == "establishment" and situation in ("other unit", "protected, other unit")


@pytest.mark.parametrize("code", POLICY)
def test_the_matrix_of_roles_permissions_and_situations(code: str) -> None:
    cells = itertools.product(("unit", "establishment", "group"), Permission, SITUATIONS)
    for scope, permission, situation in cells:
        found = decide(Facts(staff(code, scope), permission, SITUATIONS[situation]))
        assert found.allowed is expected(code, scope, permission, situation), (
            scope,
            permission,
            situation,
            found,
        )


def test_nothing_is_allowed_by_default() -> None:
    nobody = Actor("staff", "me", "M")
    unknown = Actor("staff", "me", "M", (Role("stranger", "chu", (HERE,), "group"),))
    odd = Actor("visitor", "me", "M")  # type: ignore[arg-type]
    for permission in set(Permission) - {Permission.PUBLIC, Permission.SIGNED_IN}:
        for actor in (nobody, unknown, odd):
            for facts in (None, *SITUATIONS.values()):
                assert not decide(Facts(actor, permission, facts)).allowed


def test_the_it_department_sees_interfaces_and_no_clinical_text() -> None:
    dsi = permissions_of("dsi")
    assert Permission.INTERFACES_VIEW in dsi
    clinical = {
        Permission.CHART_READ,
        Permission.RESULT_READ,
        Permission.DOCUMENT_READ,
        Permission.IMAGE_READ,
        Permission.INTERFACES_CONTENT,
        Permission.PATIENT_SEARCH,
        Permission.BOARD_VIEW,
        Permission.FHIR_API,
        Permission.DICOMWEB,
    }
    for role in ("dsi", "rssi", "dpo", "admin"):
        assert not permissions_of(role) & clinical
        assert not decide(Facts(staff(role, "group"), Permission.FHIR_API)).allowed


def test_a_role_of_another_unit_does_not_lend_its_permissions() -> None:
    """A doctor there who is a care assistant here does not prescribe here."""
    both = Actor("staff", "me", "M", (Role("as", "chu", (HERE,)), Role("medecin", "chu", (THERE,))))
    here = PatientFacts((Relation("present", HERE, "chu"),))
    assert not decide(Facts(both, Permission.PRESCRIBE, here)).allowed
    assert decide(Facts(both, Permission.VITALS_WRITE, here)).allowed


def test_programs_pass_only_the_doors_for_programs() -> None:
    program = Actor("client", "c", "C", scopes=("system/*.cruds",))
    bare = Actor("client", "c", "C")
    for permission in Permission:
        open_to_programs = permission in (
            Permission.PUBLIC,
            Permission.FHIR_API,
            Permission.DICOMWEB,
            Permission.IDENTITY_MERGE,
        )
        assert decide(Facts(program, permission)).allowed is open_to_programs
        assert decide(Facts(bare, permission)).allowed is (permission is Permission.PUBLIC)


def test_only_a_program_of_the_group_that_may_update_everything_merges_identities() -> None:
    for scopes, establishment, allowed in (
        (("system/*.cruds",), None, True),
        (("system/*.u",), None, True),
        (("system/*.cruds",), "chu", False),
        (("system/Patient.cruds",), None, False),
        (("system/*.rs",), None, False),
        (("user/*.cruds",), None, False),
    ):
        program = Actor("client", "c", "C", scopes=scopes, establishment=establishment)
        assert decide(Facts(program, Permission.IDENTITY_MERGE)).allowed is allowed, scopes


def test_a_program_of_one_establishment_reaches_its_patients_only() -> None:
    program = Actor("client", "c", "C", scopes=("system/*.cruds",), establishment="chu")
    for situation, facts in SITUATIONS.items():
        found = decide(Facts(program, Permission.FHIR_API, facts)).allowed
        assert found is any(r.establishment == "chu" for r in facts.relations), situation


def test_partners_feed_the_record_and_read_no_pages() -> None:
    laboratory = partner("LABO")
    for permission in set(Permission) - {Permission.PUBLIC}:
        assert decide(Facts(laboratory, permission)).allowed is (permission in PARTNER_WRITES)
    assert all(decide(Facts(SYSTEM("x"), permission)).allowed for permission in Permission)


def test_every_role_of_the_issue_exists_and_only_cross_unit_roles_reach_wider() -> None:
    assert set(POLICY) == {
        "ide", "as", "medecin", "interne", "pharmacien", "cadre", "secretaire", "sage_femme",
        "regulateur", "biologiste", "radiologue", "anesthesiste", "hygiene", "equipe_mobile",
        "dsi", "rssi", "dpo", "admin",
    }  # fmt: skip
    wider = {code for code, scope in DEFAULT_SCOPE.items() if scope != "unit"}
    assert wider == {
        "pharmacien", "anesthesiste", "radiologue", "biologiste", "hygiene", "equipe_mobile",
        "regulateur",
    }  # fmt: skip
