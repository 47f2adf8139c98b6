"""Does the gate give the same answer for one patient as for a list, from the database's facts?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from liane.access import gate, relations, staff, writes
from liane.access.actor import SYSTEM, Actor, Role
from liane.access.permissions import Permission
from liane.access.relations import RelationRow
from liane.access.scopes import allows, covers, is_known, readable_types, require_scope
from liane.base.errors import Conflict, Denied, Invalid
from liane.base.ids import is_fhir_id
from liane.store import Database, Tx
from liane.store.resources import Write

PATIENTS = ("present", "expected", "left", "past", "future", "team", "elsewhere", "far", "secret")


async def prepare(tx: Tx) -> None:
    """One patient in each situation, seen from the unit `here`."""
    now, hour = tx.now, timedelta(hours=1)
    rows = {
        "present": RelationRow("present", now - hour, None, "here", "chu"),
        "expected": RelationRow("expected", now - hour, now + hour, "here", "chu"),
        "left": RelationRow("recent", now - hour, now + hour, "here", "chu"),
        "past": RelationRow("present", now - 2 * hour, now - hour, "here", "chu"),
        "future": RelationRow("present", now + hour, None, "here", "chu"),
        "team": RelationRow("care_team", now - hour, None, practitioner="me"),
        "elsewhere": RelationRow("present", now - hour, None, "there", "chu"),
        "far": RelationRow("present", now - hour, None, "far", "chg"),
        "secret": RelationRow("present", now - hour, None, "there", "chu"),
    }
    for patient, row in rows.items():
        await relations.replace_for_encounter(tx, patient, f"enc-{patient}", [row])
    await tx.execute("insert into access.protected_patient values (1, 'secret')")


ACTORS = {
    "nurse here": Actor("staff", "me", "M", (Role("ide", "chu", ("here",)),)),
    "pharmacist": Actor("staff", "me2", "M", (Role("pharmacien", "chu", (), "establishment"),)),
    "doctor on call": Actor("staff", "me3", "M", (Role("medecin", "chu", (), "group"),)),
    "head of all": Actor("staff", "me4", "M", (Role("cadre", "chu", ("here",), "establishment"),)),
    "head of group": Actor("staff", "me5", "M", (Role("cadre", "chu", (), "group"),)),
    "two roles": Actor(
        "staff",
        "me6",
        "M",
        (
            Role("ide", "chu", ("here",)),
            Role("ide", "chg", ("far",)),
            Role("dsi", "chu", ("there",)),
        ),
    ),
    "it": Actor("staff", "me7", "M", (Role("dsi", "chu", ("here",), "group"),)),
    "nobody": Actor("staff", "me8", "M"),
    "program of chu": Actor("client", "c", "C", scopes=("system/*.rs",), establishment="chu"),
    "program of the group": Actor("client", "c", "C", scopes=("system/*.rs",)),
    "program without scope": Actor("client", "c", "C"),
    "partner": Actor("partner", "p", "P"),
}
SEES = {
    "nurse here": {"present", "expected", "left", "team"},
    "pharmacist": {"present", "expected", "left", "elsewhere", "secret"},
    "doctor on call": {*PATIENTS, "never admitted"},
    "head of all": {"present", "expected", "left", "elsewhere"},
    "head of group": {*PATIENTS, "never admitted"} - {"secret"},
    "two roles": {"present", "expected", "left", "far"},
    "it": set(),
    "nobody": set(),
    "program of chu": {"present", "expected", "left", "past", "future", "elsewhere", "secret"},
    "program of the group": {*PATIENTS, "never admitted"},
    "program without scope": set(),
    "partner": set(),
}


@pytest.mark.parametrize("name", ACTORS)
async def test_one_patient_and_a_list_agree(database: Database, name: str) -> None:
    actor = ACTORS[name]
    permission = Permission.FHIR_API if actor.kind == "client" else Permission.CHART_READ
    everybody = [*PATIENTS, "never admitted"]
    async with database.transaction() as tx:
        await prepare(tx)
        one_by_one = set()
        for patient in everybody:
            decision = await gate.check(tx, actor, permission, patient=patient)
            if decision.allowed:
                one_by_one.add(patient)
        sql, args = gate.visible_patients_sql(actor, permission)
        rows = await tx.fetch(
            f"select p from unnest($1::text[]) p where {gate.place(sql, 'p', 2)}",
            everybody,
            *args,
        )
    assert one_by_one == SEES[name]
    assert {row["p"] for row in rows} == SEES[name]


async def test_a_refusal_reads_the_same_whether_the_patient_exists_or_not(
    database: Database,
) -> None:
    async with database.transaction() as tx:
        await prepare(tx)
        said = []
        for patient in ("far", "secret", "never admitted"):
            with pytest.raises(Denied) as refusal:
                await gate.require(tx, ACTORS["nurse here"], Permission.CHART_READ, patient=patient)
            said.append((refusal.value.code, refusal.value.fr, refusal.value.details))
    assert said[0] == said[1] == said[2]


async def test_rows_without_patient_are_shown_for_types_of_the_house_only() -> None:
    nurse = ACTORS["nurse here"]
    for kind, shown in (("Organization", True), ("Observation", False), (None, False)):
        limit = gate.restriction(nurse, resource_type=kind)
        assert limit is not None
        assert limit.patientless is shown
    assert gate.restriction(SYSTEM("import")) is None
    nobody = gate.restriction(ACTORS["nobody"], resource_type="Organization")
    assert nobody is not None
    assert (nobody.sql, nobody.patientless) == ("false", False)


async def test_identity_staff_find_any_identity_and_read_no_chart(database: Database) -> None:
    clerk = Actor("staff", "me", "M", (Role("secretaire", "chu", ("here",)),))
    assert gate.restriction(clerk, Permission.IDENTITY_READ) is None
    assert gate.may(clerk, Permission.IDENTITY_WRITE)
    async with database.transaction() as tx:
        await prepare(tx)
        await gate.require(tx, clerk, Permission.IDENTITY_WRITE, patient="far")
        with pytest.raises(Denied):
            await gate.require(tx, clerk, Permission.CHART_READ, patient="present")


async def test_ties_of_an_encounter_are_replaced_whole(database: Database) -> None:
    async with database.transaction() as tx:
        start = tx.now - timedelta(hours=1)
        first = RelationRow("present", start, None, "u1", "chu")
        await relations.replace_for_encounter(tx, "p", "e", [first, first])
        ended = RelationRow("present", start, tx.now, "u1", "chu")
        second = RelationRow("present", tx.now, None, "u2", "chu")
        await relations.replace_for_encounter(tx, "p", "e", [ended, second])
        assert [r.unit for r in (await relations.facts_of(tx, "p")).relations] == ["u2"]
        # The same encounter moves to another patient (A47, merge): the former keeps nothing.
        await relations.replace_for_encounter(tx, "q", "e", [second])
        assert (await relations.facts_of(tx, "p")).relations == ()
        await relations.move_patient(tx, "q", "p")
        assert [r.unit for r in (await relations.facts_of(tx, "p")).relations] == ["u2"]
        await relations.replace_for_encounter(tx, "p", "e", [])
        assert await tx.fetchval("select count(*) from access.relation") == 0


# -- writes ------------------------------------------------------------------------------------


def patient(identifier: str, *, protected: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "resourceType": "Patient",
        "id": identifier,
        "name": [{"family": "DURAND", "given": ["Anne"]}],
    }
    if protected:
        body["meta"] = {"security": [{"code": "R"}]}
    return body


async def test_a_write_leaves_one_entry_for_each_patient(database: Database) -> None:
    async with database.transaction() as tx:
        observed = [
            {
                "resourceType": "Observation",
                "status": "final",
                "code": {"text": "x"},
                "subject": {"reference": f"Patient/p{n % 2}"},
            }
            for n in range(6)
        ]
        await writes.apply(
            tx, SYSTEM("laboratory"), [Write(each) for each in observed], reason="ORU R01"
        )
        rows = await tx.fetch("select patient, detail::jsonb as d from journal.entry order by 1")
    assert [row["patient"] for row in rows] == ["p0", "p1"]
    assert all('"reason": "ORU R01"' in row["d"] for row in rows)


async def test_a_long_message_leaves_a_short_entry(database: Database) -> None:
    async with database.transaction() as tx:
        many = [
            Write(
                {
                    "resourceType": "Observation",
                    "status": "final",
                    "code": {"text": "x"},
                    "subject": {"reference": "Patient/p1"},
                }
            )
            for _ in range(300)
        ]
        await writes.apply(tx, SYSTEM("laboratory"), many, reason="ORU R01")
        detail = await tx.fetchval("select detail::text from journal.entry")
    assert len(detail) < 4_000
    assert '"count": 300' in detail


async def test_protection_of_an_identity_follows_the_resource(database: Database) -> None:
    async def protected(tx: Tx) -> bool:
        return (await relations.facts_of(tx, "p1")).protected

    async with database.transaction() as tx:
        for wanted in (True, True, False, True):
            await writes.apply(
                tx, SYSTEM("adt"), [Write(patient("p1", protected=wanted))], reason="A31"
            )
            assert await protected(tx) is wanted
        await writes.apply(
            tx,
            SYSTEM("adt"),
            [Write({"resourceType": "Patient"}, id="p1", deletes=True)],
            reason="delete",
        )
        assert not await protected(tx)


# -- staff and roles ---------------------------------------------------------------------------


async def test_enrolment_makes_fhir_resources_and_counts_at_once(database: Database) -> None:
    async with database.transaction() as tx:
        first = await staff.enrol(tx, "Claire.Martin", "Claire Martin", "ide", "chu", ["uf-1"])
        again = await staff.enrol(tx, "claire.martin", "Claire Martin", "ide", "chu", ["uf-1"])
        await staff.enrol(tx, "claire.martin", "Claire Martin", "pharmacien", "chg")
        person = await staff.find(tx, "claire.martin")
        count = await tx.fetchval(
            "select count(*) from record.resource where type in ('Practitioner', 'PractitionerRole')"
        )
    assert first == again
    assert count == 3
    assert person is not None
    assert set(person.roles) == {
        Role("ide", "chu", ("uf-1",), "unit"),
        Role("pharmacien", "chg", (), "establishment"),
    }


async def test_a_login_belongs_to_one_person(database: Database) -> None:
    async with database.transaction() as tx:
        who = await staff.enrol(tx, "claire", "Claire", "ide", "chu")
        assert who == "pr-claire"
        assert is_fhir_id(await staff.enrol(tx, "cl_aire", "Claire", "ide", "chu"))
        thief = {
            "resourceType": "Practitioner",
            "id": "thief",
            "identifier": [{"system": staff.LOGIN_SYSTEM, "value": "claire"}],
        }
        with pytest.raises(Conflict):
            await writes.apply(tx, SYSTEM("staff"), [Write(thief)], reason="theft")


async def test_a_role_taken_away_or_out_of_time_counts_at_once(database: Database) -> None:
    async with database.transaction() as tx:
        who = await staff.enrol(tx, "claire", "Claire", "ide", "chu", ["uf-1"])
        body = {
            "resourceType": "PractitionerRole",
            "id": "temporary",
            "practitioner": {"reference": f"Practitioner/{who}"},
            "organization": {"reference": "Organization/chu"},
            "code": [{"coding": [{"system": staff.ROLE_SYSTEM, "code": "medecin"}]}],
        }
        for period, valid in (
            ({"start": "2000-01-01"}, True),
            ({"start": "2000-01-01", "end": "2001-01-01"}, False),
            ({"start": "2999-01-01"}, False),
            ({"end": tx.now.date().isoformat()}, True),
        ):
            await writes.apply(
                tx, SYSTEM("staff"), [Write({**body, "period": period})], reason="role"
            )
            person = await staff.find(tx, "claire")
            assert person is not None
            assert ("medecin" in {role.code for role in person.roles}) is valid, period
        await writes.apply(tx, SYSTEM("staff"), [Write({**body, "active": False})], reason="role")
        person = await staff.find(tx, "claire")
        assert person is not None
        assert {role.code for role in person.roles} == {"ide"}


async def test_a4a_nobody_gives_himself_a_role(database: Database, nurse: Actor) -> None:
    body = {
        "resourceType": "PractitionerRole",
        "practitioner": {"reference": f"Practitioner/{nurse.id}"},
        "organization": {"reference": "Organization/chu"},
        "code": [{"coding": [{"system": staff.ROLE_SYSTEM, "code": "medecin"}]}],
    }
    async with database.transaction() as tx:
        with pytest.raises(Denied):
            await writes.apply(tx, nurse, [Write(body)], reason="role")
        with pytest.raises(Invalid):
            await staff.enrol(tx, "x", "X", "emperor", "chu")


# -- scopes ------------------------------------------------------------------------------------


def test_scopes_of_programs_and_of_persons() -> None:
    assert allows(["system/*.cruds"], "Patient", "d")
    assert allows(["system/Observation.read"], "Observation", "s")
    assert not allows(["system/Observation.rs"], "Patient", "r")
    assert not allows(["user/*.cruds", "patient/*.rs", "openid"], "Patient", "r")
    assert is_known("system/*.cruds")
    assert not is_known("system/*.x")
    program = Actor("client", "c", "C", scopes=("system/Patient.rs",))
    require_scope(program, "Patient", "r")
    with pytest.raises(Denied):
        require_scope(program, "Patient", "u")
    assert readable_types(program, ["Patient", "Observation"]) == ["Patient"]
    person = Actor("staff", "p", "P", scopes=("user/Patient.r",))
    assert covers(person, "Patient", "r")
    assert not covers(person, "Observation", "r")
    assert covers(Actor("staff", "p", "P", session="s"), "Observation", "r")


async def test_the_predicate_holds_whatever_the_query_around_it_calls_its_tables(
    database: Database,
) -> None:
    """A query that names its own table as the predicate's tables were once named must not make
    every tie look like a tie with the row at hand.
    """
    sql, args = gate.visible_patients_sql(ACTORS["nurse here"])
    async with database.transaction() as tx:
        await prepare(tx)
        for alias in ("r", "p", "e", "relation"):
            shown = await tx.fetch(
                f"select {alias}.patient from (values ('elsewhere'), ('far')) as {alias}(patient) "
                f"where {gate.place(sql, f'{alias}.patient', 1)}",
                *args,
            )
            assert shown == [], alias


@pytest.mark.unit
@pytest.mark.parametrize("column", ["gate_tie.patient", "gate_wall.patient"])
def test_the_names_of_the_predicate_cannot_be_borrowed(column: str) -> None:
    with pytest.raises(ValueError, match="reserved"):
        gate.place("true", column, 1)
