"""What are the latest results of each kind?

http://hl7.org/fhir/R4/observation-operation-lastn.html. Grouped in the query; two codings are of
one kind as soon as one Observation carries both.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from liane.gateways.fhir import authority
from liane.gateways.fhir.answers import bundle, link, search_entry
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.operations import asking
from liane.gateways.fhir.operations.everything import Q
from liane.gateways.fhir.operations.registry import Operation
from liane.store import Tx
from liane.store.resources import Version

MOST = 100
MOST_ROWS = 5_000
MOST_PATIENTS = 100
_ACCEPTED = ("patient", "subject", "category", "code", "date", "max")


async def serve(exchange: Exchange, tx: Tx) -> Answer:
    """The latest `max` Observations of each code of each patient asked for."""
    authority.require_type(exchange.actor, "Observation", "r")
    asked = asking.asked(exchange, _ACCEPTED)
    patients = await patients_of(exchange, tx, asked)
    most = asking.number(asked, "max", 1, MOST)
    low, high = _dates(asked.get("date", []))
    rows = await tx.fetch(
        Q["last_observations"],
        patients,
        asking.listed(asked, "category"),
        asking.listed(asked, "code"),
        MOST_ROWS,
        most,
        low,
        high,
    )
    chosen = _latest(rows, most)
    entries = [
        search_entry(exchange, version, "match", version.body)
        for version in (Version(*tuple(row)[:6]) for row in chosen)
    ]
    links = [("self", link(exchange, exchange.parameters()))]
    body = bundle("searchset", entries, links, len(entries))
    return Answer(200, body, patients=tuple(patients), detail={"count": len(entries)})


async def patients_of(exchange: Exchange, tx: Tx, asked: dict[str, list[str]]) -> list[str]:
    """The patients named, once the gate has agreed for each."""
    named = asking.listed(asked, "patient") + asking.listed(asked, "subject")
    if not named:
        raise asking.missing("patient", "de quel patient s’agit-il", "which patient is meant")
    patients = list(dict.fromkeys(_patient(text) for text in named))[:MOST_PATIENTS]
    for patient in patients:
        await authority.require_read(tx, exchange.actor, patient, "Observation")
    return patients


def _patient(text: str) -> str:
    type_, slash, id_ = text.rpartition("/")
    if slash and type_.rpartition("/")[2] != "Patient":
        raise asking.wrong("patient", text, "attendu : Patient/<id>", "expected: Patient/<id>")
    return id_


def _dates(texts: list[str]) -> tuple[datetime | None, datetime | None]:
    """The stretch that all `date` values leave open."""
    low: datetime | None = None
    high: datetime | None = None
    for text in texts:
        prefix, rest = (text[:2], text[2:]) if text[:2].isalpha() else ("eq", text)
        if prefix not in ("eq", "ge", "gt", "le", "lt"):
            accepted = "préfixes acceptés : eq, ge, gt, le, lt"
            raise asking.wrong("date", text, accepted, "accepted prefixes: eq, ge, gt, le, lt")
        first, after = asking.start_of("date", rest), asking.end_of("date", rest)
        if prefix in ("eq", "ge", "gt"):
            bound = after if prefix == "gt" else first
            low = bound if low is None or bound is None else max(low, bound)
        if prefix in ("eq", "le", "lt"):
            bound = first if prefix == "lt" else after
            high = bound if high is None or bound is None else min(high, bound)
    return low, high


def _latest(rows: Sequence[Any], most: int) -> list[Any]:
    """Join the groups that share a coding, then keep the latest of each group."""
    leader: dict[tuple[str, str], tuple[str, str]] = {}

    def found(place: tuple[str, str]) -> tuple[str, str]:
        while leader.setdefault(place, place) != place:
            place = leader[place]
        return place

    for row in rows:
        first, *others = [(row["patient"], code) for code in row["codes"]]
        for other in others:
            leader[found(other)] = found(first)
    groups: dict[tuple[str, str], list[Any]] = {}
    for row in rows:  # latest first, so each group fills from its latest
        group = groups.setdefault(found((row["patient"], row["codes"][0])), [])
        if len(group) < most:
            group.append(row)
    return [row for group in groups.values() for row in group]


OPERATIONS = (
    Operation(
        "lastn",
        frozenset({"type"}),
        frozenset({"Observation"}),
        serve,
        "http://hl7.org/fhir/OperationDefinition/Observation-lastn",
    ),
)
