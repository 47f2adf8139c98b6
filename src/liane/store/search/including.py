"""Which neighbours of the resources found travel with the answer? (R4 section 3.1.1.5.4)"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from liane.fhir import json as fhir_json
from liane.fhir.extraction import extract
from liane.store.database import Tx
from liane.store.keys import key, one_patient
from liane.store.search.model import Include, Query, Restriction
from liane.store.search.sqltext import Arguments
from liane.store.versions import Version

MOST_INCLUDED = 1000
MOST_ROUNDS = 3

_COLUMNS = "r.type, r.id, r.version, r.updated, false as deleted, r.body"
_TENANT = "r.tenant = current_setting('liane.tenant')::smallint"


async def included(
    tx: Tx, query: Query, matches: Sequence[Version], restriction: Restriction | None
) -> list[Version]:
    """The resources that `_include` and `_revinclude` ask for, each once, none of the matches."""
    if not (query.includes or query.revincludes) or not matches:
        return []
    known = {(v.type, v.id) for v in matches}
    found: list[Version] = []
    fresh: Sequence[Version] = matches
    for turn in range(MOST_ROUNDS):
        forward = [i for i in query.includes if i.iterate or turn == 0]
        backward = [i for i in query.revincludes if i.iterate or turn == 0]
        wanted = _pointed_to(fresh, forward) - known
        new = await _read(tx, wanted, restriction)
        for include in backward:
            new += await _pointing_to(tx, include, fresh, restriction)
        fresh = []
        for version in new:
            if (version.type, version.id) not in known and len(found) < MOST_INCLUDED:
                known.add((version.type, version.id))
                found.append(version)
                fresh.append(version)
        if not fresh:
            break
    return found


def _pointed_to(versions: Iterable[Version], includes: Sequence[Include]) -> set[tuple[str, str]]:
    wanted: set[tuple[str, str]] = set()
    for version in versions:
        asked = [i for i in includes if i.source in (version.type, "*")]
        if not asked:
            continue
        for ref in extract(fhir_json.loads(version.body)).references:
            if ref.id is None or ref.type is None:
                continue
            if any(i.param in (ref.param, "*") and i.target in (None, ref.type) for i in asked):
                wanted.add((ref.type, ref.id))
    return wanted


async def _read(
    tx: Tx, wanted: set[tuple[str, str]], restriction: Restriction | None
) -> list[Version]:
    if not wanted:
        return []
    listed = sorted(wanted)[:MOST_INCLUDED]
    a = Arguments()
    types = a.add([type_ for type_, _ in listed], "text[]")
    ids = a.add([id_ for _, id_ in listed], "text[]")
    tests = [_TENANT]
    if restriction is not None:
        tests.append(a.restriction(restriction, "r.patient", may_lack=True))
    sql = (
        f"select {_COLUMNS} from unnest({types}, {ids}) as w(type, id) "  # noqa: S608 - names are ours, values are arguments
        f"join record.resource r on r.type = w.type and r.id = w.id where {' and '.join(tests)}"
    )
    return [Version(*row) for row in await a.fetch(tx, sql)]


async def _pointing_to(
    tx: Tx, include: Include, versions: Sequence[Version], restriction: Restriction | None
) -> list[Version]:
    targets = [v for v in versions if include.target in (None, v.type)]
    hashes = [key(tx.tenant, include.source, include.param, "r", v.type, v.id) for v in targets]
    if not hashes:
        return []
    a = Arguments()
    tests = [_TENANT, f"r.type = {a.add(include.source, 'text')}"]
    patients = [v.id for v in targets if v.type == "Patient"]
    by_patient = include.param in ("patient", "subject") and one_patient(include.source)
    if by_patient and len(patients) == len(targets):
        tests.append(f"r.patient = any({a.add(patients, 'text[]')})")
        tests.append(f"r.keys && {a.add(hashes, 'bigint[]')}")
    else:
        rows = f"select rid from record.ix where h = any({a.add(hashes, 'bigint[]')})"  # noqa: S608
        tests.append(f"r.rid in ({rows})")
    if restriction is not None:
        tests.append(a.restriction(restriction, "r.patient", may_lack=True))
    sql = f"select {_COLUMNS} from record.resource r where {' and '.join(tests)} limit {MOST_INCLUDED}"  # noqa: E501, S608
    return [Version(*row) for row in await a.fetch(tx, sql)]
