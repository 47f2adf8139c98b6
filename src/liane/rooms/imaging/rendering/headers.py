"""How is the header of an image told in JSON (PS3.18 annex F)?

Runs in the child only. Decimal strings stay the text they came as; long binary values are left to
the images themselves, private elements to the full answer.
"""

from __future__ import annotations

import base64
import math
from typing import Any

import orjson
from pydicom import DataElement, Dataset
from pydicom.valuerep import PersonName

INLINE_BYTES = 1024
_BINARY = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))
_NUMBERS = frozenset(("FL", "FD", "IS", "SL", "SS", "SV", "UL", "US", "UV"))
_TEXTS = frozenset(("AE", "AS", "CS", "DA", "DS", "DT", "LO", "LT", "SH", "ST", "TM", "UC", "UI",
                    "UR", "UT"))  # fmt: skip


def dicom_json(data: Dataset, link: str) -> bytes:
    """The header as one JSON object; `link` is the address of the instance, for long values."""
    return orjson.dumps(_object(data, f"{link}/bulkdata"))


def _object(data: Dataset, link: str) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for element in data:
        if element.tag.element == 0 or element.tag.group < 0x0008:
            continue
        name = f"{element.tag:08X}"
        told[name] = _element(element, f"{link}/{name}")
    return told


def _element(element: DataElement, link: str) -> dict[str, Any]:
    vr = str(element.VR)[:2]
    told: dict[str, Any] = {"vr": vr}
    if vr == "SQ":
        told["Value"] = [
            _object(item, f"{link}/{number}") for number, item in enumerate(element.value)
        ]
    elif vr in _BINARY:
        raw = element.value if isinstance(element.value, bytes) else b""
        if len(raw) > INLINE_BYTES:
            told["BulkDataURI"] = link
        elif raw:
            told["InlineBinary"] = base64.b64encode(raw).decode("ascii")
    else:
        values = [_value(one, vr) for one in _many(element.value)]
        if any(value is not None for value in values):
            told["Value"] = values
    return told


def _many(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    if isinstance(value, (str, bytes, PersonName)) or not hasattr(value, "__iter__"):
        return [value]
    return list(value)


def _value(one: Any, vr: str) -> Any:
    if vr == "PN":
        groups = (("Alphabetic", one.alphabetic), ("Ideographic", one.ideographic),
                  ("Phonetic", one.phonetic))  # fmt: skip
        return {name: text for name, text in groups if text} or None
    if vr == "AT":
        return f"{int(one):08X}"
    if vr in _NUMBERS:
        number = int(one) if vr not in ("FL", "FD") else float(one)
        return number if math.isfinite(number) else str(number)
    if vr in _TEXTS:
        return str(getattr(one, "original_string", one)) or None
    return str(one)
