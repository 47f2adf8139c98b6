"""Which lines of a message belong together: an order, its results, their notes and people?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from liane.base.text import visible
from liane.gateways.hl7v2.codec import Message, Segment


@dataclass(slots=True)
class Result:
    """One OBX with the notes (NTE) and participations (PRT) that follow it."""

    obx: Segment
    notes: list[Segment] = field(default_factory=list)
    participations: list[Segment] = field(default_factory=list)


@dataclass(slots=True)
class Group:
    """One order: ORC, OBR, its own notes and timing, its results, its specimens."""

    orc: Segment | None = None
    obr: Segment | None = None
    timing: Segment | None = None
    notes: list[Segment] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    specimens: list[Segment] = field(default_factory=list)

    def order_number(self, obr_field: int) -> Segment | None:
        """The segment whose field 2 (placer) or 3 (filler) holds the number: OBR before ORC."""
        for segment in (self.obr, self.orc):
            if segment is not None and segment.get(obr_field):
                return segment
        return None


def groups(message: Message) -> list[Group]:
    """The orders of a message, in order. OBX lines before any order (MDM, ADT) make one group."""
    found: list[Group] = []
    for segment in message.segments:
        _place(segment, found)
    return found


def _place(segment: Segment, found: list[Group]) -> None:
    name = segment.name
    if name == "ORC" or (name == "OBR" and (not found or found[-1].obr is not None)):
        found.append(Group())
    if name in {"OBX", "SPM"} and not found:
        found.append(Group())
    if not found:
        return
    group = found[-1]
    if name == "ORC":
        group.orc = segment
    elif name == "OBR":
        group.obr = segment
    elif name == "TQ1":
        group.timing = group.timing or segment
    elif name == "OBX":
        group.results.append(Result(segment))
    elif name == "SPM":
        group.specimens.append(segment)
    elif name == "NTE":
        (group.results[-1].notes if group.results else group.notes).append(segment)
    elif name == "PRT" and group.results:
        group.results[-1].participations.append(segment)


def note_texts(notes: list[Segment]) -> Iterator[str]:
    """The words of NTE-3, one text for each segment."""
    for nte in notes:
        text = "\n".join(visible(each.whole()) for each in nte.repetitions(3)).strip()
        if text:
            yield text
