"""What is `$import` asked to bring in, and from where?

A Parameters resource: `inputFormat`, then one `input` for each file, with its `type` and either a
`url` (a server on the list of the house, or a `Binary` stored here before) or its `content`.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from liane.base.errors import Denied, Invalid
from liane.fhir import definitions
from liane.gateways.fhir import authority
from liane.gateways.fhir.exchange import Exchange
from liane.gateways.fhir.operations import asking

FORMATS = ("application/fhir+ndjson", "application/ndjson", "ndjson")
MOST_INPUTS = 1_000
_SIMPLE = ("inputFormat", "inputSource", "mode", "type", "url")


@dataclass(frozen=True, slots=True)
class Input:
    """One file to bring in: at an address, in a Binary, or kept as a blob."""

    type: str
    url: str = ""
    blob: str = ""

    def kept(self) -> dict[str, Any]:
        """The form in which a request keeps it."""
        return asdict(self)


async def understood(exchange: Exchange) -> list[Input]:
    """The files asked for, inline ones stored. Raises `Invalid` or `Denied`."""
    asked = asking.asked(exchange, _SIMPLE)
    form = asking.single(asked, "inputFormat")
    if form is not None and form not in FORMATS:
        accepted = f"accepté : {FORMATS[0]}"
        raise asking.wrong("inputFormat", form, accepted, f"accepted: {FORMATS[0]}")
    entries = (exchange.resource or {}).get("parameter", [])
    entries = entries if isinstance(entries, list) else []
    named = [e for e in entries if isinstance(e, dict) and e.get("name") == "input"]
    if not named:
        raise asking.missing("input", "un fichier au moins", "one file at least")
    if len(named) > MOST_INPUTS:
        most = f"au plus {MOST_INPUTS} fichiers"
        raise asking.wrong("input", str(len(named)), most, f"at most {MOST_INPUTS} files")
    return [await _input(exchange, place, one) for place, one in enumerate(named)]


async def _input(exchange: Exchange, place: int, entry: dict[str, Any]) -> Input:
    parts = entry.get("part", [])
    told: dict[str, Any] = {}
    for part in parts if isinstance(parts, list) else []:
        value = (
            [v for k, v in part.items() if k.startswith("value")] if isinstance(part, dict) else []
        )
        if value and isinstance(value[0], str):
            told[str(part.get("name"))] = value[0]
    type_ = told.get("type", "")
    if type_ not in definitions.types():
        name = f"input[{place}].type"
        raise asking.wrong(name, type_, "un type de ressource R4", "an R4 resource type")
    for letter in ("c", "u"):
        authority.require_type(exchange.actor, type_, letter)
    if told.get("url"):
        return Input(type_, url=_checked(exchange, place, told["url"]))
    if told.get("content"):
        stored = await exchange.parts.services.blobs.put(_decoded(place, told["content"]))
        return Input(type_, blob=stored.sha256)
    raise asking.missing(f"input[{place}].url", "ou content", "or content")


def _checked(exchange: Exchange, place: int, url: str) -> str:
    """A Binary of this server, or an address on the list; the fetching checks it again."""
    own = url.removeprefix(f"{exchange.parts.base}/")
    if own.startswith("Binary/"):
        return own
    try:
        parts = urlsplit(url)
        names = {(parts.hostname or "").lower(), parts.netloc.lower()}
    except ValueError:
        names = set()
    if not names & {host.lower() for host in exchange.parts.choices.import_hosts}:
        raise Denied(
            "peer-not-allowed",
            f"input[{place}].url : ce serveur n’est pas sur la liste LIANE_FHIR_IMPORT_HOSTS.",
            f"input[{place}].url: this server is not on the list LIANE_FHIR_IMPORT_HOSTS.",
            "Déposer le fichier comme Binary, ou demander à l’administrateur d’ajouter le serveur.",
            "Store the file as a Binary, or ask the administrator to add the server.",
        )
    return url


def _decoded(place: int, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(
            "fhir.operation-value",
            f"input[{place}].content n’est pas du base64 (valueBase64Binary).",
            f"input[{place}].content is no base64 (valueBase64Binary).",
        ) from None
