"""What does a page or a gateway need from the house to do its work?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from liane.base.clock import Clock, SystemClock
from liane.base.i18n import Catalogue, Translator

if TYPE_CHECKING:
    from liane.access.sessions import Sessions
    from liane.access.tokens import Tokens
    from liane.store import Database, Tx
    from liane.store.blobs import Blobs
    from liane.ui.panels import Panel
    from liane.ui.templating import Templates

CdaRenderer = Callable[[bytes, Translator], str]
"""CDA document bytes to safe HTML (a fragment without script, style or outside address)."""


@dataclass(frozen=True, slots=True)
class TileFacts:
    """What a ward board says of one patient beside identity and place.

    The record room computes it, the patients room shows it; assembly introduces them.
    """

    allergies: Sequence[Mapping[str, object]] = ()
    """Each: label, severity ("critical" or "other"), confirmed (bool)."""
    allergy_state: str = "not_recorded"
    """One of listed, none_known, not_recorded, unconfirmed."""
    news2: int | None = None
    news2_complete: bool = False
    news2_band: str = "unknown"
    """One of unknown, none, low, low_medium, medium, high (Royal College of Physicians, 2017)."""
    news2_at: str | None = None
    """ISO instant of the values used."""
    reason: str = ""
    """Why the patient is here, in the words of the referring text."""
    flags: Sequence[str] = ()
    """Isolation and risk labels, already in the language of the record."""
    isolated: bool = False
    unread: int = 0
    """Abnormal results of the last 24 hours."""


TileFactsReader = Callable[["Tx", Sequence[str]], Awaitable[Mapping[str, TileFacts]]]
"""Given patient ids, the facts of each (in one or two queries for the whole ward)."""


async def no_tile_facts(_tx: Tx, _patients: Sequence[str]) -> Mapping[str, TileFacts]:
    """The answer of an installation without the record room."""
    return {}


@dataclass(frozen=True)
class Services:
    """The parts of one running process, handed to pages, gateways and jobs."""

    database: Database
    blobs: Blobs
    home: Path
    sessions: Sessions
    tokens: Tokens | None = None
    """Checks bearer tokens; None in processes that open no API."""
    clock: Clock = field(default_factory=SystemClock)
    catalogues: Mapping[str, Catalogue] = field(default_factory=dict)
    templates: Templates | None = None
    panels: tuple[Panel, ...] = ()
    render_cda: CdaRenderer | None = None
    cda_pdf: Callable[[bytes], bytes | None] | None = None
    """The PDF that is the whole body of a CDA document (CI-SIS level 1), None when it has none."""
    tile_facts: TileFactsReader = no_tile_facts
    base_url: str = "http://127.0.0.1:8000"
    ae_title: str = "LIANE"
