"""Which values do the search parameters that an establishment made itself find in a resource?

They are kept for each tenant and type and asked whenever a resource is filed, so a parameter is
filed from the moment this process knows of it (`liane.store.search.custom`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from liane.fhir.search_values import Extracted

Add = Callable[[dict[str, Any], Extracted], None]

_KNOWN: dict[tuple[int, str], tuple[Add, ...]] = {}


def set_known(tenant: int, known: Mapping[str, tuple[Add, ...]]) -> None:
    """From now on these are filed for the types of the tenant, and no others."""
    for place in [place for place in _KNOWN if place[0] == tenant and place[1] not in known]:
        del _KNOWN[place]
    for type_, adds in known.items():
        _KNOWN[tenant, type_] = adds


def add(tenant: int, type_: str, resource: dict[str, Any], found: Extracted) -> None:
    """Put the values of the custom parameters beside those of the standard."""
    if not _KNOWN:
        return
    for one in _KNOWN.get((tenant, type_), ()):
        one(resource, found)
