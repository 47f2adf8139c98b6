"""How do values become a page, safely escaped and in the reader's language?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib import resources
from typing import Any

import orjson
from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, StrictUndefined

from liane.base.i18n import NARROW_SPACE, Catalogue, Translator
from liane.ui import navigation, values
from liane.ui.assets import asset

_SCRIPT_WORDS = (
    "ago.seconds",
    "ago.minutes",
    "ago.hours",
    "ago.days",
    "ago.months",
    "ago.years",
    "live.on",
    "live.off",
    "live.cut",
    "live.signed_out",
    "curtain",
    "error.read",
)


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
        self.environment.globals.update(
            asset=asset,
            doors_for=navigation.doors_for,
            initials=navigation.initials,
            script_words=script_words,
            number_text=values.number_text,
            range_text=values.range_text,
            with_unit=values.with_unit,
            unit_word=values.unit_word,
            is_shortened=values.is_shortened,
            ago=values.ago,
            clock_text=clock_text,
            nnbsp=NARROW_SPACE,
        )

    def render(self, template: str, /, **given: Any) -> str:
        """The text of `template` with `given`; every value is HTML-escaped."""
        return self.environment.get_template(template).render(**given)


def script_words(t: Translator) -> str:
    """The words that the page's script says, as JSON."""
    return orjson.dumps({key: t(f"ui.{key}") for key in _SCRIPT_WORDS}).decode()


def clock_text(now: datetime, t: Translator) -> str:
    """`sam. 22 nov. 03:12`: the clock of the top bar before the script takes over."""
    from babel.dates import format_datetime

    from liane.base.i18n import HOSPITAL_ZONE

    locale = "fr_FR" if t.language == "fr" else "en_GB"
    return format_datetime(now.astimezone(HOSPITAL_ZONE), "EEE d MMM HH:mm", locale=locale)


Catalogues = Mapping[str, Catalogue]
