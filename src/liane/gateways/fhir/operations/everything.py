"""What does the record hold about one patient, one stay, or each patient in turn, all of it?

First what belongs to the patient, in the order it was stored; then, each once, the people, places,
medications and devices it names. A page goes on after the last row of the page before, so writes
in between neither repeat nor hide anything. Without an id, one patient follows the other in the
order of their ids, those that the reader may see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from liane.access import gate
from liane.access.permissions import Permission
from liane.base.errors import Invalid
from liane.base.ids import is_fhir_id
from liane.fhir import definitions
from liane.gateways.fhir import authority
from liane.gateways.fhir.answers import bundle, link, search_entry
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.operations import asking
from liane.gateways.fhir.operations.limits import visible
from liane.gateways.fhir.operations.registry import Operation
from liane.store import Tx
from liane.store.resources import Version
from liane.store.sql import queries

Q = queries("liane.gateways.fhir", "operations.sql")

PAGE = 500
PAGE_LIMIT = 2_000
PATIENTS = 50
"""Patients that one page of all patients begins at most."""
HOUSE = ("Practitioner", "PractitionerRole", "Organization", "Location", "Medication", "Device")
_OF_PATIENT = ("start", "end", "_since", "_type", "_count", "_cursor")
_OF_STAY = ("_since", "_type", "_count", "_cursor")


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is wanted of whom."""

    patient: str
    types: list[str]
    since: Any
    start: Any
    end: Any
    stay: str | None
    count: int

    def sql(self, name: str) -> str:
        """The query, with the tests of date and stay in their place."""
        return Q[name].replace("{during}", Q["during"]).replace("{stay}", Q["stay"])


