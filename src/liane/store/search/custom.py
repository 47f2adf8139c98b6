"""Which search parameters has this establishment made itself, and may they be asked yet?

A SearchParameter resource that is active, with an expression, becomes a parameter. From then on
every write files its values; a job (`liane.store.search.indexing`) files those of the resources
that were there before; only then it can be asked. Standard parameters keep their names.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from liane.base.errors import LianeError
from liane.fhir import definitions, fhirpath
from liane.fhir import json as fhir_json
from liane.fhir import search_values as values
from liane.fhir.definitions import SearchParameter
from liane.fhir.search_values import Extracted
from liane.store import custom_values, jobs
from liane.store.database import Tx
from liane.store.search import known
from liane.store.sql import queries
from liane.store.versions import Version

Q = queries("liane.store", "parameters.sql")
JOB = "search-index"
FRESH_SECONDS = 2.0
"""So long a process may not know of a new parameter; the job that makes its index waits longer."""
FILED = ("waiting", "indexing", "active")
KINDS = ("token", "string", "date", "number", "quantity", "reference", "uri")

_TEXTS = ("string", "markdown", "id", "uri", "url", "canonical", "oid", "uuid", "code", "String")
_QUANTITIES = ("Quantity", "Age", "Duration", "Count", "Distance", "SimpleQuantity")
_NUMBERS = ("integer", "decimal", "positiveInt", "unsignedInt", "Integer", "Decimal")
_FILING: dict[str, dict[str, Any]] = {
    "token": {
        "Coding": values.token_coding,
        "CodeableConcept": values.token_concept,
        "Identifier": values.token_identifier,
        "ContactPoint": values.token_contact,
        "boolean": values.token_boolean,
        "Boolean": values.token_boolean,
        **dict.fromkeys(_TEXTS, values.token_text),
    },
    "reference": {
        "Reference": values.reference,
        **dict.fromkeys(("canonical", "uri", "url"), values.reference_url),
    },
    "string": {
        "HumanName": values.string_name,
        "Address": values.string_address,
        "CodeableConcept": values.string_concept,
        **dict.fromkeys(_TEXTS, values.string_text),
    },
    "date": {
        **dict.fromkeys(("date", "dateTime", "instant"), values.date_point),
        "Period": values.date_period,
        "Timing": values.date_timing,
    },
    "number": {**dict.fromkeys(_NUMBERS, values.number), "Range": values.quantity_range},
    "quantity": {
        **dict.fromkeys(_QUANTITIES, values.quantity),
        "Money": values.money,
        "Range": values.quantity_range,
    },
    "uri": dict.fromkeys(_TEXTS, values.uri),
}


@dataclass(frozen=True, slots=True)
class Custom:
    """One custom parameter; `state` says whether it may be asked."""

    id: str
    code: str
    kind: str
    bases: tuple[str, ...]
    targets: tuple[str, ...]
    expression: str
    url: str = ""
    state: str = "active"
    problem: str | None = None
    total: int = 0
    done: int = 0

    def add(self, resource: dict[str, Any], found: Extracted) -> None:
        """Put its values into what was found; a resource it cannot read has none."""
        try:
            path = fhirpath.compile(self.expression)
            items = path.nodes(resource, as_many=True, resolve=fhirpath.stub_of)
        except LianeError:
            return
        filing = _FILING[self.kind]
        for item in items:
            is_node = isinstance(item, fhirpath.Node)
            name = item.type if is_node else type(item).__name__
            value = item.value if is_node else item
            name = {"bool": "Boolean", "str": "String", "int": "Integer"}.get(name or "", name)
            file = filing.get(name or "")
            if file is not None and value is not None:
                try:
                    file(found, (self.code,), value)
                except (AttributeError, TypeError, KeyError, ValueError, ArithmeticError):
                    continue  # a value of another shape than its datatype has


_seen: dict[int, tuple[float, tuple[Custom, ...]]] = {}


async def keep_fresh(tx: Tx) -> bool:
    """Know the parameters as they are now, at most every few seconds; True when they changed."""
    at, before = _seen.get(tx.tenant, (-FRESH_SECONDS, ()))
    if time.monotonic() - at < FRESH_SECONDS:
        return False
    return await refresh(tx) != before


async def refresh(tx: Tx) -> tuple[Custom, ...]:
    """Read the parameters, file by them and let the finished ones be asked."""
    found = tuple([_custom(row) for row in await tx.fetch(Q["all"])])
    take(tx.tenant, found)
    return found


def take(tenant: int, found: tuple[Custom, ...]) -> None:
    """From now on these parameters are known."""
    filed: dict[str, list[Custom]] = {}
    active: dict[str, dict[str, SearchParameter]] = {}
    for one in found:
        if one.kind not in KINDS:
            continue
        for base in one.bases:
            if one.state in FILED:
                filed.setdefault(base, []).append(one)
            if one.state == "active":
                shown = _shown(one)
                active.setdefault(base, {})[one.code] = shown
    custom_values.set_known(
        tenant, {base: tuple(one.add for one in ones) for base, ones in filed.items()}
    )
    known.set_custom(tenant, active)
    _seen[tenant] = (time.monotonic(), found)


def _shown(one: Custom) -> SearchParameter:
    return SearchParameter(one.code, one.kind, one.targets, one.expression, (), one.url)


def _custom(row: Any) -> Custom:
    return Custom(
        row["id"], row["code"], row["kind"], tuple(row["bases"]), tuple(row["targets"]),
        row["expression"], row["url"], row["state"], row["problem"], row["total"], row["done"],
    )  # fmt: skip


def former_of(row: Any) -> Custom | None:
    """What the parameter was before its definition changed."""
    if row["former"] is None:
        return None
    told = fhir_json.loads(row["former"])
    return Custom(
        row["id"], told["code"], told["kind"], tuple(told["bases"]), (), told["expression"]
    )


async def project(tx: Tx, versions: Sequence[Version]) -> None:
    """The projection: SearchParameter resources become parameters; others are filed by them."""
    from liane.store.search.indexing import file_again

    for version in versions:
        if version.type == "SearchParameter" and version.version:
            await _noticed(tx, version)
    if await keep_fresh(tx):
        # These may have been filed before this process knew of a parameter.
        await file_again(tx, [one for one in versions if not one.deleted and one.version])


async def _noticed(tx: Tx, version: Version) -> None:
    wanted = None if version.deleted else _read(version.resource)
    if wanted is None:
        if await tx.fetchrow(Q.one, version.id) is None:
            return
        await tx.execute(Q.remove, version.id, tx.now)
    else:
        state = "waiting" if wanted.problem is None else "wrong"
        await tx.execute(
            Q.put, version.id, wanted.code, wanted.kind, list(wanted.bases), list(wanted.targets),
            wanted.expression, wanted.url, state, wanted.problem, tx.now,
        )  # fmt: skip
        if wanted.problem is not None:
            return
    await jobs.enqueue(tx, JOB, version.id, {"id": version.id})
    tenant = tx.tenant
    tx.after_commit(lambda: _forget(tenant))


def _forget(tenant: int) -> None:
    """Read the parameters anew before the next question or write."""
    _seen[tenant] = (-FRESH_SECONDS, _seen.get(tenant, (0.0, ()))[1])


def _read(resource: Mapping[str, Any]) -> Custom | None:
    """The parameter that a resource describes; None when it is no active one of our own."""
    expression = resource.get("expression")
    if resource.get("status") != "active" or not expression:
        return None
    code, kind = str(resource.get("code", "")), str(resource.get("type", ""))
    asked = [str(base) for base in resource.get("base", ())]
    everywhere = {"Resource", "DomainResource"} & set(asked)
    bases = definitions.types() if everywhere else [b for b in asked if b in definitions.types()]
    own = tuple(base for base in bases if code not in definitions.search_parameters(base))
    if not own:
        return None
    targets = tuple(str(t) for t in resource.get("target", ()) if t in definitions.types())
    text, url = str(expression), str(resource.get("url", ""))
    problem = _problem(code, kind, text)
    return Custom(str(resource["id"]), code, kind, own, targets, text, url, problem=problem)


def _problem(code: str, kind: str, expression: str) -> str | None:
    if kind not in KINDS:
        return f"type {kind[:40]}: {', '.join(KINDS)}"
    if not code.replace("-", "").replace("_", "").isalnum() or code.startswith("_"):
        return f"code {code[:40]}"
    try:
        fhirpath.compile(expression)
    except LianeError as wrong:
        return wrong.en[:500]
    return None


def parameters_of(tenant: int, type_: str) -> list[SearchParameter]:
    """What a search of the type can be asked, for those who describe the server."""
    return [one for one in known.parameters(type_, tenant).values() if one.name != "_query"]
