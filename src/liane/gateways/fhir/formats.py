"""In which format does a request come, in which one is its answer wanted, and how is it sent?

R4 http, content types and encodings: JSON and XML by `Accept` or `_format`, `_pretty`, gzip.
"""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from typing import Literal, NamedTuple
from zlib import MAX_WBITS, Z_SYNC_FLUSH, compressobj

import msgspec

from liane.base.errors import Invalid
from liane.fhir import json as fhir_json
from liane.fhir import xml as fhir_xml

Format = Literal["json", "xml"]
JSON_TYPES = frozenset({"json", "application/json", "application/fhir+json", "text/json"})
XML_TYPES = frozenset({"xml", "application/xml", "application/fhir+xml", "text/xml"})
FHIR_TYPES = frozenset({"application/fhir+json", "application/fhir+xml"})
MEDIA_TYPES: dict[Format, str] = {
    "json": "application/fhir+json; charset=utf-8",
    "xml": "application/fhir+xml; charset=utf-8",
}
_ANY = frozenset({"", "*/*", "application/*"})
_VERSIONS = frozenset({"4.0", "4.0.1"})
_LEVEL = 1
"""Of gzip: three quarters of what the best level saves, at a fifth of its time."""
WORTH_BYTES = 1_024
"""Smaller answers are sent as they are."""


class Media(NamedTuple):
    """One media type of a header: its name in small letters, its parameters, its weight."""

    name: str
    parameters: dict[str, str]
    weight: float


def media_of(text: str) -> Media:
    """Take `application/fhir+json; fhirVersion=4.0; q=0.5` apart."""
    name, *rest = text.split(";")
    pairs = [part.partition("=") for part in rest]
    parameters = {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}
    # A plus sign in an address that was not written %2B arrives as a blank.
    clean = name.strip().lower().replace("fhir ", "fhir+")
    return Media(clean, parameters, _weight(parameters.get("q", "1")))


def _weight(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0


def listed(header: str) -> list[Media]:
    """The media types of an Accept header, the preferred first, refused ones (q=0) left out."""
    medias = [media_of(text) for text in header.split(",")[:50]]
    return sorted((one for one in medias if one.weight > 0), key=lambda one: -one.weight)


def wanted(accept: str) -> Format | None:
    """The format of the answer; None when none of those accepted is offered."""
    if not accept.strip():
        return "json"
    for media in listed(accept):
        if media.parameters.get("fhirversion", "4.0") not in _VERSIONS:
            continue
        if media.name in JSON_TYPES or media.name in _ANY:
            return "json"
        if media.name in XML_TYPES:
            return "xml"
    return None


def not_acceptable(accept: str) -> Invalid:
    """The refusal of formats that are not offered."""
    return Invalid(
        "fhir.not-acceptable",
        f"Le format demandé « {accept[:80]} » n’est pas offert.",
        f"The format asked for, '{accept[:80]}', is not offered.",
        "Demander application/fhir+json ou application/fhir+xml (FHIR 4.0).",
        "Ask for application/fhir+json or application/fhir+xml (FHIR 4.0).",
    )


def of_body(media: Media) -> Format | None:
    """The format of a body sent; None for what is no FHIR format. Raises `Invalid` for another
    version of FHIR or another encoding of characters.
    """
    charset = media.parameters.get("charset", "utf-8").lower()
    if media.parameters.get("fhirversion", "4.0") not in _VERSIONS or charset not in (
        "utf-8",
        "utf8",
        "us-ascii",
    ):
        raise refused_media(f"{media.name}; {media.parameters}")
    if media.name in JSON_TYPES or media.name == "":
        return "json"
    return "xml" if media.name in XML_TYPES else None


def refused_media(text: str) -> Invalid:
    """The refusal of a body in a format that is not read here."""
    return Invalid(
        "fhir.media-type",
        f"Le type de contenu « {text[:80]} » n’est pas accepté ici.",
        f"The content type '{text[:80]}' is not accepted here.",
        "Envoyer application/fhir+json ou application/fhir+xml, en UTF-8, FHIR 4.0.",
        "Send application/fhir+json or application/fhir+xml, in UTF-8, FHIR 4.0.",
    )


def rendered(body: str, format_: Format, *, pretty: bool) -> bytes:
    """A FHIR body as bytes of the format asked for."""
    if format_ == "xml" and body:
        return fhir_xml.dumps(fhir_json.loads(body))
    raw = body.encode()
    return msgspec.json.format(raw, indent=2) if pretty and raw else raw


def takes_gzip(accept_encoding: str) -> bool:
    """Whether the reader takes a compressed answer (RFC 9110, 12.5.3)."""
    return any(one.name in ("gzip", "x-gzip", "*") for one in listed(accept_encoding))


def compressed(body: bytes) -> bytes:
    """The body, compressed; the same bytes each time."""
    return gzip.compress(body, _LEVEL, mtime=0)


async def compressed_stream(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The stream, compressed piece by piece."""
    compressor = compressobj(_LEVEL, wbits=MAX_WBITS | 16)
    async for part in parts:
        yield compressor.compress(part) + compressor.flush(Z_SYNC_FLUSH)
    yield compressor.flush()


def is_raw(accept: str, own: str) -> bool:
    """Whether the content of a Binary is wanted as it is, and not as a FHIR resource.

    http://hl7.org/fhir/R4/binary.html#rest: FHIR only when the reader names a FHIR type.
    """
    for media in listed(accept):
        if media.name in FHIR_TYPES:
            return False
        if media.name in (own, "*/*"):
            return True
        if media.name in JSON_TYPES or media.name in XML_TYPES:
            return False
    return True
