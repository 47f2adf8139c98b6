"""What may this subscription be told now? Events with what their owner may read of them.

The gate is asked at the moment of telling. What the owner may no longer read keeps its number, so
that the receiver sees no gap, and shows nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from liane.access.journal import Act
from liane.access.journal_reads import reads_of
from liane.fhir.extraction import extract
from liane.fhir.json import loads
from liane.gateways.subscriptions.model import Content, Event
from liane.gateways.subscriptions.notifications import Shown
from liane.gateways.subscriptions.owners import Reader
from liane.gateways.subscriptions.state import Q, State
from liane.store import Database, Tx, resources

MOST_CONTEXT = 10


async def shown_to(
    tx: Tx, reader: Reader, events: Sequence[Event], content: Content, includes: Sequence[str]
) -> list[Shown]:
    """Each event with what may be shown of it."""
    if content == "empty":
        return [Shown(event) for event in events]
    rows = await tx.fetch(
        Q["bodies"],
        [event.type for event in events],
        [event.id for event in events],
        [event.version for event in events],
    )
    found: list[Shown] = []
    for event, row in zip(events, rows, strict=True):
        body = row["body"] or ""
        if not await reader.may_read(tx, event.type, event.patient):
            found.append(Shown(event, withheld=True))
            continue
        context = await _context(tx, reader, body, includes) if includes and body else []
        found.append(Shown(event, body, context=context))
    return found


async def _context(
    tx: Tx, reader: Reader, body: str, includes: Sequence[str]
) -> list[tuple[str, str]]:
    """The resources that the topic sends along, as far as the reader may see them."""
    resource = loads(body)
    params = {text.split(":")[1] for text in includes if text.startswith(resource["resourceType"])}
    found: list[tuple[str, str]] = []
    for ref in extract(resource).references:
        if ref.param not in params or ref.type is None or ref.id is None:
            continue
        version = await resources.read(tx, ref.type, ref.id)
        if version is None or version.deleted or len(found) == MOST_CONTEXT:
            continue
        patient = extract(version.resource).patient
        if await reader.may_read(tx, ref.type, patient):
            found.append((version.reference, version.body))
    return found


async def journaled(
    database: Database, reader: Reader, state: State, shown: Sequence[Shown], what: str
) -> None:
    """One entry for each patient shown, committed before anything leaves the house (entries of
    all deliveries of a process share their commits).
    """
    numbers: dict[str | None, list[int]] = {}
    for one in shown:
        patient = None if one.withheld else one.event.patient
        numbers.setdefault(patient, []).append(one.event.number)
    resource = f"Subscription/{state.id}"
    facts = {"what": what, "channel": state.channel, "to": state.host}
    acts = [
        Act("FHIR notification", patient, resource, {**facts, "events": [min(ns), max(ns)]})
        for patient, ns in numbers.items()
    ] or [Act("FHIR notification", None, resource, facts)]
    await reads_of(database).record(reader.actor, acts)
