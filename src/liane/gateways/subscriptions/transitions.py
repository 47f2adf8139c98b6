"""How does a subscription pass from requested to active, to error, to off, for all to see?"""

from __future__ import annotations

from typing import Any

from liane.access.actor import SYSTEM
from liane.base.errors import LianeError
from liane.gateways.subscriptions.model import Reason, Status
from liane.gateways.subscriptions.state import State
from liane.rooms import record
from liane.store import Database, Tx
from liane.store.resources import Version, Write
from liane.store.sql import queries

D = queries("liane.gateways.subscriptions", "delivery.sql")

NOT_ANY_MORE = Reason(
    "Son programme ou son compte n’a plus le droit de lire. Rouvrir le compte ou la portée du "
    "programme, puis redemander l’abonnement.",
    "Its owner may not read any more. Open the account or the scope of the program again, then "
    "ask for the subscription anew.",
)
ENDED = Reason("L’abonnement est arrivé à son terme.", "The subscription has ended.")


async def become(
    database: Database, state: State, status: Status, error: Reason | None = None
) -> None:
    """Write the new status in the Subscription and in what the house remembers of it, together.

    Nothing happens when its owner has changed the Subscription meanwhile: that wish counts.
    """
    async with database.transaction() as tx:
        greeted = status == "active"
        en, fr = (error.en, error.fr) if error else (None, None)
        tag = await tx.execute(D["set_status"], state.id, status, greeted, en, fr, state.revision)
        if tag.endswith(" 0"):
            return
        await _show(tx, state, status, error)


async def _show(tx: Tx, state: State, status: Status, error: Reason | None) -> None:
    def revised(version: Version) -> dict[str, Any] | None:
        former = version.resource
        changed = {name: value for name, value in former.items() if name != "error"}
        changed["status"] = status
        if error:
            changed["error"] = error.en
        return None if changed == former else changed

    resource = {"resourceType": "Subscription", "id": state.id, **_least(state, status)}
    wish = Write(resource, id=state.id, revise=revised)
    reason = f"subscription {status}"
    await record.write_resources(tx, SYSTEM("subscriptions"), [wish], reason=reason)


def _least(state: State, status: Status) -> dict[str, Any]:
    """What a Subscription must have; the stored one, revised, is what is written."""
    channel = {"type": state.channel}
    return {"status": status, "reason": "-", "criteria": state.topic or "-", "channel": channel}


def reason_of(problem: LianeError) -> Reason:
    """What people read about a failure, and what they can do."""
    fr, en = (f"{problem.message(lang)} {problem.advice(lang)}" for lang in ("fr", "en"))
    return Reason(fr.strip()[:400], en.strip()[:400])
