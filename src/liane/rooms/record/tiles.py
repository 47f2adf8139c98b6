"""What does a ward board say of each patient beside identity and place?

Three questions for the whole ward: allergies and alerts, vital signs of the last hours, abnormal
results of the last day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson

from liane.base.text import fold
from liane.rooms.record import head
from liane.rooms.record.reads import Q
from liane.rooms.record.vitals import CODES, Sign, latest_news, rounds_of, sign_of
from liane.store import Tx
from liane.ui.services import TileFacts

SIGNS_BACK = timedelta(hours=12)
RESULTS_BACK = timedelta(hours=24)
_ISOLATING = ("isolement", "precautions", "contact", "gouttelettes", "air", "isolation")


async def tile_facts(tx: Tx, patients: Sequence[str]) -> Mapping[str, TileFacts]:
    """The facts of each of these patients."""
    if not patients:
        return {}
    wanted = list(patients)
    resources: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row in await tx.fetch(Q.tile_resources, tx.tenant, wanted):
        of_patient = resources.setdefault(row["patient"], {})
        of_patient.setdefault(row["type"], []).append(orjson.loads(row["body"]))
    signs: dict[str, list[Sign]] = {}
    for row in await tx.fetch(Q.tile_values, tx.tenant, wanted, tx.now - SIGNS_BACK, list(CODES)):
        flags = resources.get(row["patient"], {}).get("Flag", ())
        if sign := sign_of(row, head.scale_of(flags)):
            signs.setdefault(row["patient"], []).append(sign)
    rows = await tx.fetch(Q.tile_results, tx.tenant, wanted, tx.now - RESULTS_BACK)
    abnormal = {row["patient"]: row["abnormal"] for row in rows}
    return {
        patient: _facts(
            resources.get(patient, {}), signs.get(patient, []), abnormal.get(patient, 0)
        )
        for patient in wanted
    }


def _facts(
    resources: Mapping[str, list[dict[str, Any]]], signs: Sequence[Sign], abnormal: int
) -> TileFacts:
    allergies, state = head.allergies_of(resources.get("AllergyIntolerance", ()))
    flags = head.flags_of(resources.get("Flag", ()))
    now, _ = latest_news(rounds_of(signs))
    news = now.news if now else None
    return TileFacts(
        allergies=[
            {
                "label": allergy.substance,
                "severity": "critical" if allergy.high else "other",
                "confirmed": allergy.confirmed,
            }
            for allergy in allergies
        ],
        allergy_state=state,
        news2=news.total if news else None,
        news2_complete=news.complete if news else False,
        news2_band=news.band if news else "unknown",
        news2_at=now.at.isoformat() if now else None,
        reason=head.reason_of(resources.get("Condition", ())),
        flags=flags,
        isolated=any(_isolates(flag) for flag in flags),
        unread=abnormal,
    )


def _isolates(flag: str) -> bool:
    words = fold(flag).replace("·", " ").split()
    return any(word in _ISOLATING for word in words)
