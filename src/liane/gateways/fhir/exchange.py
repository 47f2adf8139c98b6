"""What does one FHIR request ask, and what may be answered to it?

`Exchange` is the request as the interactions see it; `Answer` is what they give back. Both know
nothing of the web framework, so that an entry of a Bundle is served exactly like a request.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import parse_qsl

from liane.access.actor import Actor
from liane.base.errors import Invalid
from liane.store import Database, Tx
from liane.store.resources import Version, Write
from liane.ui.services import Services

Items = list[tuple[str, str]]
_ETAG = re.compile(r'(?:W/)?"([0-9]{1,9})"')


class WriteMany(Protocol):
    """The write action of a room: see `liane.rooms.record.write_resources`."""

    def __call__(
        self, tx: Tx, actor: Actor, writes: Sequence[Write], *, reason: str
    ) -> Awaitable[list[Version]]:
        """Write, journal and announce; see the room's action."""
        ...


@dataclass(frozen=True, slots=True)
class Choices:
    """What R4 leaves to the house."""

    update_create: bool = True
    """A PUT to an id that is not known creates it."""
    delete_many: bool = False
    """A conditional delete may remove several resources."""
    import_hosts: tuple[str, ...] = ()
    """Servers that `$import` may fetch files from."""


@dataclass(frozen=True)
class Parts:
    """What the gateway stands on: the record, the rooms' write actions, its own address."""

    database: Database
    write: WriteMany
    writers: Mapping[str, WriteMany]
    """Resource types whose writes another room owns."""
    check_token: Callable[[str], Awaitable[Actor | None]]
    base: str
    """`https://host/fhir`, without a slash at its end."""
    services: Services
    """The other parts of the running process: blobs, home folder, clock."""
    choices: Choices = field(default_factory=Choices)

    def writer(self, type_: str) -> WriteMany:
        """The write action of the room that owns the type."""
        return self.writers.get(type_, self.write)


@dataclass(frozen=True)
class Exchange:
    """One interaction that somebody asks for."""

    parts: Parts
    actor: Actor
    method: str
    path: tuple[str, ...]
    """The address below the base, cut at the slashes."""
    query: Items = field(default_factory=list)
    resource: dict[str, Any] | None = None
    if_match: str | None = None
    if_none_exist: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None
    prefer: str = ""
    accept: str = ""
    """What the reader takes, as in the header, `_format` having the last word."""
    language: str = "fr"
    data: bytes = b""
    """The body as it came, when it is of no FHIR format (`media` says which)."""
    media: str = ""
    reread: Callable[[], dict[str, Any]] | None = None
    """Reads the body anew, for a transaction that begins again."""
    security_context: str | None = None
    """The resource whose readers may read a Binary sent as it is (R4 binary)."""

    @property
    def type(self) -> str:
        """The resource type that the address names."""
        return self.path[0]

    @property
    def id(self) -> str:
        """The id of the resource that the address names."""
        return self.path[1]

    @cached_property
    def preferences(self) -> Mapping[str, str]:
        """What the header `Prefer` asks: `return`, `handling`, `respond-async` (R4 http)."""
        parts = [part.partition("=") for part in re.split("[,;]", self.prefer[:500])]
        named = {key.strip().lower(): value.strip().strip('"') for key, _, value in parts}
        known = {
            "return": ("minimal", "representation", "OperationOutcome"),
            "handling": ("strict", "lenient"),
            "respond-async": ("",),
        }
        return {key: value for key, value in named.items() if key in known and value in known[key]}

    @property
    def returns(self) -> str:
        """What the answer to a write shows: minimal, representation or OperationOutcome."""
        return self.preferences.get("return", "representation")

    @property
    def lenient(self) -> bool:
        """Whether unknown search parameters are passed over rather than refused."""
        return self.preferences.get("handling") == "lenient"

    def number(self, name: str, default: int, limit: int) -> int:
        """A whole number of the query, at most `limit`. Raises `Invalid` for anything else."""
        text = dict(self.parameters()).get(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdecimal() or len(text) > 18:
            raise Invalid(
                "fhir.number",
                f"{name} attend un nombre entier.",
                f"{name} expects a whole number.",
            )
        return min(int(text), limit)

    def parameters(self) -> Items:
        """What an operation is asked: the query, and the simple values of a Parameters body.

        http://hl7.org/fhir/R4/operations.html#request; parts and resources stay in `resource`.
        """
        if self.resource is None or self.resource.get("resourceType") != "Parameters":
            return list(self.query)
        entries = self.resource.get("parameter", [])
        named = [one for one in entries if isinstance(one, dict)]
        found = [(str(one.get("name")), _simple(one)) for one in named]
        return [*self.query, *((name, text) for name, text in found if text is not None)]

    @property
    def body(self) -> dict[str, Any]:
        """The resource sent. Raises `Invalid` when there is none."""
        if self.resource is None:
            raise Invalid(
                "fhir.no-body",
                "Une ressource est attendue dans le corps de la demande.",
                "A resource is expected in the body of the request.",
            )
        return self.resource


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: a status, at most one resource text, and the facts of its headers."""

    status: int
    body: str = ""
    version: Version | None = None
    location: str | None = None
    patients: tuple[str | None, ...] = ()
    """Patients whose data is shown, for the journal of reads."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Facts for the journal (never a clinical value)."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers, for example `Content-Location`."""
    media_type: str | None = None
    """When it is not FHIR; a FHIR `body` is turned into the format asked for."""
    content: bytes | None = None
    """Bytes to send as they are instead of `body`, with a `media_type`."""
    stream: AsyncIterator[bytes] | None = None
    """Bytes sent as they come, with a `media_type`; constant memory however long it is."""
    packed: AsyncIterator[bytes] | None = None
    """The `stream` as gzip that is at hand already, for readers who take it."""

    @property
    def etag(self) -> str | None:
        """`W/"3"`, the version of the resource."""
        return f'W/"{self.version.version}"' if self.version is not None else None

    @property
    def modified(self) -> datetime | None:
        """When the version was written."""
        return self.version.updated if self.version is not None else None


def _simple(parameter: dict[str, Any]) -> str | None:
    """A primitive `value[x]` as a query would write it; None for anything with parts."""
    for name, value in parameter.items():
        if name.startswith("value") and not isinstance(value, (dict, list)):
            return str(value).lower() if isinstance(value, bool) else str(value)
    return None


def items_of(encoded: bytes | str) -> Items:
    """Names and values of a query or form; raises `Invalid` for what is no clean text."""
    text = encoded if isinstance(encoded, str) else encoded.decode("latin-1")
    try:
        items = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=500)
    except ValueError:
        items = [("\0", "")]
    if any("\0" in name or "\0" in value for name, value in items):
        raise Invalid("fhir.query", "Paramètres illisibles.", "The parameters cannot be read.")
    return items


def version_wanted(if_match: str | None) -> int | None:
    """The version number in an If-Match header; None without one.

    Raises `Invalid` for a tag that is none of ours.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    match = _ETAG.fullmatch(if_match.strip())
    if match is None:
        raise Invalid(
            "fhir.if-match",
            'L’en-tête If-Match attend une version, par exemple W/"3".',
            'If-Match expects a version, for example W/"3".',
        )
    return int(match[1])
