"""How does the content of a Binary travel as it is, without being wrapped in a FHIR resource?

http://hl7.org/fhir/R4/binary.html#rest
"""

from __future__ import annotations

import base64
import re

from liane.gateways.fhir import formats
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.store.resources import Version

_SAFE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_GUARDS = {
    # Content from outside is never a page of ours: a browser saves it and runs nothing of it.
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


def wants_content(exchange: Exchange, version: Version) -> bool:
    """Whether the reader asks for the content, and not for the resource."""
    if dict(exchange.query).get("_format"):
        return False
    return formats.is_raw(exchange.accept, str(version.resource.get("contentType", "")))


def content(version: Version, patient: str | None) -> Answer:
    """The bytes, under the type they were stored with."""
    binary = version.resource
    media = str(binary.get("contentType", "")).partition(";")[0].strip().lower()
    headers = dict(_GUARDS)
    context = binary.get("securityContext", {}).get("reference")
    if isinstance(context, str) and context.isascii() and context.isprintable():
        headers["X-Security-Context"] = context
    return Answer(
        200,
        version=version,
        patients=(patient,),
        media_type=media if _SAFE.fullmatch(media) else "application/octet-stream",
        content=base64.b64decode(binary.get("data", "")),
        headers=headers,
    )
