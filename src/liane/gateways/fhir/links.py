"""How do links between the resources of one sending follow them to their new names?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LINKS = frozenset({"reference", "url", "uri", "valueUri", "valueUrl", "valueCanonical"})


def rename(node: dict[str, Any], names: Mapping[str, str]) -> None:
    """Replace, in place, every link that `names` knows (R4 http, transaction processing rules)."""
    for key, value in node.items():
        kind = type(value)
        if kind is str:
            if key in _LINKS and value in names:
                node[key] = names[value]
        elif kind is dict:
            rename(value, names)
        elif kind is list:
            for item in value:
                if type(item) is dict:
                    rename(item, names)
