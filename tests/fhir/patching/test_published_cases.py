"""Promise: every published R4 patch case whose input is at hand has the published outcome."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from liane.base.errors import Invalid
from liane.fhir import xml
from liane.fhir.patching import fhirpath_patch
from liane.fhir.patching.xml_patching import apply

pytestmark = pytest.mark.unit


def _cases(shared_data: Path, name: str) -> list[Any]:
    path = shared_data / "fhir-test-cases/r4/patch" / name
    if not path.is_file():
        pytest.skip("shared data set 'fhir-test-cases' not found")
    return etree.parse(str(path)).getroot().findall("case")


def _resource(holder: Any) -> dict[str, Any]:
    return xml.loads(etree.tostring(holder[0], with_tail=False))


def _meaning(value: Any, key: str = "") -> Any:
    """Blanks between the tags of a narrative mean nothing."""
    if isinstance(value, dict):
        return {name: _meaning(child, name) for name, child in value.items()}
    if isinstance(value, list):
        return [_meaning(child) for child in value]
    return re.sub(r"\s*(<|>)\s*|\s+", r" \1 ", value).strip() if key == "div" else value


def test_every_fhirpath_patch_case_has_its_outcome(shared_data: Path) -> None:
    wrong = []
    cases = _cases(shared_data, "fhir-patch-tests.xml")
    for case in cases:
        before, patch = _resource(case.find("input")), _resource(case.find("diff"))
        outcome = case.find("output")
        try:
            after = fhirpath_patch(before, patch)
            right = outcome is not None and _meaning(after) == _meaning(_resource(outcome))
        except Invalid:
            right = case.find("error") is not None
        if not right:
            wrong.append(case.get("name"))
    assert len(cases) == 33
    assert wrong == []


def _canonical(element: Any) -> bytes:
    """Elements, attributes, comments and texts; blanks between elements mean nothing."""
    root = etree.fromstring(etree.tostring(element, with_tail=False))
    for node in root.iter():
        for place in ("text", "tail"):
            text = getattr(node, place)
            if text is not None and not text.strip():
                setattr(node, place, None)
    etree.cleanup_namespaces(root)
    return etree.tostring(root, method="c14n")


def test_every_xml_patch_case_has_its_outcome(shared_data: Path) -> None:
    wrong = []
    cases = _cases(shared_data, "xml-patch-tests.xml")
    for case in cases:
        patch = next(child for child in case if etree.QName(child).localname == "patch")
        held = [child for child in case.find("target") if isinstance(child.tag, str)]
        target = etree.fromstring(etree.tostring(held[0], with_tail=False)) if held else None
        outcome = case.find("patched")
        try:
            after = apply(target, patch)
            right = outcome is not None and _canonical(after) == _canonical(outcome[0])
        except Invalid:
            right = case.find("error") is not None
        if not right:
            wrong.append(case.get("name"))
    assert len(cases) >= 29
    assert wrong == []
