"""Which pictures inside a document may be shown, as data that the page already holds?"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from lxml.etree import _Element as Element

from liane.base.errors import Invalid
from liane.gateways.cda.codec import NS, decoded

LIMIT_PICTURE_BYTES = 4 * 1024 * 1024
LIMIT_PICTURES = 20
_SIGNATURES = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
}


def pictures_of(section: Element) -> Mapping[str, str]:
    """`data:` addresses of the section's PNG, JPEG and GIF pictures, by the ID of their media.

    The bytes decide what a picture is, never the label; SVG, which can run, is left out.
    """
    found: dict[str, str] = {}
    for media in section.iter(f"{NS}observationMedia", f"{NS}regionOfInterest"):
        name = media.get("ID")
        value = media.find(f"{NS}value")
        if value is None:
            value = media.find(f".//{NS}observationMedia/{NS}value")
        if name and value is not None and len(found) < LIMIT_PICTURES:
            address = _address(value)
            if address is not None:
                found[name] = address
    return found


def _address(value: Element) -> str | None:
    text = value.text or ""
    if len(text) > LIMIT_PICTURE_BYTES * 4 // 3 or (value.get("representation") or "") != "B64":
        return None
    try:
        content = decoded(text)
    except Invalid:
        return None
    for media, signature in _SIGNATURES.items():
        if content.startswith(signature):
            return f"data:{media};base64,{base64.b64encode(content).decode()}"
    return None
