"""How is a machine that sends images declared, and which settings make no sense?

What is written on the form of the interfaces page; the port follows it within seconds.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from liane.base.errors import Conflict, Invalid, NotFound
from liane.base.text import fold, visible
from liane.rooms.imaging.values import UnknownPatient
from liane.store import Tx
from liane.store.sql import queries

Q = queries("liane.gateways.dicom", "partners.sql")

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_TITLE = re.compile(r"[\x21-\x5b\x5d-\x7e][\x20-\x5b\x5d-\x7e]{0,15}")
"""PS3.5 table 6.2-1, AE: 16 characters of the default repertoire, no backslash, not only spaces."""
MOST_LINES = 100


@dataclass(frozen=True, slots=True)
class Declared:
    """One machine as people declared it, allowed or not."""

    id: str
    name: str
    allowed: bool = True
    titles: tuple[str, ...] = ()
    called: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    unknown_patient: UnknownPatient = "hold"
    quarantine: bool = False
    establishment: str = ""
    authorities: Mapping[str, str] = field(default_factory=dict)


async def declared(tx: Tx) -> list[Declared]:
    """Every machine, by name."""
    return [_declared(row) for row in await tx.fetch(Q["all"], tx.tenant)]


async def one_declared(tx: Tx, partner_id: str) -> Declared:
    """The machine of this code; raises `NotFound`."""
    for each in await declared(tx):
        if each.id == partner_id:
            return each
    raise NotFound("dicom.partner-unknown", "Cette machine n'existe pas.", "No such machine.")


def _declared(row: Mapping[str, Any]) -> Declared:
    values = dict(row)
    for name in ("titles", "called", "addresses"):
        values[name] = tuple(values[name])
    if isinstance(values["authorities"], str):
        values["authorities"] = json.loads(values["authorities"])
    return Declared(**values)


async def declare(tx: Tx, wanted: Declared, *, new: bool) -> list[str]:
    """Keep the settings (the caller has asked the gate and journals); gives what changed.

    Raises `Conflict` when another machine has this code or name: images are told apart by it.
    """
    others = await declared(tx)
    before = next((one for one in others if one.id == wanted.id), None)
    if new and before is not None:
        raise Conflict(
            "dicom.partner-code", "Ce code est déjà pris.", "This code is already taken."
        )
    if new and fold(wanted.name) in {fold(one.name) for one in others}:
        raise Conflict(
            "dicom.partner-name",
            "Une autre machine porte déjà ce nom.",
            "Another machine already has this name.",
        )
    await tx.execute(
        Q["save"],
        tx.tenant,
        wanted.id,
        wanted.name,
        wanted.allowed,
        list(wanted.titles),
        list(wanted.called),
        list(wanted.addresses),
        wanted.unknown_patient,
        wanted.quarantine,
        wanted.establishment,
        json.dumps(dict(wanted.authorities)),
    )
    if before is None:
        return ["declared"]
    names = [each.name for each in fields(Declared)]
    return [name for name in names if getattr(before, name) != getattr(wanted, name)]


def declared_from(form: Mapping[str, str], partner_id: str, name: str) -> Declared:
    """The settings typed on the form. Raises `Invalid` in words."""
    if _ID.fullmatch(partner_id) is None or partner_id == "new":
        raise _refused(
            "Le code de la machine : lettres minuscules, chiffres et tirets, 40 au plus.",
            "The machine's code: lower-case letters, digits and hyphens, 40 at most.",
        )
    shown = visible(name).strip()[:100]
    if not shown:
        raise _refused("Donnez un nom à la machine.", "Give the machine a name.")
    return Declared(
        id=partner_id,
        name=shown,
        allowed=form.get("allowed") == "on",
        titles=_titles(form.get("titles", "")),
        called=_titles(form.get("called", "")),
        addresses=_addresses(form.get("addresses", "")),
        unknown_patient="provisional" if form.get("unknown_patient") == "provisional" else "hold",
        quarantine=form.get("quarantine") == "on",
        establishment=visible(form.get("establishment", "")).strip()[:64],
        authorities=_authorities(form.get("authorities", "")),
    )


def _titles(text: str) -> tuple[str, ...]:
    """AE titles, one a line: a title may hold spaces."""
    titles = [line.strip() for line in re.split(r"[\n,;]", text)]
    kept = tuple(dict.fromkeys(title for title in titles if title))[:MOST_LINES]
    for title in kept:
        if _TITLE.fullmatch(title) is None:
            raise _refused(
                f"« {visible(title)[:40]} » n'est pas un titre AE : 16 caractères au plus, sans "
                "accent ni barre oblique inverse.",
                f"“{visible(title)[:40]}” is not an AE title: 16 characters at most, no accent, "
                "no backslash.",
            )
    return kept


def _addresses(text: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(word for word in re.split(r"[\s,;]+", text) if word))[:MOST_LINES]
    for word in words:
        try:
            network = ipaddress.ip_network(word, strict=False)
        except ValueError as error:
            raise _refused(
                f"« {visible(word)[:60]} » n'est pas une adresse ni un réseau.",
                f"“{visible(word)[:60]}” is neither an address nor a network.",
            ) from error
        if network.prefixlen == 0:
            raise _refused(
                f"« {word} » est le monde entier : donnez les adresses de la machine.",
                f"“{word}” is the whole world: give the addresses of the machine.",
            )
    return words


def _authorities(text: str) -> dict[str, str]:
    """One `issuer = system` on each line; nothing before the sign: images that name no issuer."""
    found: dict[str, str] = {}
    for line in text.splitlines()[:200]:
        if not line.strip():
            continue
        issuer, sign, system = (part.strip() for part in line.partition("="))
        if not sign or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:\S{1,200}", system):
            raise _refused(
                f"« {visible(line)[:60]} » : écrivez « émetteur = système », par exemple "
                "« CHU = urn:oid:1.2.250.1.999.1.1 ».",
                f"“{visible(line)[:60]}”: write “issuer = system”, for example "
                "“CHU = urn:oid:1.2.250.1.999.1.1”.",
            )
        found[issuer[:64]] = system
    return found


def _refused(fr: str, en: str) -> Invalid:
    return Invalid("dicom.partner", fr, en)
