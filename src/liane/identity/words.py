"""In which words do the identity pages speak?"""

from __future__ import annotations

from functools import cache
from typing import Any

from liane.base.i18n import Catalogue, Translator, load_catalogues, translator


@cache
def _catalogues() -> dict[str, Catalogue]:
    return load_catalogues(["liane.identity"])


def words(language: str | None) -> Translator:
    """The words in `language` (`fr`, `en-GB` ...), French when it is not ours."""
    return translator((language or "fr")[:2], _catalogues())


class _Words:
    """Lets a template write `{{ words.sign_in }}` for the key `identity.sign_in`."""

    def __init__(self, language: str | None) -> None:
        self._t = words(language)

    def __getitem__(self, name: str) -> str:
        return self._t(f"identity.{name}")


def context(request: Any) -> dict[str, Any]:
    """What every identity template may use."""
    theme = request.COOKIES.get("liane_theme", "")
    return {
        "words": _Words(getattr(request, "LANGUAGE_CODE", "fr")),
        "theme": theme if theme in ("day", "night") else "auto",
    }
