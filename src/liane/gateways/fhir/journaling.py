"""What trace do reads and refusals of the FHIR API leave? (Writes: the actions leave theirs.)"""

from __future__ import annotations

from liane.access import journal
from liane.base.errors import LianeError
from liane.gateways.fhir.exchange import Answer, Exchange


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
        detail={"path": "/".join(exchange.path), **answer.detail},
    )


async def refused(exchange: Exchange, error: LianeError) -> None:
    """One entry for what was refused, and why."""
    await journal.record_reads(
        exchange.parts.database,
        exchange.actor,
        f"FHIR {exchange.method}",
        resource=_resource(exchange),
        detail={"path": "/".join(exchange.path), "code": error.code},
        outcome="refused",
    )


def _resource(exchange: Exchange) -> str | None:
    return "/".join(exchange.path[:2]) or None
