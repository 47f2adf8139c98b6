"""Which kinds of finding refuse a write, which only warn, and which say nothing?

Each establishment may choose; these are the defaults. `$validate` always says everything, with
the severity of the standard.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from liane.fhir.profiles.findings import Finding, Kind

Effect = Literal["block", "warn", "ignore"]

DEFAULTS: Mapping[Kind, Effect] = MappingProxyType(
    {
        "structure": "block",
        "cardinality": "block",
        "type": "block",
        "binding": "block",
        "invariant": "block",
        "target": "block",
        "terminology": "warn",
        "extensible": "warn",
        "best-practice": "warn",
        "reference": "warn",
        "extension": "warn",
        "profile": "warn",
        "unknown-profile": "warn",
    }
)
FIXED: frozenset[Kind] = frozenset({"structure"})
"""Kinds that always block: what has another shape can be neither stored nor found."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What one establishment has chosen."""

    effects: Mapping[Kind, Effect] = field(default_factory=lambda: DEFAULTS)

    def effect(self, one: Finding) -> Effect:
        """What a finding does to a write."""
        if one.kind in FIXED and one.severity != "warning":
            return "block"
        chosen = self.effects.get(one.kind, DEFAULTS[one.kind])
        if chosen == "block" and one.severity in ("warning", "information"):
            # What the standard itself only recommends refuses nothing by being blocked with
            # the errors of its kind, except where the whole kind is a recommendation.
            return "block" if one.kind in _RECOMMENDED else "warn"
        return chosen

    @property
    def asks_profiles(self) -> bool:
        """Whether profiles or extensions can refuse a write here."""
        return any(self.effects.get(kind, "warn") == "block" for kind in _OF_PROFILES)

    def blocking(self, findings: Iterable[Finding]) -> list[Finding]:
        """The findings that refuse the write, as errors."""
        return [
            one if one.severity in ("error", "fatal") else replace(one, severity="error")
            for one in findings
            if self.effect(one) == "block"
        ]

    def warnings(self, findings: Iterable[Finding]) -> list[Finding]:
        """The findings to tell without refusing."""
        return [
            replace(one, severity="warning") if one.severity in ("error", "fatal") else one
            for one in findings
            if self.effect(one) == "warn"
        ]


_OF_PROFILES: tuple[Kind, ...] = ("profile", "extension", "unknown-profile", "extensible")
_RECOMMENDED: frozenset[Kind] = frozenset(
    {"extensible", "best-practice", "unknown-profile", "extension", "reference"}
)
DEFAULT = Policy()
