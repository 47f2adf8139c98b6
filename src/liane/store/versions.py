"""What is one version of a resource, and what is a wish to write one?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from liane.fhir import json as fhir_json

UNTOLD = "?"
"""Stands for a patient that was not read together with the version; no id looks like that."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version: `body` is its exact JSON text, id and meta inside; empty when deleted."""

    type: str
    id: str
    version: int
    updated: datetime
    deleted: bool
    body: str
    written: dict[str, Any] | None = field(default=None, compare=False, repr=False)
    """The resource just written, so that those who follow the write need not parse the body."""
    patient: str | None = field(default=UNTOLD, compare=False, repr=False)
    """Whose compartment holds it, as the record files it, where that was read too: to find it in
    the body costs more than everything else of a search."""

    @property
    def resource(self) -> dict[str, Any]:
        """The resource, decimals with the digits they came with. To be read, never changed."""
        return self.written if self.written is not None else fhir_json.loads(self.body)

    @property
    def reference(self) -> str:
        """`Patient/1`"""
        return f"{self.type}/{self.id}"


@dataclass(frozen=True, slots=True)
class Write:
    """One resource to store. Without `id` here or inside, a new one is made.

    `if_match` is the version that the writer has read; `facts` go into the change feed.
    """

    resource: dict[str, Any]
    id: str | None = None
    if_match: int | None = None
    must_be_new: bool = False
    deletes: bool = False
    facts: dict[str, Any] | None = None
    revise: Callable[[Version], dict[str, Any] | None] | None = None
    """When the resource is there already: given its version, locked until the commit, what to
    write instead of `resource`, or None to leave it as it is."""


def whole_milliseconds(at: datetime) -> datetime:
    """FHIR clients and the database must see the same instant: three digits of a second."""
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def instant(at: datetime) -> str:
    """`2026-01-31T10:20:30.123Z`"""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def render(resource: dict[str, Any], version: int, updated: datetime) -> str:
    """The stored text: type, id and meta first, everything else as it came."""
    meta = {"versionId": str(version), "lastUpdated": instant(updated)}
    for name, value in resource.get("meta", {}).items():
        if name not in meta:
            meta[name] = value
    body = {"resourceType": resource["resourceType"], "id": resource["id"], "meta": meta}
    for name, value in resource.items():
        if name not in body:
            body[name] = value
    return fhir_json.dumps(body)
