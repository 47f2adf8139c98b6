"""Under which address does a browser find a style sheet, a script or an icon?

The front-end build leaves `static/built/stamps.json`: a stamp of the content of each file. The
address carries the stamp, so a new release is fetched at once and an old one may be kept for long.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path


def built_folder() -> Path:
    """Where the front-end build puts its files."""
    return Path(str(resources.files("liane.ui") / "static" / "built"))


@cache
def _stamps() -> dict[str, str]:
    file = built_folder() / "stamps.json"
    if not file.is_file():
        return {}
    stamps: dict[str, str] = json.loads(file.read_text("utf-8"))
    return stamps


def asset(name: str) -> str:
    """The address of one built file, with the stamp of its content."""
    stamp = _stamps().get(name)
    return f"/static/{name}?v={stamp}" if stamp else f"/static/{name}"


@cache
def icon_names() -> tuple[str, ...]:
    """Every icon that the sprite holds, in order."""
    listed = resources.files("liane.ui") / "static" / "src" / "icons.txt"
    return tuple(sorted(set(listed.read_text("utf-8").split())))
