"""Which neighbours of the resources found travel with the answer? (R4 section 3.1.1.5.4)"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from liane.fhir import definitions
from liane.fhir import json as fhir_json
from liane.fhir.extraction import extract
from liane.store import custom_values
from liane.store.database import Tx
from liane.store.keys import key, one_patient
from liane.store.search import known
from liane.store.search.model import Include, Query, Sight
from liane.store.search.paging import version_of
from liane.store.search.sqltext import Arguments
from liane.store.search.visible import seen
from liane.store.versions import Version

MOST_INCLUDED = 1000
MOST_ROUNDS = 5

_COLUMNS = "r.type, r.id, r.version, r.updated, false as deleted, r.body, r.patient"


async def included(tx: Tx, query: Query, matches: Sequence[Version], sight: Sight) -> list[Version]:
    """The resources that `_include` and `_revinclude` ask for, each once, none of the matches."""
    if not (query.includes or query.revincludes) or not matches:
        return []
    seen_already = {(v.type, v.id) for v in matches}
    found: list[Version] = []
    fresh: Sequence[Version] = matches
    for turn in range(MOST_ROUNDS):
        forward = [i for i in query.includes if i.iterate or turn == 0]
        backward = [i for i in query.revincludes if i.iterate or turn == 0]
        new = await _read(tx, _pointed_to(tx.tenant, fresh, forward) - seen_already, sight)
        for include in backward:
            new += await _pointing_to(tx, include, fresh, sight)
        fresh = []
        for version in new:
            if (version.type, version.id) not in seen_already and len(found) < MOST_INCLUDED:
                seen_already.add((version.type, version.id))
                found.append(version)
                fresh.append(version)
        if not fresh:
            break
    return found


def _pointed_to(
    tenant: int, versions: Iterable[Version], includes: Sequence[Include]
) -> set[tuple[str, str]]:
    wanted: set[tuple[str, str]] = set()
    for version in versions:
        asked = [i for i in includes if i.source in (version.type, "*")]
        if not asked:
            continue
        resource = fhir_json.loads(version.body)
        extracted = extract(resource)
        custom_values.add(tenant, version.type, resource, extracted)
        for ref in extracted.references:
            if ref.id is None or ref.type is None:
                continue
            if any(i.param in (ref.param, "*") and i.target in (None, ref.type) for i in asked):
                wanted.add((ref.type, ref.id))
    return wanted


async def _read(tx: Tx, wanted: set[tuple[str, str]], sight: Sight) -> list[Version]:
    by_type: dict[str, list[str]] = {}
    for type_, id_ in sorted(wanted)[:MOST_INCLUDED]:
        if type_ in definitions.resources():
            by_type.setdefault(type_, []).append(id_)
    if not by_type:
        return []
    a = Arguments()
    parts = []
    for type_, ids in by_type.items():
        tests = [*seen(a, "r", type_, sight), f"r.id = any({a.add(ids, 'text[]')})"]
        parts.append(f"select {_COLUMNS} from record.resource r where {' and '.join(tests)}")  # noqa: S608 - names are ours, values are arguments
    return [version_of(row) for row in await a.fetch(tx, " union all ".join(parts))]


async def _pointing_to(
    tx: Tx, include: Include, versions: Sequence[Version], sight: Sight
) -> list[Version]:
    """Resources that point to one of the versions; `*` asks every type and reference parameter."""
    targets = [v for v in versions if include.target in (None, v.type)]
    if not targets:
        return []
    a = Arguments()
    parts = []
    for source in [include.source] if include.source != "*" else definitions.types():
        pointers = _pointers(tx.tenant, source, include.param, {v.type for v in targets})
        if not pointers:
            continue
        tests = seen(a, "r", source, sight)
        tests.append(_points(tx.tenant, a, source, pointers, targets))
        parts.append(
            f"(select {_COLUMNS} from record.resource r where {' and '.join(tests)} "  # noqa: S608
            f"limit {MOST_INCLUDED})"
        )
    if not parts:
        return []
    sql = f"select * from ({' union all '.join(parts)}) q limit {MOST_INCLUDED}"  # noqa: S608
    return [version_of(row) for row in await a.fetch(tx, sql)]


def _pointers(tenant: int, source: str, param: str, types: set[str]) -> list[str]:
    """The reference parameters of the source that can point to one of the types."""
    return [
        one.name
        for one in known.parameters(source, tenant).values()
        if one.kind == "reference"
        and param in (one.name, "*")
        and (not one.targets or types & set(one.targets))
    ]


def _points(
    tenant: int, a: Arguments, source: str, pointers: list[str], targets: Sequence[Version]
) -> str:
    hashes = [key(tenant, source, name, "r", v.type, v.id) for name in pointers for v in targets]
    rows = f"select rid from record.ix where h = any({a.add(hashes, 'bigint[]')})"  # noqa: S608
    patients = [v.id for v in targets if v.type == "Patient"]
    if not patients or not one_patient(source) or not {"patient", "subject"} & set(pointers):
        return f"r.rid in ({rows})"
    mine = f"r.patient = any({a.add(patients, 'text[]')})"
    keyed = f"{mine} and r.keys && {a.add(hashes, 'bigint[]')}"
    if len(pointers) == 1 and len(patients) == len(targets):
        return keyed
    tenant_ = "current_setting('liane.tenant')::smallint"
    own = (
        f"select rid from record.resource r where r.tenant = {tenant_} and "  # noqa: S608
        f"r.type = {a.add(source, 'text')} and {keyed}"
    )
    return f"r.rid in ({rows} union all {own})"
