"""Who works here, and in which roles? Practitioner and PractitionerRole, and their quick copy.

The truth is in the FHIR resources. `follow` keeps a lean copy beside them in the same transaction,
so that a role given or taken away counts from the very next request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from liane.access.actor import Role, Scope
from liane.access.policy import POLICY, default_scope
from liane.base.errors import Conflict, Invalid
from liane.base.ids import is_fhir_id, new_id
from liane.store import Tx
from liane.store.resources import Version, Write
from liane.store.sql import queries

Q = queries("liane.access", "staff.sql")

TYPES = frozenset({"Practitioner", "PractitionerRole"})
LOGIN_SYSTEM = "https://liane.example/fhir/login"
ROLE_SYSTEM = "https://liane.example/fhir/staff-role"
SCOPE_EXTENSION = "https://liane.example/fhir/access-scope"
UNITS_EXTENSION = "https://liane.example/fhir/access-unit"

_ZONE = ZoneInfo("Europe/Paris")
_SCOPES: Mapping[str, Scope] = {"unit": "unit", "establishment": "establishment", "group": "group"}


@dataclass(frozen=True, slots=True)
class Person:
    """A member of staff as the gate knows him or her now."""

    practitioner: str
    login: str
    name: str
    active: bool
    roles: tuple[Role, ...]


async def find(tx: Tx, login: str) -> Person | None:
    """The person of this login with the roles valid at `tx.now`, or None."""
    rows = await tx.fetch(Q["find_by_login"], tx.tenant, login, tx.now)
    return person_from(rows)


def person_from(rows: Sequence[Any]) -> Person | None:
    """One person from rows that repeat the person once per role (code None = no role)."""
    if not rows:
        return None
    first = rows[0]
    roles = tuple(
        Role(row["code"], row["establishment"], tuple(row["units"]), _SCOPES[row["scope"]])
        for row in rows
        if row["code"] is not None
    )
    return Person(
        first["practitioner"], first["login"], first["staff_name"], first["active"], roles
    )


async def enrol(
    tx: Tx,
    login: str,
    name: str,
    role: str,
    establishment: str,
    units: Sequence[str] | None = (),
    scope: str | None = None,
) -> str:
    """Create (or complete) the Practitioner of `login` and give it a role; its id.

    `establishment` and `units` are Organization ids. `scope` None = the usual one of the role.
    The same call twice changes nothing. Raises `Invalid` for a role that does not exist.
    """
    from liane.access.actor import SYSTEM
    from liane.access.writes import apply

    if role not in POLICY or (scope and scope not in _SCOPES):
        raise Invalid(
            "access.unknown-role",
            f"Rôle ou portée inconnus : {role} {scope or ''}. Rôles : {', '.join(POLICY)}.",
            f"Unknown role or scope: {role} {scope or ''}. Roles: {', '.join(POLICY)}.",
        )
    login = login.strip().lower()
    known = await tx.fetchval(Q["practitioner_of"], tx.tenant, login)
    practitioner = known or await _free_id(tx, login)
    role_id = _role_id(practitioner, role, establishment)
    person = _practitioner(practitioner, login, name)
    tie = _practitioner_role(
        role_id,
        practitioner=practitioner,
        name=name,
        role=role,
        establishment=establishment,
        units=units or (),
        scope=_SCOPES[scope] if scope else None,
    )
    await apply(
        tx,
        SYSTEM("enrolment"),
        [Write(person, id=practitioner), Write(tie, id=role_id)],
        reason="enrolment",
    )
    return str(practitioner)


async def _free_id(tx: Tx, login: str) -> str:
    """`pr-` and the login, readable in the journal; any id when that one cannot be had."""
    readable = f"pr-{login}"
    taken = await tx.fetchval(Q["is_known"], tx.tenant, readable)
    return readable if is_fhir_id(readable) and not taken else new_id()


def _role_id(practitioner: str, role: str, establishment: str) -> str:
    return f"{practitioner[:36]}-{role.replace('_', '-')}-{establishment}"[:64].rstrip("-.")


def _practitioner(practitioner: str, login: str, name: str) -> dict[str, Any]:
    *given, family = name.split() or [login]
    human: dict[str, Any] = {"use": "official", "text": name, "family": family}
    if given:
        human["given"] = given
    return {
        "resourceType": "Practitioner",
        "id": practitioner,
        "identifier": [{"system": LOGIN_SYSTEM, "value": login}],
        "active": True,
        "name": [human],
    }


def _practitioner_role(
    role_id: str,
    *,
    practitioner: str,
    name: str,
    role: str,
    establishment: str,
    units: Sequence[str],
    scope: Scope | None,
) -> dict[str, Any]:
    extensions: list[dict[str, Any]] = [
        {"url": SCOPE_EXTENSION, "valueCode": scope or default_scope(role)}
    ]
    extensions += [
        {"url": UNITS_EXTENSION, "valueReference": {"reference": f"Organization/{unit}"}}
        for unit in units
    ]
    return {
        "resourceType": "PractitionerRole",
        "id": role_id,
        "extension": extensions,
        "active": True,
        "practitioner": {"reference": f"Practitioner/{practitioner}", "display": name},
        "organization": {"reference": f"Organization/{establishment}"},
        "code": [{"coding": [{"system": ROLE_SYSTEM, "code": role}]}],
    }


async def follow(tx: Tx, written: Iterable[tuple[Write, Version]]) -> None:
    """Bring the quick copy in step with the Practitioners and PractitionerRoles just written."""
    for write, version in written:
        if version.type == "Practitioner":
            await _follow_person(tx, version, write.resource)
        elif version.type == "PractitionerRole":
            await _follow_role(tx, version, write.resource)


async def _follow_person(tx: Tx, version: Version, resource: Mapping[str, Any]) -> None:
    if version.deleted:
        await tx.execute(Q["forget_person"], tx.tenant, version.id)
        return
    login = next(
        (
            str(identifier.get("value", ""))
            for identifier in resource.get("identifier", [])
            if identifier.get("system") == LOGIN_SYSTEM
        ),
        "",
    )
    owner = await tx.fetchval(Q["practitioner_of"], tx.tenant, login) if login else None
    if owner not in (None, version.id):
        raise Conflict(
            "access.login-taken",
            f"L'identifiant « {login} » est déjà celui d'une autre personne.",
            f"The login {login} already belongs to another person.",
            "Choisissez un autre identifiant, ou fermez d'abord l'autre compte.",
            "Choose another login, or close the other account first.",
        )
    await tx.execute(
        Q["keep_person"],
        tx.tenant,
        version.id,
        login,
        _name_of(resource) or login,
        resource.get("active", True) is not False,
    )


def _name_of(resource: Mapping[str, Any]) -> str:
    for name in resource.get("name", []):
        text = name.get("text")
        if text:
            return str(text)
        return " ".join([*name.get("given", []), name.get("family", "")]).strip()
    return ""


async def _follow_role(tx: Tx, version: Version, resource: Mapping[str, Any]) -> None:
    await tx.execute(Q["forget_role"], tx.tenant, version.id)
    practitioner = _id_of(resource.get("practitioner"), "Practitioner")
    establishment = _id_of(resource.get("organization"), "Organization")
    if version.deleted or resource.get("active", True) is False or not practitioner:
        return
    starts, ends = _period(resource.get("period") or {})
    for code in _role_codes(resource):
        await tx.execute(
            Q["keep_role"],
            tx.tenant,
            version.id,
            practitioner,
            code,
            establishment or "",
            _units(resource),
            _scope(resource, code),
            starts,
            ends,
        )


def _role_codes(resource: Mapping[str, Any]) -> list[str]:
    found = [
        coding.get("code")
        for concept in resource.get("code", [])
        for coding in concept.get("coding", [])
        if coding.get("system") == ROLE_SYSTEM
    ]
    return [code for code in dict.fromkeys(found) if code in POLICY]


def _units(resource: Mapping[str, Any]) -> list[str]:
    references = [
        _id_of(extension.get("valueReference"), "Organization")
        for extension in resource.get("extension", [])
        if extension.get("url") == UNITS_EXTENSION
    ]
    return [unit for unit in references if unit]


def _scope(resource: Mapping[str, Any], code: str) -> Scope:
    for extension in resource.get("extension", []):
        if extension.get("url") == SCOPE_EXTENSION:
            return _SCOPES.get(str(extension.get("valueCode")), "unit")
    return default_scope(code)


def _id_of(reference: Any, of_type: str) -> str | None:
    text = reference.get("reference", "") if isinstance(reference, Mapping) else ""
    kind, _, rest = str(text).partition("/")
    return rest if kind == of_type and rest else None


def _period(period: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    """Bounds of a FHIR Period; a plain date counts whole, in the hospital's time zone."""
    return _bound(period.get("start"), 0), _bound(period.get("end"), 1)


def _bound(text: Any, days: int) -> datetime | None:
    if not isinstance(text, str) or len(text) < 10:
        return None
    if len(text) == 10:
        day = date.fromisoformat(text) + timedelta(days=days)
        return datetime.combine(day, time(), _ZONE)
    return datetime.fromisoformat(text)
