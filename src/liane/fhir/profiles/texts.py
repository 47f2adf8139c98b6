"""Do the texts of a resource hold only characters that R4 allows?"""

from __future__ import annotations

import re
from typing import Any

from liane.fhir.profiles.findings import Finding, finding

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def control_characters(node: Any, path: str) -> list[Finding]:
    """Texts that hold control characters (R4 datatypes, `string`)."""
    if type(node) is str:
        if node.isprintable() or not _CONTROL.search(node):
            return []
        fr, en = "caractère de contrôle interdit", "control characters are not allowed"
        return [finding("type", "", path, fr, en, code="value")]
    if type(node) is dict:
        return [
            i for key, child in node.items() for i in control_characters(child, f"{path}.{key}")
        ]
    if type(node) is list:
        return [i for child in node for i in control_characters(child, path)]
    return []