async def of_patient(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/patient-operation-everything.html"""
    if len(exchange.path) == 2:
        return await _of_all(exchange, tx)
    id_ = exchange.path[1]
    await asking.opened(exchange, tx, "Patient", id_)
    asked = asking.asked(exchange, _OF_PATIENT)
    return await _answer(exchange, tx, _wish(exchange, asked, id_, None), asked)


async def of_encounter(exchange: Exchange, tx: Tx) -> Answer:
    """http://hl7.org/fhir/R4/encounter-operation-everything.html"""
    id_ = exchange.path[1]
    version = await asking.opened(exchange, tx, "Encounter", id_)
    patient = authority.patient_of(version)
    asked = asking.asked(exchange, _OF_STAY)
    if patient is None:
        entry = search_entry(exchange, version, "match", version.body)
        return Answer(200, bundle("searchset", [entry], _self(exchange)), patients=(None,))
    return await _answer(exchange, tx, _wish(exchange, asked, patient, f'Encounter/{id_}"'), asked)


def _wish(exchange: Exchange, asked: dict[str, list[str]], patient: str, stay: str | None) -> _Wish:
    named = asking.types_of(asking.listed(asked, "_type"), definitions.types())
    wanted = named or definitions.types()
    return _Wish(
        patient,
        [name for name in wanted if authority.allows_type(exchange.actor, name, "r")],
        asking.start_of("_since", asking.single(asked, "_since")),
        asking.start_of("start", asking.single(asked, "start")),
        asking.end_of("end", asking.single(asked, "end")),
        stay,
        asking.number(asked, "_count", PAGE, PAGE_LIMIT),
    )


async def _of_all(exchange: Exchange, tx: Tx) -> Answer:
    authority.require_type(exchange.actor, "Patient", "r")
    await gate.require(tx, exchange.actor, Permission.FHIR_API)
    asked = asking.asked(exchange, _OF_PATIENT)
    at, within = _place(asking.single(asked, "_cursor"))
    wish = _wish(exchange, asked, "", None)
    entries: dict[str, str] = {}
    shown: list[str] = []
    following: str | None = None
    for id_ in await _patients(exchange, tx, at, within is not None):
        if len(entries) >= wish.count or len(shown) == PATIENTS:
            following = f"a{shown[-1]}~"
            break
        one = replace(wish, patient=id_, count=wish.count - len(entries))
        found, rest = await _page(exchange, tx, one, within if id_ == at else None)
        entries |= {name: text for name, text in found.items() if name not in entries}
        shown.append(id_)
        if rest is not None:
            following = f"a{id_}~{rest}"
            break
    return _bundle(exchange, list(entries.values()), following, tuple(shown) or (None,))


def _place(text: str | None) -> tuple[str, str | None]:
    """After which patient the page of all begins, or within which one and where."""
    if text is None:
        return "", None
    id_, _, within = text[1:].partition("~")
    if text[:1] != "a" or not is_fhir_id(id_):
        raise _unknown_page()
    return id_, within or None


async def _patients(exchange: Exchange, tx: Tx, at: str, itself: bool) -> list[str]:
    args: list[Any] = [at, itself, PATIENTS + 1]
    sql = Q["next_patients"].replace("{limit}", visible(exchange.actor, ["Patient"], "r", args))
    return [row["id"] for row in await tx.fetch(sql, *args)]


async def _answer(exchange: Exchange, tx: Tx, wish: _Wish, asked: dict[str, list[str]]) -> Answer:
    found, following = await _page(exchange, tx, wish, asking.single(asked, "_cursor"))
    return _bundle(exchange, list(found.values()), following, (wish.patient,))


def _bundle(
    exchange: Exchange, entries: list[str], following: str | None, shown: tuple[str | None, ...]
) -> Answer:
    links = _self(exchange)
    if following is not None:
        rest = [item for item in exchange.parameters() if item[0] != "_cursor"]
        links.append(("next", link(exchange, [*rest, ("_cursor", following)])))
    body = bundle("searchset", entries, links)
    return Answer(200, body, patients=shown, detail={"everything": True, "count": len(entries)})


async def _page(
    exchange: Exchange, tx: Tx, wish: _Wish, cursor: str | None
) -> tuple[dict[str, str], str | None]:
    """The entries after `cursor`, by what they are, and where the next page goes on."""
    rid, name = _cursor(cursor)
    own = await _own(tx, wish, rid) if name is None else []
    shown = own[: wish.count]
    entries = {f"{row['type']}/{row['id']}": _entry(exchange, row, "match") for row in shown}
    following: str | None = None
    if len(own) > wish.count:
        following = f"o{shown[-1]['rid'] if shown[-1]['type'] != 'Patient' else 0}"
    else:
        house = await _house(tx, wish, name or "", wish.count - len(shown) + 1)
        more = house[: wish.count - len(shown)]
        entries |= {f"{row['type']}/{row['id']}": _entry(exchange, row, "include") for row in more}
        if len(house) > len(more):
            following = f"h{more[-1]['type']}/{more[-1]['id']}" if more else f"h{name or ''}"
    return entries, following


def _self(exchange: Exchange) -> list[tuple[str, str]]:
    return [("self", link(exchange, exchange.parameters()))]


def _cursor(text: str | None) -> tuple[int, str | None]:
    """After which row of the patient, or after which name of the house, the page begins."""
    if text is None:
        return -1, None
    if text[:1] == "o" and text[1:].isascii() and text[1:].isdecimal() and len(text) < 20:
        return int(text[1:]), None
    if text[:1] == "h" and len(text) < 120:
        return 0, text[1:]
    raise _unknown_page()


def _unknown_page() -> Invalid:
    return Invalid(
        "fhir.cursor", "Page inconnue : repartir du début.", "Unknown page: start again."
    )


async def _own(tx: Tx, wish: _Wish, after: int) -> Sequence[Any]:
    return await tx.fetch(
        wish.sql("everything"),
        wish.patient,
        after,
        wish.count + 1,
        wish.types,
        wish.since,
        wish.start,
        wish.end,
        wish.stay,
    )


async def _house(tx: Tx, wish: _Wish, after: str, most: int) -> Sequence[Any]:
    return await tx.fetch(
        wish.sql("house_of_everything"),
        wish.patient,
        after,
        most,
        list(definitions.types()),
        wish.since,
        wish.start,
        wish.end,
        wish.stay,
        [name for name in HOUSE if name in wish.types],
    )


def _entry(exchange: Exchange, row: Any, mode: str) -> str:
    version = Version(*tuple(row)[:6])
    return search_entry(exchange, version, mode, version.body)


OPERATIONS = (
    Operation(
        "everything",
        frozenset({"type", "instance"}),
        frozenset({"Patient"}),
        of_patient,
        "http://hl7.org/fhir/OperationDefinition/Patient-everything",
    ),
    Operation(
        "everything",
        frozenset({"instance"}),
        frozenset({"Encounter"}),
        of_encounter,
        "http://hl7.org/fhir/OperationDefinition/Encounter-everything",
    ),
)
