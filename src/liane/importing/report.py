"""What was stored, what was known already, what was refused and why?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

LIMIT_REASONS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing that did not come in, where it stands and why."""

    file: str
    place: str
    """Line, entry or message within the file; empty for the whole file."""
    reason: str


@dataclass(slots=True)
class Tally:
    """What came of one file."""

    kind: str
    stored: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    """Places and reasons."""

    def refuse(self, place: str, reason: str) -> None:
        """Note something that did not come in."""
        self.refused.append((place, reason))


@dataclass(slots=True)
class Report:
    """What came of a whole import."""

    files: int = 0
    known_files: int = 0
    """Files passed by because they had come in whole before."""
    stored: Counter[str] = field(default_factory=Counter)
    """Things stored, by what they are (`Observation`, `image`, `HL7 v2`, ...)."""
    skipped: int = 0
    """Things that were in the record already."""
    refused: list[Refusal] = field(default_factory=list)
    unrecognised: list[str] = field(default_factory=list)
    """Files of a form that is not read here (notes, programs ...)."""

    def add(self, name: str, tally: Tally) -> None:
        """Count one file in."""
        self.files += 1
        self.stored.update(tally.stored)
        self.skipped += tally.skipped
        self.refused += [Refusal(name, place, reason) for place, reason in tally.refused]

    def as_text(self) -> str:
        """The report for a person at a terminal."""
        lines = [
            f"Fichiers lus : {self.files} (dont {self.known_files} déjà importés)",
            f"Enregistrés : {self.stored.total()}",
            *(f"  {count:>8}  {kind}" for kind, count in self.stored.most_common()),
            f"Déjà présents : {self.skipped}",
            f"Refusés : {len(self.refused)}",
        ]
        for refusal in self.refused[:LIMIT_REASONS_SHOWN]:
            place = f" ({refusal.place})" if refusal.place else ""
            lines.append(f"  {refusal.file}{place} : {refusal.reason}")
        if len(self.refused) > LIMIT_REASONS_SHOWN:
            lines.append(f"  … et {len(self.refused) - LIMIT_REASONS_SHOWN} autres.")
        lines.append(f"Fichiers non reconnus, laissés de côté : {len(self.unrecognised)}")
        lines += [f"  {name}" for name in self.unrecognised[:LIMIT_REASONS_SHOWN]]
        return "\n".join(lines)
