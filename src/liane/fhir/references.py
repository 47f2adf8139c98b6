"""Which resource does a reference point to, and how is such a pointer written?

R4 section 2.3.0: a literal reference is relative (`Patient/1`), absolute, a fragment (`#a`) or a
URN (`urn:uuid:...`).
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TYPED = re.compile(
    r"(?:(?P<base>https?://[^\s?#]+)/)?(?P<type>[A-Z][A-Za-z]{2,40})/(?P<id>[A-Za-z0-9\-.]{1,64})"
    r"(?:/_history/(?P<version>[A-Za-z0-9\-.]{1,64}))?"
)


class Reference(NamedTuple):
    """A literal reference taken apart; `type` and `id` are absent for URNs and other URLs."""

    type: str | None
    id: str | None
    version: str | None
    base: str | None
    """The server part of an absolute reference, without the slash at its end."""
    fragment: str | None
    url: str | None
    """The whole text, when it is neither relative nor a fragment."""

    @property
    def local(self) -> bool:
        """Whether it names a resource of this server by type and id."""
        return self.id is not None and self.base is None


def parse(text: str) -> Reference:
    """Take a literal reference apart. Never raises: what is not understood is a `url`."""
    if text.startswith("#"):
        return Reference(None, None, None, None, text[1:], None)
    match = _TYPED.fullmatch(text)
    if match is None:
        return Reference(None, None, None, None, None, text)
    base, type_, id_, version = match.group("base", "type", "id", "version")
    return Reference(type_, id_, version, base, None, text if base else None)


def format_reference(type_: str, id_: str, version: int | None = None) -> str:
    """`Patient/1`, or `Patient/1/_history/3` for one version."""
    return f"{type_}/{id_}" if version is None else f"{type_}/{id_}/_history/{version}"
