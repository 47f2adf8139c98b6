"""How does an operation read what it is asked, and say what it does not understand?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from liane.base.errors import Invalid, NotFound
from liane.fhir.dates import interval
from liane.gateways.fhir import authority
from liane.gateways.fhir.exchange import Exchange
from liane.store import Tx, resources
from liane.store.resources import Version

ALWAYS = frozenset({"_format", "_pretty"})


def asked(exchange: Exchange, accepted: Iterable[str]) -> dict[str, list[str]]:
    """The values of each parameter. Raises `Invalid` for one that is not accepted."""
    known = tuple(accepted)
    found: dict[str, list[str]] = {}
    for name, value in exchange.parameters():
        if name in ALWAYS or value == "":
            continue
        if name not in known:
            if exchange.lenient:
                continue
            raise unknown(exchange, name, known)
        found.setdefault(name, []).append(value)
    return found


def unknown(exchange: Exchange, name: str, known: Iterable[str]) -> Invalid:
    """The refusal of a parameter that the operation does not have."""
    operation = next((part for part in exchange.path if part.startswith("$")), "")
    listed = ", ".join(known)
    return Invalid(
        "fhir.operation-parameter",
        f"{operation} ne comprend pas « {name[:60]} ». Acceptés : {listed}.",
        f"{operation} does not understand '{name[:60]}'. Accepted: {listed}.",
    )


def wrong(name: str, value: str, accepted_fr: str, accepted_en: str) -> Invalid:
    """The refusal of a value."""
    return Invalid(
        "fhir.operation-value",
        f"{name} : « {value[:60]} » n’est pas accepté ; {accepted_fr}.",
        f"{name}: '{value[:60]}' is not accepted; {accepted_en}.",
    )


def missing(name: str, about_fr: str, about_en: str) -> Invalid:
    """The refusal when something needed was not given."""
    return Invalid(
        "fhir.operation-parameter",
        f"Le paramètre « {name} » est nécessaire : {about_fr}.",
        f"The parameter '{name}' is needed: {about_en}.",
    )


def listed(values: Mapping[str, list[str]], name: str) -> list[str]:
    """All values of a parameter, repeated or with commas between them."""
    return [one for text in values.get(name, []) for one in text.split(",") if one]


def single(values: Mapping[str, list[str]], name: str) -> str | None:
    """The value of a parameter that may be given once."""
    given = values.get(name, [])
    if len(given) > 1:
        raise wrong(name, given[1], "une seule valeur est attendue", "one value is expected")
    return given[0] if given else None


def flag(values: Mapping[str, list[str]], name: str, default: bool = False) -> bool:
    """True or false."""
    text = single(values, name)
    if text is None:
        return default
    if text not in ("true", "false"):
        raise wrong(name, text, "attendu : true ou false", "expected: true or false")
    return text == "true"


def number(values: Mapping[str, list[str]], name: str, default: int, most: int) -> int:
    """A whole number from 1 to `most`."""
    text = single(values, name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) >= 1):
        raise wrong(name, text, "attendu : un entier positif", "expected: a positive whole number")
    return min(int(text), most)


def start_of(name: str, text: str | None) -> datetime | None:
    """The first instant that a date means."""
    return None if text is None else _interval(name, text)[0]


def end_of(name: str, text: str | None) -> datetime | None:
    """The first instant that a date no longer means."""
    return None if text is None else _interval(name, text)[1]


def _interval(name: str, text: str) -> tuple[datetime, datetime]:
    try:
        return interval(text.replace(" ", "+"))
    except ValueError:
        raise wrong(name, text, "attendu : une date FHIR", "expected: a FHIR date") from None


def types_of(names: list[str], offered: Iterable[str]) -> list[str]:
    """Resource types named by `_type`. Raises `Invalid` for one that is not offered."""
    known = tuple(offered)
    for name in names:
        if name not in known:
            raise wrong(
                "_type", name, f"acceptés : {', '.join(known)}", f"accepted: {', '.join(known)}"
            )
    return names


def absent(reference: str) -> NotFound:
    """There is no such resource."""
    return NotFound("fhir.not-found", f"{reference} n’existe pas.", f"{reference} does not exist.")


async def opened(exchange: Exchange, tx: Tx, type_: str, id_: str) -> Version:
    """The current version, when this reader may see it.

    To all others it reads as absent: nobody learns by trying which resources exist.
    """
    authority.require_type(exchange.actor, type_, "r")
    version = await resources.read(tx, type_, id_)
    return await shown(exchange, tx, version, f"{type_}/{id_}")


async def shown(exchange: Exchange, tx: Tx, version: Version | None, name: str) -> Version:
    """A version that was looked up, when it is there and this reader may see it."""
    if version is None:
        type_, _, id_ = name.partition("/")
        raise await authority.nothing(tx, exchange.actor, type_, id_)
    await authority.require_open(tx, exchange.actor, version)
    if version.deleted:
        if authority.restricted(exchange.actor):
            raise absent(name)
        raise NotFound("fhir.gone", f"{name} a été supprimé.", f"{name} was deleted.")
    return version


def part(resource: Mapping[str, Any] | None, name: str, value: str) -> Any:
    """The value (`resource`, `valueReference`, ...) of a named entry of a Parameters body."""
    entries = (resource or {}).get("parameter", [])
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("name") == name and value in entry:
            return entry[value]
    return None
