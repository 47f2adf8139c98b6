"""Where does one value of a parameter end and the next begin? (R4 section 3.1.1.4.3)"""

from __future__ import annotations

import re

_GUARDED = re.compile(r"\\([\\,|$])")


def split(text: str, separator: str) -> list[str]:
    """Cut at separators that no backslash guards; the guards stay for the next cut."""
    if separator not in text:
        return [text]
    if "\\" not in text:
        return text.split(separator)
    parts, current, guarded = [], "", False
    for character in text:
        if character == separator and not guarded:
            parts.append(current)
            current = ""
        else:
            current += character
        guarded = character == "\\" and not guarded
    return [*parts, current]


def unescape(text: str) -> str:
    """Take away the backslashes that guard a separator or another backslash."""
    return _GUARDED.sub(r"\1", text) if "\\" in text else text


def escape(text: str) -> str:
    """Guard what would cut a value."""
    return re.sub(r"([\\,|$])", r"\\\1", text)
