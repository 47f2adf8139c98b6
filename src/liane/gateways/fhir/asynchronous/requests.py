"""Who asked for something that is answered later, how far is it, and what came out?

One row of `work.request` for each; the work is a job of the same id. A run has a number: a run
that another one has overtaken, or whose request was cancelled, can no longer write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from liane.access.actor import Actor, Kind, Role
from liane.base.errors import Busy, LianeError
from liane.base.ids import new_id
from liane.fhir import json as fhir_json
from liane.store import Tx, jobs
from liane.store.sql import queries

Q = queries("liane.gateways.fhir", "asynchronous.sql")

MOST_OPEN = 5
"""Requests one asker may have under way."""
KEPT = timedelta(hours=24)
"""How long an answer can be fetched."""
TIDY_JOB = "fhir-tidy"


@dataclass(frozen=True, slots=True)
class Request:
    """One request that is answered later."""

    id: str
    kind: str
    actor: Actor
    asker: str
    url: str
    ask: Mapping[str, Any]
    asked: datetime
    run: int
    done: int
    share: float | None
    place: Mapping[str, Any]
    result: Mapping[str, Any] | None
    failure: Mapping[str, Any] | None
    finished: datetime | None
    expires: datetime | None


class Overtaken(Exception):
    """The request was cancelled, or another run has taken it over: stop quietly."""


def asker_of(actor: Actor) -> str:
    """The name under which the answer is kept."""
    return f"{actor.kind}:{actor.id}"


async def begin(tx: Tx, actor: Actor, kind: str, url: str, ask: Mapping[str, Any]) -> str:
    """Keep the request and queue its work with this commit; its id.

    Raises `Busy` when the asker has too many under way.
    """
    asker = asker_of(actor)
    if await tx.fetchval(Q.open_requests, asker) >= MOST_OPEN:
        raise Busy(
            "fhir.too-many-requests",
            f"{MOST_OPEN} demandes sont déjà en cours pour ce compte.",
            f"{MOST_OPEN} requests of this account are already under way.",
            "Attendez la fin de l’une d’elles, ou annulez-la (DELETE sur son adresse).",
            "Wait until one ends, or cancel it (DELETE on its address).",
        )
    id_ = new_id()
    told = fhir_json.dumps(asdict(actor))
    await tx.execute(Q.begin, tx.tenant, id_, kind, told, asker, url, fhir_json.dumps(ask), tx.now)
    await jobs.enqueue(tx, f"fhir-{kind}", id_, {})
    return id_


async def load(tx: Tx, id_: str) -> Request | None:
    """The request of that id, if there is one."""
    row = await tx.fetchrow(Q.load, id_)
    return None if row is None else _request(row)


async def take(tx: Tx, id_: str) -> Request | None:
    """Begin a run; None when there is nothing to do any more."""
    row = await tx.fetchrow(Q.take, id_)
    return None if row is None else _request(row)


async def advance(
    tx: Tx, request: Request, done: int, share: float | None, place: Mapping[str, Any]
) -> None:
    """Keep how far the run has come. Raises `Overtaken`."""
    text = fhir_json.dumps(place)
    if await tx.fetchval(Q.advance, request.id, request.run, done, share, text) is None:
        raise Overtaken(request.id)


async def finish(tx: Tx, request: Request, result: Mapping[str, Any]) -> None:
    """The answer is there. Raises `Overtaken`."""
    await _end(tx, request, fhir_json.dumps(result), None)


async def fail(tx: Tx, request: Request, error: LianeError) -> None:
    """The work cannot be done; the asker is told why. Raises `Overtaken`."""
    told = {
        "kind": type(error).__name__,
        "code": error.code,
        "fr": f"{error.fr} {error.advice_fr}".strip(),
        "en": f"{error.en} {error.advice_en}".strip(),
    }
    await _end(tx, request, None, fhir_json.dumps(told))


async def _end(tx: Tx, request: Request, result: str | None, failure: str | None) -> None:
    expires = tx.now + KEPT
    ended = await tx.fetchval(Q.finish, request.id, request.run, result, failure, tx.now, expires)
    if ended is None:
        raise Overtaken(request.id)
    await jobs.enqueue(tx, TIDY_JOB, request.id, {}, run_at=expires + timedelta(minutes=1))


async def keep_sent(tx: Tx, id_: str, sent: bytes) -> None:
    """Keep the Bundle that the request is about."""
    await tx.execute(Q.keep_sent, id_, sent)


async def sent(tx: Tx, id_: str) -> bytes | None:
    """The Bundle that the request is about; None when it is answered or cancelled."""
    kept: bytes | None = await tx.fetchval(Q.sent, id_)
    return kept


async def hold(tx: Tx, request: Request) -> None:
    """Let nobody cancel the request or begin it again before this commit. Raises `Overtaken`."""
    if await tx.fetchval(Q.hold, request.id, request.run) is None:
        raise Overtaken(request.id)


async def tell_entry(tx: Tx, id_: str, number: int, told: str) -> None:
    """Keep what became of an entry of a batch."""
    await tx.execute(Q.tell_entry, tx.tenant, id_, number, told)


async def told_entries(tx: Tx, id_: str) -> list[str]:
    """What became of the entries of a batch, in their order."""
    return [row["told"] for row in await tx.fetch(Q.told_entries, id_)]


async def forget_entries(tx: Tx, id_: str) -> None:
    """The answer holds them now."""
    await tx.execute(Q.forget_entries, id_)


async def forget(tx: Tx, id_: str) -> None:
    """Cancelled or expired: nothing is known of it any more."""
    await tx.execute(Q.forget, id_)


def _request(row: Any) -> Request:
    told = dict(row)
    for name in ("actor", "ask", "place", "result", "failure"):
        told[name] = None if told[name] is None else fhir_json.loads(told[name])
    told["actor"] = _actor(told["actor"])
    return Request(**told)


def _actor(told: dict[str, Any]) -> Actor:
    roles = tuple(
        Role(role["code"], role["establishment"], tuple(role["units"]), role["scope"])
        for role in told["roles"]
    )
    return Actor(
        cast("Kind", told["kind"]),
        told["id"],
        told["name"],
        roles,
        tuple(told["scopes"]),
        told["session"],
        told["establishment"],
        told["login"],
    )
