"""Which code system or value set does a canonical address mean here and now?

What belongs to R4 itself is answered from memory. Otherwise what the site has stored comes first,
the most recent version when none is asked; then what R4 brings from elsewhere (v2, v3).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from liane.base.errors import NotFound
from liane.fhir import json as fhir_json
from liane.store.database import Tx
from liane.store.terminology import builtin, grammars
from liane.store.terminology.asking import Q, System
from liane.store.terminology.memory import MemorySystem, UnknownSystem
from liane.store.terminology.stored import StoredSystem

_MOST_KEPT = 200
_kept: OrderedDict[tuple[str, int, str, int], dict[str, Any]] = OrderedDict()


def canonical(address: str) -> tuple[str, str]:
    """An address and its version: `url|version`."""
    url, _, version = address.partition("|")
    return url, version


async def system(tx: Tx, address: str, version: str = "") -> System:
    """The code system of that address; an `UnknownSystem` when it is not here."""
    url, told = canonical(address)
    wanted = version or told
    known = builtin.known(url)
    ours = known is not None and wanted in ("", known.content.header.version)
    if known is not None and ours and builtin.is_core("CodeSystem", url):
        return MemorySystem(known)
    rows = await tx.fetch(Q.systems_of_url, tx.tenant, url)
    for row in rows:
        empty = row["content"] == "supplement" or not (
            row["loaded"] or row["content"] != "not-present"
        )
        if not empty and wanted in ("", row["version"]):
            return StoredSystem.of_row(row)
    if known is not None and ours and known.content.header.content != "not-present":
        return MemorySystem(known)
    grammar = grammars.system(url)
    if grammar is not None and not wanted:
        return grammar
    return UnknownSystem(url, wanted)


async def value_set(tx: Tx, address: str, version: str = "") -> dict[str, Any] | None:
    """The value set of that address, to be read, never changed; None when it is not here."""
    url, told = canonical(address)
    wanted = version or told
    own = builtin.resource("ValueSet", url)
    ours = own is not None and wanted in ("", own.get("version", ""))
    if ours and builtin.is_core("ValueSet", url):
        return own
    for row in await tx.fetch(Q.value_sets_of_url, tx.tenant, url):
        if wanted in ("", row["version"]):
            found = await _stored(tx, row["resource"], row["number"])
            if found is not None:
                return found
    return own if ours else await _implicit(tx, url)


async def required_value_set(tx: Tx, address: str, version: str = "") -> dict[str, Any]:
    """As `value_set`; raises `NotFound` when it is not here."""
    found = await value_set(tx, address, version)
    if found is None:
        name = f"{address}|{version}" if version else address
        raise NotFound(
            "terminology.unknown-value-set",
            f"Le jeu de valeurs « {name[:200]} » n’est pas connu ici.",
            f"The value set '{name[:200]}' is not known here.",
            "Vérifier l’adresse canonique, ou écrire la ressource ValueSet.",
            "Check the canonical address, or write the ValueSet resource.",
        )
    return found


async def body(tx: Tx, type_: str, id_: str) -> dict[str, Any] | None:
    """A terminology resource by its id."""
    text = await tx.fetchval(Q.body, tx.tenant, type_, id_)
    return None if text is None else fhir_json.loads(text)


async def _stored(tx: Tx, id_: str, number: int) -> dict[str, Any] | None:
    key = (tx.database.dsn, tx.tenant, id_, number)
    found = _kept.get(key)
    if found is not None:
        _kept.move_to_end(key)
        return found
    resource = await body(tx, "ValueSet", id_)
    if resource is not None:
        _kept[key] = resource
        if len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return resource


async def _implicit(tx: Tx, url: str) -> dict[str, Any] | None:
    """Value sets that exist because a code system does: all its codes, or those below one."""
    row = await tx.fetchrow(Q.system_of_value_set, tx.tenant, url)
    if row is not None:
        return _whole(url, {"system": row["url"], "version": row["version"]})
    base, sign, rest = url.partition("?fhir_vs")
    if not sign:
        return None
    if not rest:
        return _whole(url, {"system": base})
    if rest.startswith("=isa/"):
        below = {"property": "concept", "op": "is-a", "value": rest.removeprefix("=isa/")}
        return _whole(url, {"system": base, "filter": [below]})
    return None


def _whole(url: str, include: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in include.items() if value}
    return {
        "resourceType": "ValueSet",
        "url": url,
        "status": "active",
        "compose": {"include": [kept]},
    }
