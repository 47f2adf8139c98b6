"""How is LOINC read from the files that Regenstrief publishes?

`Loinc.csv` is needed; a linguistic variant and the component hierarchy add to it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from liane.importing.terminology.nomenclature import Builder, Edition, Found, text_of, unreadable
from liane.store.terminology.concepts import Designation, Header

URL = "http://loinc.org"
_AXES = ("COMPONENT", "PROPERTY", "TIME_ASPCT", "SYSTEM", "SCALE_TYP", "METHOD_TYP", "CLASS")
_OTHERS = ("STATUS", "ORDER_OBS", "EXAMPLE_UCUM_UNITS", "CLASSTYPE")
_LANGUAGE = re.compile(r"^([a-z]{2})([A-Z]{2})\d+LinguisticVariant")
_LONG = {"system": "http://snomed.info/sct", "code": "900000000000003001"}


def read(paths: list[Path], edition: Edition) -> Found:
    """The terms with their axes, the words of linguistic variants, and the hierarchy."""
    found = Found()
    by_kind: dict[str, list[Path]] = {}
    for path in paths:
        by_kind.setdefault(_kind_of(path), []).append(path)
    if not by_kind.get("terms"):
        raise unreadable(paths[0], "Loinc.csv", "Loinc.csv")
    words = _variants(by_kind.get("variant", []))
    header = Header(
        edition.url or URL, edition.version, title="LOINC", hierarchy="is-a", case_sensitive=False,
        source="Regenstrief Institute", value_set="http://loinc.org/vs",
    )  # fmt: skip
    builder = Builder(header)
    for number, row in _rows(by_kind["terms"][0]):
        code = row.get("LOINC_NUM", "")
        if not re.fullmatch(r"[0-9]{1,7}-[0-9]", code):
            found.refuse(f"{by_kind['terms'][0].name}, {number}", f"code LOINC : {code[:40]}")
            continue
        short = row.get("SHORTNAME", "")
        designations = [Designation(short, "en", {"text": "SHORTNAME"})] if short else []
        builder.add(
            code,
            row.get("LONG_COMMON_NAME") or row.get("COMPONENT", ""),
            designations=[*designations, *words.get(code, [])],
            said=[(name, "String", row.get(name, "")) for name in (*_AXES, *_OTHERS)],
            inactive=row.get("STATUS") == "DEPRECATED",
        )
    for path in by_kind.get("hierarchy", []):
        _hierarchy(path, builder)
    found.systems.append(builder.content)
    return found


def _kind_of(path: Path) -> str:
    head = text_of(path)[:1000].upper()
    if "IMMEDIATE_PARENT" in head:
        return "hierarchy"
    if "LINGUISTICVARIANT" in path.name.upper() and "LOINC_NUM" in head:
        return "variant"
    return "terms" if "LOINC_NUM" in head and "STATUS" in head else "other"


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text_of(path), newline=""))
    for row in reader:
        yield reader.line_num, {str(k): str(v or "").strip() for k, v in row.items() if k}


def _variants(paths: list[Path]) -> dict[str, list[Designation]]:
    """The words of each code in other languages; the first is the one to show."""
    words: dict[str, list[Designation]] = {}
    for path in paths:
        match = _LANGUAGE.match(path.name)
        language = f"{match.group(1)}-{match.group(2)}" if match else ""
        for _, row in _rows(path):
            shown = row.get("LinguisticVariantDisplayName") or row.get("LONG_COMMON_NAME")
            if not shown:
                axes = [row.get(name, "") for name in _AXES[:6]]
                shown = ":".join(axes).strip(":")
            if shown:
                one = Designation(shown, language, _LONG)
                words.setdefault(row.get("LOINC_NUM", ""), []).append(one)
    return words


def _hierarchy(path: Path, builder: Builder) -> None:
    """Parts (LP...) above the terms; a part is only a heading."""
    links: list[tuple[str, str]] = []
    for _, row in _rows(path):
        code, parent = row.get("CODE", ""), row.get("IMMEDIATE_PARENT", "")
        if code and not builder.has(code):
            builder.add(code, row.get("CODE_TEXT", ""), abstract=True)
        if code and parent:
            links.append((code, parent))
    for code, parent in links:
        builder.below(code, parent)
