"""What has each establishment chosen to block, to warn of, and to pass over?"""

from __future__ import annotations

from typing import get_args

from liane.base.errors import Invalid
from liane.fhir.profiles.findings import KINDS, Kind
from liane.fhir.profiles.policy import FIXED, Effect
from liane.store.conformance.knowing import GROUP, Q, changed, known
from liane.store.database import Tx

EFFECTS: tuple[Effect, ...] = get_args(Effect)


async def choices(tx: Tx, establishment: str = GROUP) -> dict[Kind, Effect]:
    """What holds for the establishment, kind by kind, defaults included."""
    policy = (await known(tx)).policy(establishment)
    return {kind: policy.effects[kind] for kind in KINDS}


async def choose(tx: Tx, establishment: str, kind: str, effect: str | None) -> None:
    """Set what a kind of finding does; None goes back to the default. Raises `Invalid`."""
    if kind not in KINDS or kind in FIXED:
        allowed = ", ".join(one for one in KINDS if one not in FIXED)
        raise Invalid(
            "conformance.kind",
            f"« {kind} » n’est pas un choix possible : {allowed}.",
            f"'{kind}' cannot be chosen: {allowed}.",
        )
    if effect is None:
        await tx.execute(Q.forget_choice, tx.tenant, establishment, kind)
    elif effect not in EFFECTS:
        raise Invalid(
            "conformance.effect",
            f"« {effect} » n’est pas un effet : {', '.join(EFFECTS)}.",
            f"'{effect}' is no effect: {', '.join(EFFECTS)}.",
        )
    else:
        await tx.execute(Q.choose, tx.tenant, establishment, kind, effect, tx.now)
    await changed(tx)
