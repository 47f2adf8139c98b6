"""What trace do reads and refusals of the FHIR API leave? (Writes: the actions leave theirs.)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from liane.access import journal
from liane.access.journal import Act
from liane.base.errors import LianeError
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.store import Tx


async def shown(exchange: Exchange, answer: Answer) -> None:
    """One entry for each patient shown; they are committed when this returns, and only then may
    the answer leave.
    """
    await journal.record_reads(
        exchange.parts.database,
        exchange.actor,
        f"FHIR {exchange.method}",
        patients=answer.patients or (None,),
        resource=_resource(exchange),
        detail=_detail(exchange, answer.detail),
    )


async def shown_within(tx: Tx, exchange: Exchange, answer: Answer) -> None:
    """As `shown`, committed with what is done in `tx`: before that, nobody sees the answer."""
    detail = _detail(exchange, answer.detail)
    acts = [
        Act(f"FHIR {exchange.method}", patient, _resource(exchange), detail)
        for patient in answer.patients or (None,)
    ]
    await journal.record_many(tx, exchange.actor, acts)


async def refused(exchange: Exchange, error: LianeError) -> None:
    """One entry for what was refused, and why."""
    await journal.record_reads(
        exchange.parts.database,
        exchange.actor,
        f"FHIR {exchange.method}",
        resource=_resource(exchange),
        detail=_detail(exchange, {"code": error.code}),
        outcome="refused",
    )


async def refused_within(tx: Tx, exchange: Exchange, error: LianeError) -> None:
    """As `refused`, committed with what is done in `tx`."""
    await journal.record(
        tx,
        exchange.actor,
        f"FHIR {exchange.method}",
        resource=_resource(exchange),
        detail=_detail(exchange, {"code": error.code}),
        outcome="refused",
    )


def _detail(exchange: Exchange, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {"path": "/".join(exchange.path), **facts}


def _resource(exchange: Exchange) -> str | None:
    return "/".join(exchange.path[:2]) or None
