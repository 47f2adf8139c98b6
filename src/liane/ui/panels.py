"""How does one room show something inside the page of another?

A room offers panels; `assembly` lists them; the host page renders those that the reader may see.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from liane.access.permissions import Permission

if TYPE_CHECKING:
    from liane.store import Tx

PanelReads = Callable[["Tx", str], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Panel:
    """One block of the patient chart offered by a room."""

    key: str
    """Stable name, also the anchor on the page, e.g. `imaging`."""
    title: str
    """Message key of the heading."""
    permission: Permission
    reads: PanelReads
    """Given a reading transaction and a patient id, the values for the template."""
    template: str
    topics: str = ""
    """Resource types whose change refreshes the panel, e.g. `ImagingStudy`."""
