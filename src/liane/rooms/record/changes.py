"""What differs between two versions of a resource, in words a carer can follow? (Pure.)"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MOST = 60
_SILENT = frozenset({"meta", "text", "resourceType", "id"})


@dataclass(frozen=True, slots=True)
class Change:
    """One element that changed; an empty side means that it was absent there."""

    path: str
    before: str
    after: str


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Elements that differ, in reading order, at most sixty."""
    was, now = dict(_leaves(before, "")), dict(_leaves(after, ""))
    found = [
        Change(path, was.get(path, ""), now.get(path, ""))
        for path in dict.fromkeys([*was, *now])
        if was.get(path) != now.get(path)
    ]
    return found[:MOST]


def _leaves(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inside in value.items():
            if path or key not in _SILENT:
                yield from _leaves(inside, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, inside in enumerate(value):
            yield from _leaves(inside, f"{path}[{index + 1}]" if len(value) > 1 else path)
    else:
        text = str(value)
        yield path, text if len(text) <= 300 else text[:300] + "…"
