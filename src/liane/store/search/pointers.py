"""Which rows point to a resource, or to what lies above or below it? (R4, reference)"""

from __future__ import annotations

from liane.fhir import definitions
from liane.fhir.references import parse as parse_reference
from liane.store.keys import one_patient, told
from liane.store.search import tokens
from liane.store.search.asking import Asking
from liane.store.search.refusals import wrong_value
from liane.store.search.separators import unescape
from liane.store.search.sqltext import Arguments
from liane.store.search.tokens import system_and_code
from liane.store.search.ways import TENANT, Condition, hashed_condition

MOST_LEVELS = 30
_HIERARCHIES = {"Location": "partof", "Organization": "partof"}
"""Types of no patient that lie inside one another, and the parameter that points to the larger."""


def reference(asking: Asking) -> Condition:
    """The condition, whatever the form."""
    match asking.criterion.modifier:
        case "identifier":
            return _identifier(asking)
        case "text":
            return tokens.words(asking)
        case "above" | "below":
            return _hierarchy(asking)
    return _pointing(asking)


def _pointing(asking: Asking) -> Condition:
    exact: list[int] = []
    patients: list[str] | None = []
    for value in asking.criterion.values:
        wanted = targets(unescape(value), asking.criterion.modifier, asking.known.targets)
        for target in wanted:
            if isinstance(target, str):
                exact += asking.keys("ru", target)
                patients = None
                continue
            exact += asking.keys("r", *target)
            if target[0] != "Patient":
                patients = None
            elif patients is not None:
                patients.append(target[1])
    return _condition(asking, exact, patients)


def _condition(asking: Asking, exact: list[int], patients: list[str] | None) -> Condition:
    if asking.criterion.param not in ("patient", "subject") or one_patient(asking.type) is None:
        return hashed_condition(exact, exact)
    if patients:
        found = hashed_condition(exact, None)
        found.patients = patients
        return found
    every = [unescape(v).rpartition("/")[2] for v in asking.criterion.values]

    def way(a: Arguments) -> str:
        # A bare id may name the patient (in the row) or something else (in the index).
        return (
            f"select rid from record.ix where h = any({a.add(exact, 'bigint[]')}) union all "  # noqa: S608
            f"select rid from record.resource where tenant = {TENANT} and type = "
            f"{a.add(asking.type, 'text')} and patient = any({a.add(every, 'text[]')})"
        )

    return Condition(hashed_condition(exact, None).test, way)


def targets(
    value: str, narrow: str | None, allowed: tuple[str, ...]
) -> list[tuple[str, str] | str]:
    """What a reference value may mean: (type, id) pairs, or a URL as a text."""
    found = parse_reference(value)
    if found.id is not None and found.type is not None and found.base is None:
        return [(found.type, found.id)]
    if found.base is not None or ":" in value or "/" in value or "|" in value:
        return [value]
    return [(type_, value) for type_ in ((narrow,) if narrow else allowed or definitions.types())]


def _identifier(asking: Asking) -> Condition:
    exact, leading = [], []
    for value in asking.criterion.values:
        system, code = system_and_code(value)
        if code is None:
            raise wrong_value(
                f"{asking.criterion.param}:identifier", value, "système|valeur", "system|value"
            )
        leading += asking.keys("ri", code)
        exact += asking.keys("ri", code) if system == "" else asking.keys("rsi", system, code)
    return hashed_condition(exact, leading)


def _hierarchy(asking: Asking) -> Condition:
    """`:below`: the resource or one inside it; `:above`: the resource or one it lies inside."""
    down = asking.criterion.modifier == "below"
    pairs = [
        target
        for value in asking.criterion.values
        for target in targets(unescape(value), None, asking.known.targets)
        if isinstance(target, tuple) and target[0] in _HIERARCHIES
    ]
    if not pairs:
        known = ", ".join(f"{type_}/…" for type_ in _HIERARCHIES)
        raise wrong_value(asking.criterion.param, ",".join(asking.criterion.values), known, known)
    prefixes = [told(asking.tenant, asking.type, name, "r") for name in asking.names()]

    def way(a: Arguments) -> str:
        family = _family(a, asking.tenant, pairs, down=down)
        heads = a.add(prefixes, "text[]")
        return (
            f"select k.rid from ({family}) f, unnest({heads}) head, record.ix k "  # noqa: S608
            "where k.h = record.key_of(head || f.type || E'\\x1f' || f.id)"
        )

    return Condition(None, way)


def _family(a: Arguments, tenant: int, pairs: list[tuple[str, str]], *, down: bool) -> str:
    """The resources inside (`down`) or around those of the pairs, themselves included."""
    types = a.add([type_ for type_, _ in pairs], "text[]")
    ids = a.add([id_ for _, id_ in pairs], "text[]")
    head = a.add(f"{tenant}\x1e", "text")
    params = a.add(list(_HIERARCHIES.values()), "text[]")
    known = a.add(list(_HIERARCHIES), "text[]")
    key = (
        f"record.key_of({head} || f.type || E'\\x1e' || ({params})[array_position({known}, f.type)]"
        " || E'\\x1er\\x1e' || f.type || E'\\x1f' || f.id)"
    )
    down_step = (
        "select r.type, r.id, f.level + 1 from family f join record.ix k on "  # noqa: S608
        f"k.h = {key} join record.resource r on r.rid = k.rid and r.tenant = {TENANT} where"
    )
    up_step = (
        "select r.type, substring(v from '/([A-Za-z0-9.-]+)') collate \"C\", f.level + 1 "  # noqa: S608
        "from family f "
        f"join record.resource r on r.tenant = {TENANT} and r.type = f.type and r.id = f.id, "
        "jsonb_path_query(record.parsed(r.body), '$.partOf.reference') p, "
        "lateral (select p #>> '{}' as v) w where w.v like r.type || '/%' and"
    )
    return (
        "with recursive family(type, id, level) as ("  # noqa: S608
        'select u.type collate "C", u.id collate "C", 0 '
        f"from unnest({types}, {ids}) as u(type, id) "
        f"union {down_step if down else up_step} f.level < {MOST_LEVELS}) "
        "select distinct type, id from family"
    )
