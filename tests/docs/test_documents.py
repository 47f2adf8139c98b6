"""Do the documents say what the code does?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from liane.settings import described

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.unit


def test_every_setting_is_documented_with_its_default() -> None:
    text = (ROOT / "docs/reference/settings.md").read_text("utf-8")
    for variable, meaning, unit, default in described():
        assert f"| `{variable}` | {meaning} | {unit} | {default or 'empty'} |" in text


def test_the_settings_page_names_no_setting_that_does_not_exist() -> None:
    text = (ROOT / "docs/reference/settings.md").read_text("utf-8")
    named = set(re.findall(r"\| `(LIANE_[A-Z_]+)`", text))
    assert named == {variable for variable, *_ in described()}


def test_every_link_between_documents_leads_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    for document in documents:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text("utf-8")):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_make_target_named_in_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"`make ([a-z-]+)`", (ROOT / "README.md").read_text("utf-8")):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
