"""What can the IT department see of the subscriptions, and what can it do there?

Who hears of what, over which channel, how far each has been told, and why one fails. Numbers and
addresses only: neither a filter nor an event is shown, as they may name a patient.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from litestar import Response

from liane.access import journal
from liane.access.gate import may
from liane.access.permissions import Permission
from liane.base.errors import NotFound
from liane.gateways.subscriptions import state
from liane.gateways.subscriptions.state import Q
from liane.gateways.subscriptions.topics import OURS
from liane.ui.routing import Context, Routes

routes = Routes("subscriptions")

MOST_SHOWN = 500


@routes.get(
    "/interfaces/subscriptions",
    permission=Permission.INTERFACES_VIEW,
    action="read FHIR subscriptions",
)
async def subscriptions(context: Context) -> Response[Any]:
    """Every subscription at a glance, those that fail first."""
    known = await state.find_many(context.tx, None, limit=MOST_SHOWN)
    order = ("error", "requested", "active", "off")
    known.sort(key=lambda one: (order.index(one.status), -(one.events - one.delivered), one.id))
    return context.render(
        "subscriptions/list.html",
        known=known,
        topic_of=partial(_topic_of, context),
        may_act=may(context.actor, Permission.INTERFACES_REPLAY),
    )


def _topic_of(context: Context, topic: str) -> str:
    """A topic in words: ours by their name, any change of a type by the type."""
    if not topic:
        return context.t("subscriptions.search")
    name = topic.removeprefix(OURS)
    key = f"subscriptions.topic.{name}"
    return context.t(key) if context.t.has(key) else name


@routes.post(
    "/interfaces/subscriptions/{subscription_id}/again",
    permission=Permission.INTERFACES_REPLAY,
    action="send notifications again",
)
async def again(context: Context, subscription_id: str) -> Response[Any]:
    """Try a receiver now instead of at its next turn; what it has taken is not sent again."""
    if await context.tx.fetchval(Q["try_now"], subscription_id, context.tx.now) is None:
        raise NotFound(
            "subscription.unknown",
            "Cet abonnement n’existe pas ou est arrêté.",
            "This subscription does not exist or is off.",
        )
    await journal.record(
        context.tx,
        context.actor,
        "send notifications again",
        resource=f"Subscription/{subscription_id}",
    )
    return context.redirect("/interfaces/subscriptions")
