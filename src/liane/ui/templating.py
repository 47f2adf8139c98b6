"""How do values become a page, safely escaped and in the reader's language?"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, StrictUndefined


class Templates:
    """The templates of all packages in one name space (`ui/layout.html`, `patients/board.html`)."""

    def __init__(self, packages: Iterable[str], *, reload: bool = False) -> None:
        loaders: list[BaseLoader] = []
        for package in packages:
            folder = resources.files(package) / "templates"
            if folder.is_dir():
                loaders.append(FileSystemLoader(str(folder)))
        self.environment = Environment(
            loader=ChoiceLoader(loaders),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=reload,
            cache_size=400,
        )

    def render(self, template: str, /, **values: Any) -> str:
        """The text of `template` with `values`; every value is HTML-escaped."""
        return self.environment.get_template(template).render(**values)
