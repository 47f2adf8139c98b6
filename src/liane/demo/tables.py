"""Where are the lists of names, units, analyses and stories that the demonstration draws from?"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any


@cache
def table(name: str) -> dict[str, Any]:
    """The content of `data/<name>.toml`. Read only: it is shared."""
    file = resources.files("liane.demo") / "data" / f"{name}.toml"
    return tomllib.loads(file.read_text("utf-8"))
