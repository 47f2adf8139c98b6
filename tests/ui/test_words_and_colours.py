"""Both languages say everything, and every colour can be read on what it is written on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from liane.base.i18n import load_catalogues

pytestmark = pytest.mark.unit
ROOT = Path(__file__).resolve().parents[2]
TOKENS = (ROOT / "src/liane/ui/static/src/tokens.css").read_text("utf-8")
PACKAGES = ("liane.ui", "liane.rooms.record")


def test_french_and_english_have_the_same_keys() -> None:
    words = load_catalogues(PACKAGES)
    assert set(words["fr"]) == set(words["en"])
    assert all(text.strip() for language in words.values() for text in language.values())


def test_every_key_used_in_templates_and_pages_exists() -> None:
    words = load_catalogues(PACKAGES)["fr"]
    missing = []
    for folder in (ROOT / "src/liane/ui", ROOT / "src/liane/rooms/record"):
        for file in [*folder.rglob("*.html"), *folder.rglob("*.py")]:
            for key in re.findall(
                r"""\bt\(["']((?:ui|record)\.[a-z0-9_.]+[a-z0-9])["'][,)]""",
                file.read_text("utf-8"),
            ):
                missing += [(file.name, key)] if key not in words else []
    assert missing == []


def test_templates_hold_no_inline_script_style_or_handler() -> None:
    for file in ROOT.glob("src/liane/**/templates/**/*.html"):
        if "identity" in file.parts:
            continue
        text = file.read_text("utf-8")
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), file
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|hx-on|javascript:", text), file


def colours(theme: int) -> dict[str, str]:
    pairs = re.findall(
        r"--([a-z0-9-]+): light-dark\((#[0-9a-fA-F]{6}), (#[0-9a-fA-F]{6})\)", TOKENS
    )
    return {name: (day, night)[theme] for name, day, night in pairs}


def luminance(colour: str) -> float:
    def linear(part: str) -> float:
        value = int(part, 16) / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(colour[i : i + 2]) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


TEXT = [
    (ink, ground)
    for ink in ("ink", "ink-2", "ink-3", "brand", "ok", "info", "violet")
    for ground in ("surface", "paper", "hover")
]
SOFT = [(name, f"{name}-soft") for name in ("brand", "alarm", "warn", "info", "ok", "violet")]
VALUES = [(ink, ground) for ink in ("ink", "warn", "alarm") for ground in ("surface", "paper")]


@pytest.mark.parametrize("theme", [0, 1], ids=["day", "night"])
def test_text_reaches_aa_and_values_aaa(theme: int) -> None:
    found = colours(theme)
    low = [
        (a, b, round(contrast(found[a], found[b]), 2))
        for a, b in [
            *TEXT,
            *SOFT,
            ("brand-ink", "brand"),
            ("alarm-ink", "alarm"),
            ("ink-2", "sunken"),
        ]
        if contrast(found[a], found[b]) < 4.5
    ]
    assert low == []
    weak = [
        (a, b, round(contrast(found[a], found[b]), 2))
        for a, b in VALUES
        if contrast(found[a], found[b]) < 7
    ]
    assert weak == []
