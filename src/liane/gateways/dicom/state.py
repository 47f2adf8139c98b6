"""What may happen next in a DICOM conversation, and what is a mistake (PS3.8 section 9.2)?

The table below is the state transition table of PS3.8 (table 9-10), in the standard's own labels: a
row per event, a column per state, the action in the cell, `-` where the event cannot happen. The
acceptor binds the actions it needs to its methods; anything else is an `Unexpected` that names
both.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

STATES = {
    "Sta1": "idle",
    "Sta2": "transport open, awaiting A-ASSOCIATE-RQ",
    "Sta3": "awaiting the local answer to an association request",
    "Sta4": "awaiting the transport connection",
    "Sta5": "awaiting A-ASSOCIATE-AC or -RJ",
    "Sta6": "association established",
    "Sta7": "awaiting A-RELEASE-RP",
    "Sta8": "awaiting the local answer to a release request",
    "Sta9": "release collision, requestor: awaiting the local answer",
    "Sta10": "release collision, acceptor: awaiting A-RELEASE-RP",
    "Sta11": "release collision, requestor: awaiting A-RELEASE-RP",
    "Sta12": "release collision, acceptor: awaiting the local answer",
    "Sta13": "awaiting the close of the transport connection",
}

EVENTS = {
    "Evt1": "A-ASSOCIATE request by the local user",
    "Evt2": "transport connection confirmed",
    "Evt3": "A-ASSOCIATE-AC received",
    "Evt4": "A-ASSOCIATE-RJ received",
    "Evt5": "transport connection opened by a peer",
    "Evt6": "A-ASSOCIATE-RQ received",
    "Evt7": "the local user accepts",
    "Evt8": "the local user rejects",
    "Evt9": "P-DATA request by the local user",
    "Evt10": "P-DATA-TF received",
    "Evt11": "A-RELEASE request by the local user",
    "Evt12": "A-RELEASE-RQ received",
    "Evt13": "A-RELEASE-RP received",
    "Evt14": "the local user agrees to the release",
    "Evt15": "A-ABORT request by the local user",
    "Evt16": "A-ABORT received",
    "Evt17": "transport connection closed",
    "Evt18": "ARTIM timer expired",
    "Evt19": "unrecognised or invalid PDU received",
}

_TABLE = """
Evt1  AE-1 -    -    -    -    -    -    -    -    -     -     -     -
Evt2  -    -    -    AE-2 -    -    -    -    -    -     -     -     -
Evt3  -    AA-1 AA-8 -    AE-3 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-6
Evt4  -    AA-1 AA-8 -    AE-4 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-6
Evt5  AE-5 -    -    -    -    -    -    -    -    -     -     -     -
Evt6  -    AE-6 AA-8 -    AA-8 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-7
Evt7  -    -    AE-7 -    -    -    -    -    -    -     -     -     -
Evt8  -    -    AE-8 -    -    -    -    -    -    -     -     -     -
Evt9  -    -    -    -    -    DT-1 -    AR-7 -    -     -     -     -
Evt10 -    AA-1 AA-8 -    AA-8 DT-2 AR-6 AA-8 AA-8 AA-8  AA-8  AA-8  AA-6
Evt11 -    -    -    -    -    AR-1 -    -    -    -     -     -     -
Evt12 -    AA-1 AA-8 -    AA-8 AR-2 AR-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-6
Evt13 -    AA-1 AA-8 -    AA-8 AA-8 AR-3 AA-8 AA-8 AR-10 AR-3  AA-8  AA-6
Evt14 -    -    -    -    -    -    -    AR-4 AR-9 -     -     AR-4  -
Evt15 -    -    AA-1 AA-2 AA-1 AA-1 AA-1 AA-1 AA-1 AA-1  AA-1  AA-1  -
Evt16 -    AA-2 AA-3 -    AA-3 AA-3 AA-3 AA-3 AA-3 AA-3  AA-3  AA-3  AA-2
Evt17 -    AA-5 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4  AA-4  AA-4  AR-5
Evt18 -    AA-2 -    -    -    -    -    -    -    -     -     -     AA-2
Evt19 -    AA-1 AA-8 -    AA-8 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-7
"""

NEXT_STATES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "AE-1": ("Sta4",), "AE-2": ("Sta5",), "AE-3": ("Sta6",), "AE-4": ("Sta1",),
    "AE-5": ("Sta2",), "AE-6": ("Sta3", "Sta13"), "AE-7": ("Sta6",), "AE-8": ("Sta13",),
    "DT-1": ("Sta6",), "DT-2": ("Sta6",),
    "AR-1": ("Sta7",), "AR-2": ("Sta8",), "AR-3": ("Sta1",), "AR-4": ("Sta13",),
    "AR-5": ("Sta1",), "AR-6": ("Sta7",), "AR-7": ("Sta8",), "AR-8": ("Sta9", "Sta10"),
    "AR-9": ("Sta11",), "AR-10": ("Sta12",),
    "AA-1": ("Sta13",), "AA-2": ("Sta1",), "AA-3": ("Sta1",), "AA-4": ("Sta1",),
    "AA-5": ("Sta1",), "AA-6": ("Sta13",), "AA-7": ("Sta13",), "AA-8": ("Sta13",),
})  # fmt: skip
"""The states an action may lead to; two where the standard leaves a choice to the action."""


class Unexpected(Exception):
    """An event that the standard does not foresee in this state."""


def _read(table: str) -> dict[tuple[str, str], str]:
    actions: dict[tuple[str, str], str] = {}
    for row in table.strip().splitlines():
        event, *cells = row.split()
        for state, action in zip(STATES, cells, strict=True):
            if action != "-":
                actions[state, event] = action
    return actions


TRANSITIONS: Mapping[tuple[str, str], str] = MappingProxyType(_read(_TABLE))


def action(state: str, event: str) -> str:
    """The action to take when `event` happens in `state`."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise Unexpected(f"{event} ({EVENTS[event]}) in {state} ({STATES[state]})") from None
