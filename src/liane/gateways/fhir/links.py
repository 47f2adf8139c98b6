"""How do links between the resources of one sending follow them to their new names?

R4 http, transaction processing rules: references and elements of type uri, url, oid and uuid, and
the links of a narrative; canonical addresses stay, and so do identifiers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_LINKS = frozenset(
    {"reference", "url", "uri", "valueUri", "valueUrl", "valueOid", "valueUuid", "endpoint"}
    | {"target", "targetUri", "source", "sourceUri", "definitionUri", "derivedFromUri", "eventUri"}
    | {"instantiatesUri", "moduleUri", "nameUrl", "onlineInformation", "authorizationUrl"}
)
"""Elements that hold a link as their text."""
_NARRATIVE_LINK = re.compile(r"""((?:href|src)\s*=\s*)(["'])([^"']+)\2""")


def rename(node: dict[str, Any], names: Mapping[str, str], base: str = "") -> None:
    """Replace, in place, every link that `names` knows.

    `base` is where the sender keeps the resource (`http://lab/fhir/`): a relative link is sought
    there too (R4 bundle, resolving references).
    """
    for key, value in node.items():
        kind = type(value)
        if kind is str:
            if key in _LINKS:
                found = names.get(value) or (names.get(base + value) if base else None)
                if found is not None:
                    node[key] = found
            elif key == "div" and ("href" in value or "src" in value):
                node[key] = _renamed_narrative(value, names)
        elif kind is dict:
            rename(value, names, base)
        elif kind is list:
            _rename_items(key, value, names, base)


def _rename_items(key: str, values: list[Any], names: Mapping[str, str], base: str) -> None:
    for place, item in enumerate(values):
        if type(item) is dict:
            rename(item, names, base)
        elif type(item) is str and key in _LINKS and item in names:
            values[place] = names[item]


def _renamed_narrative(div: str, names: Mapping[str, str]) -> str:
    return _NARRATIVE_LINK.sub(
        lambda m: f"{m[1]}{m[2]}{names.get(m[3], m[3])}{m[2]}",
        div,
    )
