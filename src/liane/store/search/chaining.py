"""Which resources are meant by a question about another resource they point to?

A chain (`subject.name=x`, `_has:Observation:patient:code=y`) that leads from few resources is
answered first, to their ids; one that leads from many stays a test of each row. Nothing copied can
go stale, and every step only sees what the reader may see.
"""

from __future__ import annotations

from collections.abc import Sequence

from liane.fhir.definitions import SearchParameter
from liane.store.database import Tx
from liane.store.keys import key, one_patient, told
from liane.store.search import bodies, known
from liane.store.search.model import Criterion, Node, Sight
from liane.store.search.sqltext import Arguments
from liane.store.search.visible import seen
from liane.store.search.ways import Condition, any_of, hashed_condition

FEW = 2000
"""As many resources are named one by one; more are asked of each row."""

Step = tuple[str, list[Condition], Condition | None]
"""A type, the conditions on it, and the one that leads to its rows."""


async def chained_condition(tx: Tx, type_: str, asked: Criterion, sight: Sight) -> Condition:
    """The condition for a chain or a reverse chain."""
    if asked.reverse_type is not None:
        found = await _reverse(tx, type_, asked, sight)
    else:
        members = [
            await _forward(tx, type_, asked.param, target, inner, sight)
            for target, inner in asked.chain
        ]
        found = members[0] if len(members) == 1 else _joined(members)
    found.label = f"_has:{asked.reverse_type}" if asked.reverse_type else f"{asked.param}."
    return found


def _joined(members: list[Condition]) -> Condition:
    """Several target types: mostly all but one lead from nothing."""
    some = [one for one in members if one.hashes != [] and one.patients != []]
    if not some:
        return members[0]
    return some[0] if len(some) == 1 else any_of([_plainly(one) for one in some])


def _plainly(one: Condition) -> Condition:
    """The condition with an index way in place of a list of patients."""
    if one.patients is None or one.hashes is not None:
        return one
    patients, test = one.patients, one.test

    def way(a: Arguments) -> str:
        return (
            "select rid from record.resource where tenant = current_setting('liane.tenant')"  # noqa: S608
            f"::smallint and patient = any({a.add(patients, 'text[]')})"
        )

    return Condition(test, way)


async def _step(tx: Tx, type_: str, node: Node, sight: Sight) -> Step:
    from liane.store.search.planning import conditions_of, leader_of

    conditions = await conditions_of(tx, type_, (node,), sight)
    return type_, conditions, await leader_of(tx, type_, conditions)


def _rows(a: Arguments, row: str, step: Step, sight: Sight) -> tuple[str, str]:
    """Source and tests of the rows of a step."""
    from liane.store.search.planning import tests_of

    type_, conditions, leader = step
    tests = seen(a, row, type_, sight)
    if leader is not None and leader.way is not None:
        tests.append(f"{row}.rid in ({leader.way(a)})")
    for one in conditions:
        tests += tests_of(one, a, row, leads=one is leader)
    return f"record.resource {row}", " and ".join(tests)


async def _forward(
    tx: Tx, type_: str, param: str, target: str, node: Node, sight: Sight
) -> Condition:
    step = await _step(tx, target, node, sight)
    a = Arguments()
    row = a.name()
    source, tests = _rows(a, row, step, sight)
    found = await a.fetch(tx, f"select {row}.id from {source} where {tests} limit {FEW + 1}")  # noqa: S608 - names are ours, values are arguments
    ids = [one["id"] for one in found]
    if len(ids) > FEW:
        return _asked_of_each(tx.tenant, type_, param, step, sight)
    exact = [key(tx.tenant, type_, param, "r", target, id_) for id_ in ids]
    if target == "Patient" and param in ("patient", "subject") and one_patient(type_):
        condition = hashed_condition(exact, None)
        condition.patients = ids
        return condition
    return hashed_condition(exact, exact)


