"""Which way leads to the rows of a question with as little reading as possible?

The builder, not PostgreSQL's planner, chooses the way in: the patient's own rows when a patient is
named, otherwise the index that leads to the fewest rows (a bounded probe counts them). Everything
else is tested on the rows found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from liane.fhir import definitions
from liane.store.database import Tx
from liane.store.search import known, listing, terms
from liane.store.search.amounts import dates
from liane.store.search.asking import Asking
from liane.store.search.conditions import condition
from liane.store.search.model import Criterion, Group, Node, Sight
from liane.store.search.sqltext import Arguments
from liane.store.search.visible import seen
from liane.store.search.ways import (
    TENANT,
    Condition,
    all_of,
    all_together,
    among_patients,
    any_of,
    none_of,
)

PROBE_LIMIT = 2000
FEW_PATIENTS = 8
"""The rows of so few patients are always read; those of more are one way among others."""
MOST_STREAMS = 24
"""So many index keys are merged in order; more are gathered and sorted."""


@dataclass(slots=True)
class Plan:
    """Where the rows come from and what is asked of them; `key` names the index they are read
    in the order of, if they are.
    """

    source: str
    tests: list[str]
    arguments: Arguments
    streamed: bool
    leader: Condition | None
    probes: dict[str, int] = field(default_factory=dict)
    stream: str = ""
    """The index entries that are read in order."""

    @property
    def where(self) -> str:
        """All tests."""
        return " and ".join(self.tests) or "true"

    def rows_of(self, entries: str) -> str:
        """The rows of index entries `k`, looked up one by one in their order.

        `offset 0` keeps the planner from turning the look-ups round: it believes that tests of keys
        leave almost nothing, and would gather and sort everything for one page.
        """
        return f"{entries} k cross join lateral ({self.source} offset 0) r"


async def conditions_of(tx: Tx, type_: str, nodes: Sequence[Node], sight: Sight) -> list[Condition]:
    """All criteria as conditions; chains are resolved to the resources that they lead to."""
    found: list[Condition] = []
    main: dict[str, list[Sequence[str]]] = {}
    for node in nodes:
        if isinstance(node, Criterion) and _bounds_the_main_date(type_, node):
            main.setdefault(node.param, []).append(node.values)
        elif isinstance(node, Group) and node.joined == "and":
            found += await conditions_of(tx, type_, node.members, sight)
        else:
            found.append(await condition_of(tx, type_, node, sight))
    found += [dates(tx.tenant, type_, param, groups) for param, groups in main.items()]
    return found


async def condition_of(tx: Tx, type_: str, node: Node, sight: Sight) -> Condition:
    """One node as one condition."""
    from liane.store.search.chaining import chained_condition

    if isinstance(node, Group):
        members = [await condition_of(tx, type_, member, sight) for member in node.members]
        if node.joined == "not":
            return none_of(members[0], "_filter")
        together = any_of if node.joined == "or" else all_together
        return together(members, "_filter")
    if node.chain:
        return await chained_condition(tx, type_, node, sight)
    if node.kind == "list":
        return listing.condition(tx.tenant, type_, node, sight)
    found = known.parameter(type_, node.param, tx.tenant)
    if found is None:
        raise ValueError(f"{type_} has no parameter {node.param}")
    if node.kind == "token" and node.modifier in terms.FORMS:
        made = await terms.condition(tx, Asking(tx.tenant, type_, node, found))
        made.label = f"{node.param}:{node.modifier}"
        return made
    return condition(tx.tenant, type_, node, found)


def _bounds_the_main_date(type_: str, asked: Criterion) -> bool:
    """Two bounds of the main date (single in every type) are one stretch of the index."""
    main = definitions.resources()[type_]["at"]
    plain = asked.kind == "date" and asked.modifier is None and not asked.chain
    return plain and main[:1] == [asked.param]


async def leader_of(
    tx: Tx,
    type_: str,
    conditions: Sequence[Condition],
    order: str = "",
    probes: dict[str, int] | None = None,
) -> Condition | None:
    """The condition whose index is read; None when the rows of named patients or ids are.

    `order` is the column the rows are sorted by, if an index has it: where every condition leads to
    very many rows, walking along that order finds a page sooner.
    """
    if any(one.ids is not None or _few_patients(one) for one in conditions):
        return None
    crowd = next((crowded(type_, one) for one in conditions if one.patients), None)
    leading = [one for one in conditions if one.way is not None]
    leading += [crowd] if crowd is not None else []
    walks = order in ("updated", "id")
    if not leading:
        return None if walks else all_of(tx.tenant, type_)
    single = leading[0] if len(leading) == 1 else None
    wide = single is not None and (single is crowd or single.moments is not None)
    if single is not None and not walks and not (order == "at" and wide):
        return single
    counts = await probe(tx, leading)
    if probes is not None:
        probes.update({one.label: count for one, count in zip(leading, counts, strict=True)})
    fewest = min(range(len(leading)), key=lambda n: counts[n])
    if counts[fewest] < PROBE_LIMIT or not order:
        return leading[fewest]
    if walks:
        return None
    return _streamable(leading) or all_of(tx.tenant, type_)


def stream_of(tenant: int, type_: str, conditions: Sequence[Condition]) -> Condition | None:
    """What to walk when the main date is asked: within its stretch that is always the least.

    None when something more selective may lead: a patient, an id, two indexes to choose from.
    """
    if any(one.ids is not None or one.patients is not None for one in conditions):
        return None
    dated = [one for one in conditions if one.moments not in (None, (None, None))]
    others = [one for one in conditions if one.way is not None and one not in dated]
    if not dated or len(others) > 1:
        return None
    return _streamable(others) if others else all_of(tenant, type_)


def _streamable(leading: Sequence[Condition]) -> Condition | None:
    """The condition whose index has the order of the date."""
    able = [one for one in leading if one.hashes and len(one.hashes) <= MOST_STREAMS]
    return min(able, key=lambda one: len(one.hashes or ()), default=None)


def _few_patients(one: Condition) -> bool:
    return one.patients is not None and len(one.patients) <= FEW_PATIENTS


def crowded(type_: str, one: Condition) -> Condition:
    """The rows of very many patients, as one way among others."""
    patients = list(one.patients or ())

    def way(a: Arguments) -> str:
        return (
            f"select rid from record.resource where tenant = {TENANT} and "  # noqa: S608
            f"type = {a.add(type_, 'text')} and patient = any({a.add(patients, 'text[]')})"
        )

    return Condition(None, way, exact_way=True, label=one.label)


async def probe(tx: Tx, leading: Sequence[Condition]) -> list[int]:
    """How many rows each way leads to, counted up to a limit."""
    a = Arguments()
    counts = ", ".join(
        f"(select count(*) from (select 1 from ({one.way(a)}) w limit {PROBE_LIMIT}) p)"  # noqa: S608 - names are ours, values are arguments
        for one in leading
        if one.way is not None and not one.heavy
    )
    found = iter(tuple((await a.fetch(tx, f"select {counts}"))[0]) if counts else ())
    return [PROBE_LIMIT if one.heavy else next(found) for one in leading]


async def moments_hold(tx: Tx, conditions: Sequence[Condition]) -> bool:
    """Whether the stretch of the main date bounds every row: no long date reaches into it."""
    a = Arguments()
    reaching = [one.long_way(a) for one in conditions if one.long_way is not None]
    if not reaching:
        return False
    sql = "select " + " or ".join(f"exists ({one})" for one in reaching) + " as some"
    return not (await a.fetch(tx, sql))[0]["some"]


def plan_for(
    type_: str,
    conditions: Sequence[Condition],
    sight: Sight,
    leader: Condition | None,
    *,
    by_date: bool,
    bounded: bool,
) -> Plan:
    """Source and tests; with `by_date` the rows are read in the order of their date if they can."""
    a = Arguments()
    tests = seen(a, "r", type_, sight)
    hashes = leader.hashes if leader is not None else None
    stream = bool(by_date and hashes and len(hashes) <= MOST_STREAMS)
    source = "record.resource r"
    if not stream and leader is not None and leader.way is not None:
        tests.append(f"r.rid in ({leader.way(a)})")
    for one in conditions:
        tests += tests_of(one, a, "r", leads=one is leader)
    if not (stream and hashes):
        return Plan(source, tests, a, streamed=False, leader=leader)
    inner = f"select * from {source} where r.rid = k.rid and {' and '.join(tests)}"  # noqa: S608
    outer = [
        test
        for one in conditions
        if bounded and one.moments is not None
        for test in _moments(one, a)
    ]
    return Plan(inner, outer, a, streamed=True, leader=leader, stream=_stream(a, hashes))


def _stream(a: Arguments, hashes: list[int]) -> str:
    """Rows of `record.ix` under the keys, each row once."""
    if len(hashes) == 1:
        return f"(select h, s, rid from record.ix where h = {a.add(hashes[0], 'bigint')})"  # noqa: S608
    each = [
        f"(select s, rid from record.ix where h = {a.add(one, 'bigint')} order by s, rid)"  # noqa: S608
        for one in hashes
    ]
    return (
        f"(select distinct on (s, rid) s, rid from ({' union all '.join(each)}) m order by s, rid)"  # noqa: S608
    )


def _moments(one: Condition, a: Arguments) -> list[str]:
    low, high = one.moments or (None, None)
    tests = []
    if low is not None:
        tests.append(f"k.s <= {a.add(-low, 'bigint')}")
    if high is not None:
        tests.append(f"k.s >= {a.add(-high, 'bigint')}")
    return tests


def tests_of(one: Condition, a: Arguments, row: str, *, leads: bool) -> list[str]:
    """What a row found must still be asked for this condition."""
    tests = []
    if one.ids is not None:
        tests.append(f"{row}.id = any({a.add(one.ids, 'text[]')})")
    if one.patients is not None:
        tests.append(among_patients(one.patients, a, row))
    if one.test is not None and not (leads and one.exact_way):
        tests.append(one.test(a, row))
    elif one.test is None and one.way is not None and not leads:
        tests.append(f"{row}.rid in ({one.way(a)})")
    return tests
