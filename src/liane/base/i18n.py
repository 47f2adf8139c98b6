"""In which words, dates and numbers does the interface speak to this person?

Each package keeps its words beside its pages, in `messages/fr.toml` and `messages/en.toml`: flat
dotted keys that start with the package's name. French is complete first; English must have the
same keys (a test holds both).
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from importlib import resources
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal

LANGUAGES = ("fr", "en")
HOSPITAL_ZONE = ZoneInfo("Europe/Paris")
NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"

Catalogue = Mapping[str, str]


def load_catalogues(packages: Iterable[str]) -> dict[str, Catalogue]:
    """The words of all `packages`, by language. A key defined twice is an error."""
    catalogues: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    for package in packages:
        folder = resources.files(package) / "messages"
        for language, catalogue in catalogues.items():
            file = folder / f"{language}.toml"
            if not file.is_file():
                continue
            for key, text in _flatten(tomllib.loads(file.read_text("utf-8")), ""):
                if key in catalogue:
                    raise ValueError(f"message {key} is defined twice ({package})")
                catalogue[key] = text
    return dict(catalogues)


def _flatten(table: Mapping[str, object], prefix: str) -> Iterable[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


class Translator:
    """Says a message, a date, a time, a number or an age in one language."""

    def __init__(self, language: str, catalogue: Catalogue) -> None:
        self.language = language if language in LANGUAGES else "fr"
        self._catalogue = catalogue
        self._locale = "fr_FR" if self.language == "fr" else "en_GB"

    def __call__(self, key: str, /, **values: object) -> str:
        """The message named `key`, with its `{placeholders}` filled in; an unknown key raises."""
        text = self._catalogue[key]
        return text.format(**values) if values else text

    def has(self, key: str) -> bool:
        """Whether a message of that name exists (for codes that may have a local label)."""
        return key in self._catalogue

    def date(self, value: dt.date | dt.datetime) -> str:
        """14/03/1948"""
        if isinstance(value, dt.datetime):
            value = value.astimezone(HOSPITAL_ZONE).date()
        return format_date(value, "dd/MM/yyyy", locale=self._locale)

    def time(self, value: dt.datetime) -> str:
        """22:40, in the hospital's time zone."""
        return format_time(value.astimezone(HOSPITAL_ZONE), "HH:mm", locale=self._locale)

    def datetime(self, value: dt.datetime) -> str:
        """21 nov. 22:40, with the year when it is not the present one."""
        local = value.astimezone(HOSPITAL_ZONE)
        pattern = (
            "d MMM HH:mm" if local.year == dt.datetime.now(dt.UTC).year else "d MMM yyyy HH:mm"
        )
        return format_datetime(local, pattern, locale=self._locale)

    def number(self, value: Decimal | float) -> str:
        """The number with exactly the decimals it came with: Decimal("4.0") is 4,0."""
        if isinstance(value, int):
            return format_decimal(value, locale=self._locale)
        if not isinstance(value, Decimal):
            value = Decimal(repr(value))
        exponent = value.as_tuple().exponent
        decimals = max(0, -exponent) if isinstance(exponent, int) else 0
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
        return format_decimal(value, pattern, locale=self._locale, decimal_quantization=False)

    def age(self, birth: dt.date, at: dt.date) -> str:
        """77 ans, 8 mois, 12 jours: the unit a carer would use at that age."""
        months = (at.year - birth.year) * 12 + at.month - birth.month - (at.day < birth.day)
        if months >= 24:
            years = months // 12
            return f"{years} ans" if self.language == "fr" else f"{years} y"
        if months >= 2:
            return f"{months} mois" if self.language == "fr" else f"{months} mo"
        days = (at - birth).days
        if self.language == "fr":
            return f"{days} jour{'s' if days > 1 else ''}"
        return f"{days} day{'s' if days != 1 else ''}"


def translator(language: str, catalogues: Mapping[str, Catalogue]) -> Translator:
    """The translator for `language`, French when the language is not one of ours."""
    chosen = language if language in catalogues else "fr"
    return Translator(chosen, catalogues[chosen])
