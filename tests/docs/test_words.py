"""Does the interface say everything in both languages?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from liane.assembly import PACKAGES
from liane.base.i18n import load_catalogues

SOURCE = Path(__file__).parents[2] / "src/liane"

pytestmark = pytest.mark.unit


def test_french_and_english_have_the_same_keys() -> None:
    catalogues = load_catalogues(PACKAGES)
    assert set(catalogues["fr"]) == set(catalogues["en"])


def test_both_languages_fill_in_the_same_places() -> None:
    catalogues = load_catalogues(PACKAGES)
    for key, french in catalogues["fr"].items():
        english = catalogues["en"][key]
        assert set(re.findall(r"{(\w+)", french)) == set(re.findall(r"{(\w+)", english)), key


def test_every_message_used_in_a_template_exists() -> None:
    known = load_catalogues(PACKAGES)["fr"]
    for template in SOURCE.rglob("*.html"):
        for key in re.findall(r"""\bt\(\s*['"]([\w.-]+)['"]\s*[,)]""", template.read_text("utf-8")):
            assert key in known, f"{template.name}: {key}"