def _asked_of_each(tenant: int, type_: str, param: str, step: Step, sight: Sight) -> Condition:
    """Too many targets to name: each row is asked whether it points to one."""
    target, conditions, _ = step
    by_patient = target == "Patient" and param in ("patient", "subject") and one_patient(type_)
    pointer = _parameter(type_, param, tenant)

    def test(a: Arguments, row: str) -> str:
        other = a.name()
        _, tests = _rows(a, other, (target, conditions, None), sight)
        if by_patient:
            place, more = "record.resource", f"{other}.id = {row}.patient"
            return f"coalesce((select true from {place} {other} where {more} and {tests} limit 1), false)"  # noqa: E501, S608
        referred = bodies.referred_ids(pointer, row, target)
        return (
            f"coalesce((select true from ({referred}) ref join record.resource {other} "  # noqa: S608
            f"on {other}.id = ref.id where {tests} limit 1), false)"
        )

    return Condition(test)


def _parameter(type_: str, name: str, tenant: int) -> SearchParameter:
    found = known.parameter(type_, name, tenant)
    if found is None:
        raise ValueError(f"{type_} has no parameter {name}")
    return found


async def _reverse(tx: Tx, type_: str, asked: Criterion, sight: Sight) -> Condition:
    """Resources of `type_` that resources of the reverse type, meeting the chain, point to."""
    ((source_type, node),) = asked.chain
    step = await _step(tx, source_type, node, sight)
    a = Arguments()
    row = a.name()
    source, tests = _rows(a, row, step, sight)
    by_patient = _tied(type_, asked.param, source_type)
    many = await a.fetch(
        tx,
        f"select count(*) as n from (select from {source} where {tests} limit {FEW + 1}) q",  # noqa: S608
    )
    if many[0]["n"] <= FEW:
        pointed = _pointed(tx.tenant, type_, asked.param, source_type, row)
        sql = f"select distinct p.id from {source}, lateral ({pointed}) p where {tests}"  # noqa: S608
        return Condition(ids=[one["id"] for one in await a.fetch(tx, sql)])
    return _pointed_by_many(tx.tenant, type_, asked.param, step, sight, by_patient=by_patient)


def _tied(type_: str, param: str, source: str) -> bool:
    tied = type_ == "Patient" and param in ("patient", "subject")
    return tied and one_patient(source) is not None


def _pointed(tenant: int, type_: str, param: str, source: str, row: str) -> str:
    if _tied(type_, param, source):
        return f"select {row}.patient as id where {row}.patient is not null"
    return bodies.referred_ids(_parameter(source, param, tenant), row, type_)


def _pointed_by_many(
    tenant: int, type_: str, param: str, step: Step, sight: Sight, *, by_patient: bool
) -> Condition:
    """Many sources: each row is asked whether one points to it, by index."""
    source, conditions, _ = step
    head = told(tenant, source, param, "r", type_) + "\x1f"

    def test(a: Arguments, row: str) -> str:
        other = a.name()
        _, tests = _rows(a, other, (source, conditions, None), sight)
        if by_patient:
            where = f"{other}.patient = {row}.id and {tests}"
            return (
                f"coalesce((select true from record.resource {other} where {where} limit 1), false)"  # noqa: S608
            )
        return (
            f"coalesce((select true from record.ix k join record.resource {other} "  # noqa: S608
            f"on {other}.rid = k.rid where k.h = record.key_of({a.add(head, 'text')} || {row}.id) "
            f"and {tests} limit 1), false)"
        )

    def way(a: Arguments) -> str:
        other = a.name()
        place, tests = _rows(a, other, step, sight)
        pointed = _pointed(tenant, type_, param, source, other)
        return (
            f"select p.rid from record.resource p where p.tenant = "  # noqa: S608
            f"current_setting('liane.tenant')::smallint and p.type = {a.add(type_, 'text')} and "
            f"p.id in (select q.id from {place}, lateral ({pointed}) q where {tests})"
        )

    return Condition(test, way, heavy=True)


def every_label(conditions: Sequence[Condition]) -> list[str]:
    """Names of the conditions, for explanations."""
    return [one.label for one in conditions]
