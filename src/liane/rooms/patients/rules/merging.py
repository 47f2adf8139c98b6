"""What changes in the record when two identities turn out to be one person, and back?"""

from __future__ import annotations

from typing import Any

from . import identity
from .indexing import numbers_of

Resource = dict[str, Any]


def repointed(value: Any, old: str, new: str) -> Any:
    """`value` with every reference to the patient `old` made to `new`."""
    if isinstance(value, dict):
        return {
            key: _reference(part, old, new) if key == "reference" else repointed(part, old, new)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [repointed(part, old, new) for part in value]
    return value


def _reference(text: Any, old: str, new: str) -> Any:
    return f"Patient/{new}" if text == f"Patient/{old}" else repointed(text, old, new)


def survivor_after(survivor: Resource, retired: Resource) -> Resource:
    """The surviving identity: its own traits, the numbers of both, a link to the retired one.

    The retired INS is taken only as a former number: one person has one INS.
    """
    held = {(n.get("system"), n.get("value")) for n in survivor.get("identifier") or []}
    kept_numbers = {(n["system"], n["value"]) for n in numbers_of(retired)}
    gained = [
        {**n, "use": "old"} if n.get("system") in identity.INS_SYSTEMS else n
        for n in retired.get("identifier") or []
        if (n.get("system", ""), n.get("value")) in kept_numbers - held
    ]
    return {
        **survivor,
        "identifier": [*(survivor.get("identifier") or []), *gained],
        "link": _linked(survivor, retired["id"], "replaces"),
    }


def retired_after(retired: Resource, survivor: str) -> Resource:
    """The retired identity: inactive, pointing at the survivor."""
    return {**retired, "active": False, "link": _linked(retired, survivor, "replaced-by")}


def survivor_before(survivor: Resource, retired: Resource, former: Resource) -> Resource:
    """The survivor without what the merge gave it, keeping what was written since.

    `former` is the survivor as it was just before the merge.
    """
    own = {(n.get("system"), n.get("value")) for n in former.get("identifier") or []}
    gained = {(n.get("system"), n.get("value")) for n in retired.get("identifier") or []} - own
    numbers = survivor.get("identifier") or []
    body = {
        **survivor,
        "identifier": [n for n in numbers if (n.get("system"), n.get("value")) not in gained],
    }
    return _unlinked(body, retired["id"])


def retired_before(retired: Resource, survivor: str) -> Resource:
    """The retired identity, active again."""
    return {**_unlinked(retired, survivor), "active": True}


def _linked(patient: Resource, other: str, kind: str) -> list[Resource]:
    link = {"other": {"reference": f"Patient/{other}"}, "type": kind}
    return [*[e for e in patient.get("link") or [] if e != link], link]


def _unlinked(patient: Resource, other: str) -> Resource:
    links = [
        e
        for e in patient.get("link") or []
        if (e.get("other") or {}).get("reference") != f"Patient/{other}"
    ]
    body = {key: value for key, value in patient.items() if key != "link"}
    return {**body, "link": links} if links else body


def speaks_of(resource: Resource, encounters: set[str]) -> bool:
    """Whether a resource belongs to one of these stays."""
    found = resource.get("encounter") or resource.get("context") or {}
    references = found.get("encounter") if isinstance(found, dict) else None
    every = [found, *(references or [])] if isinstance(found, dict) else []
    told = {str(e.get("reference", "")).rpartition("/")[2] for e in every if isinstance(e, dict)}
    return bool(told & encounters)
