"""Which resources are meant by a question about another resource they point to?

A chain (`subject.name=x`, `_has:Observation:patient:code=y`) is answered first, to a bounded list
of ids, and the question goes on with those: nothing copied can go stale.
"""

from __future__ import annotations

from liane.fhir import json as fhir_json
from liane.fhir.extraction import extract
from liane.store.database import Tx
from liane.store.keys import key, one_patient
from liane.store.search.model import Criterion, Query, Restriction
from liane.store.search.parsing import refused
from liane.store.search.ways import Condition, hashed_condition

MOST_TARGETS = 2000


async def chained_condition(
    tx: Tx, type_: str, asked: Criterion, restriction: Restriction | None
) -> Condition:
    """The condition for a chain or a reverse chain."""
    if asked.chain is None:
        raise ValueError("not a chain")
    if asked.reverse_type is not None:
        return Condition(ids=await _pointed_at(tx, type_, asked, restriction))
    exact: list[int] = []
    patients: list[str] = []
    for target in asked.chain_types:
        ids = await _ids(tx, target, asked.chain, restriction)
        exact += [key(tx.tenant, type_, asked.param, "r", target, id_) for id_ in ids]
        patients += ids if target == "Patient" else []
    by_patient = asked.param in ("patient", "subject") and one_patient(type_) is not None
    if by_patient and len(patients) == len(exact):
        found = hashed_condition(exact, None)
        found.patients = patients
        return found
    return hashed_condition(exact, exact)


async def _ids(tx: Tx, type_: str, asked: Criterion, restriction: Restriction | None) -> list[str]:
    from liane.store.search.running import conditions_of, plan_of

    query = Query(type_, (asked,), count=MOST_TARGETS)
    plan = await plan_of(tx, query, await conditions_of(tx, query, restriction), restriction, None)
    limit = MOST_TARGETS + 1
    sql = f"select r.id from {plan.source} where {' and '.join(plan.tests)} limit {limit}"  # noqa: S608 - names are ours, values are arguments
    rows = await plan.arguments.fetch(tx, sql)
    _refuse_too_many(len(rows), asked)
    return [row["id"] for row in rows]


async def _pointed_at(
    tx: Tx, type_: str, asked: Criterion, restriction: Restriction | None
) -> list[str]:
    """Ids of `type_` that resources of the reverse type, meeting the chain, point to."""
    from liane.store.search.running import conditions_of, plan_of

    source, chain = asked.reverse_type, asked.chain
    if source is None or chain is None:
        raise ValueError("not a reverse chain")
    query = Query(source, (chain,), count=MOST_TARGETS)
    plan = await plan_of(tx, query, await conditions_of(tx, query, restriction), restriction, None)
    where = " and ".join(plan.tests)
    limit = MOST_TARGETS + 1
    if type_ == "Patient" and asked.param in ("patient", "subject") and one_patient(source):
        sql = f"select distinct r.patient as id from {plan.source} where {where} and r.patient is not null limit {limit}"  # noqa: E501, S608
        rows = await plan.arguments.fetch(tx, sql)
        _refuse_too_many(len(rows), chain)
        return [row["id"] for row in rows]
    sql = f"select r.body from {plan.source} where {where} limit {limit}"  # noqa: S608
    rows = await plan.arguments.fetch(tx, sql)
    _refuse_too_many(len(rows), chain)
    found = {
        ref.id
        for row in rows
        for ref in extract(fhir_json.loads(row["body"])).references
        if ref.param == asked.param and ref.type == type_ and ref.id is not None
    }
    return sorted(found)


def _refuse_too_many(count: int, asked: Criterion) -> None:
    if count > MOST_TARGETS:
        raise refused(
            f"« {asked.param} » désigne plus de {MOST_TARGETS} ressources : précisez.",
            f"'{asked.param}' means more than {MOST_TARGETS} resources: be more precise.",
        )
