"""What do the pieces of the interface look like, in every state, as they are really served?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from litestar import Response

from liane.access.permissions import Permission
from liane.ui.account import routes
from liane.ui.assets import icon_names
from liane.ui.identity import Identity
from liane.ui.routing import Context
from liane.ui.values import Shown

COLOURS = (
    "paper", "surface", "sunken", "line", "line-strong", "ink", "ink-2", "ink-3", "brand",
    "brand-soft", "alarm", "alarm-soft", "warn", "warn-soft", "info", "info-soft", "ok", "ok-soft",
    "violet", "violet-soft",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Score:
    """A score as the badge shows it."""

    total: int
    band: str
    missing: tuple[str, ...] = ()
    scale: int = 1

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class Allergy:
    """An allergy as the chips show it."""

    substance: str
    reaction: str
    severity: str
    since: str
    high: bool
    confirmed: bool
    vague: bool = False


@routes.get("/styleguide", permission=Permission.STYLEGUIDE)
async def read_guide(context: Context) -> Response[Any]:
    """The living style guide."""
    at = context.tx.now - timedelta(minutes=8)
    return context.render(
        "ui/styleguide.html",
        colours=COLOURS,
        icons=icon_names(),
        values=_values(at),
        scores=_scores(),
        who=_somebody(),
        allergies=_allergies(),
        at=at,
    )


def _values(at: Any) -> list[tuple[str, Shown]]:
    normal = Shown("4.1", "mmol/L", "", Decimal("3.5"), Decimal("5.1"), number=Decimal("4.1"))
    high = replace(normal, text="5.9", number=Decimal("5.9"), flag="H", at=at)
    return [
        ("Kaliémie", normal),
        ("Kaliémie", high),
        ("Kaliémie", replace(high, text="6.8", number=Decimal("6.8"), flag="HH")),
        ("Hémoglobine", Shown("10.9", "g/dL", "L", Decimal("11.5"), Decimal("16.0"))),
        ("Kaliémie", replace(normal, status="corrected", former="5.6")),
        ("Fréquence cardiaque", Shown("111", "/min", status="preliminary")),
        ("Troponine", Shown("5", "ng/L", comparator="<", number=Decimal(5))),
        ("Hémocultures", Shown("Cocci à Gram négatif à l’examen direct", flag="AA")),
        ("Plaquettes", Shown("4000", "10⁶/L", status="entered-in-error")),
    ]


def _scores() -> list[Score | None]:
    return [
        None,
        Score(0, "none"),
        Score(2, "low"),
        Score(3, "low_medium"),
        Score(6, "medium"),
        Score(11, "high"),
        Score(9, "high", ("temperature", "consciousness")),
    ]


def _somebody() -> Identity:
    return Identity(
        id="guide", family="DUBREUIL", used="MOREL", given="Jeanne", used_given="", sex="F",
        born=date(1948, 3, 14), born_text="1948-03-14", died=None, deceased=False,
        status="qualifiee", attributes=("homonyme",), ipp=("0004812337",), has_ins=True,
        protected=True,
    )  # fmt: skip


def _allergies() -> list[Allergy]:
    return [
        Allergy("Amoxicilline", "anaphylaxie", "severe", "2016", high=True, confirmed=True),
        Allergy("Iobitridol", "exanthème", "mild", "2019", high=False, confirmed=False),
    ]


__all__ = ["routes"]
