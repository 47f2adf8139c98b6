"""What can the IT department see of the interfaces, and what can it do there?

Each partner's state and rates, every message with its lines explained and the resources it made,
its answer; replay of one or of many; the settings of a partner. Clinical text is shown only to
those who hold the permission for it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from litestar import Response

from liane.access import journal
from liane.access.gate import may
from liane.access.permissions import Permission
from liane.base.errors import Invalid, LianeError, NotFound
from liane.gateways.hl7v2 import inbox, partners, reads
from liane.gateways.hl7v2.characters import encoding_named
from liane.gateways.hl7v2.codec import Message, parse
from liane.gateways.hl7v2.explaining import MAX_SEGMENTS_SHOWN, SegmentShown, explained
from liane.gateways.hl7v2.partners import Partner
from liane.store import changes
from liane.ui.routing import Context, Routes

routes = Routes("interfaces")

STATES = ("failed", "held", "pending", "applied", "kept", "answer", "refused")
FILTERS = ("partner", "state", "q")
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@routes.get("/interfaces", permission=Permission.INTERFACES_VIEW, action="read interfaces")
async def interfaces(context: Context) -> Response[Any]:
    """Every partner at a glance, what waits for people, and the latest messages."""
    query = context.query
    page = await reads.messages(
        context.tx,
        partner=query.get("partner"),
        state=_state(query.get("state")),
        word=(query.get("q") or "").strip()[:200],
        before=query.get("before"),
    )
    overview = await reads.overview(context.tx)
    template = "interfaces/live.html" if context.fragment else "interfaces/overview.html"
    return context.render(
        template,
        overview=overview,
        names={each.id: each.name for each in overview.partners},
        page=page,
        chosen={name: query.get(name, "") for name in FILTERS},
        states=STATES,
        address=_address(query),
        may_act=may(context.actor, Permission.INTERFACES_REPLAY),
    )


def _state(text: str | None) -> str | None:
    return text if text in STATES else None


def _address(query: Mapping[str, str]) -> str:
    from urllib.parse import urlencode

    kept = {name: query[name] for name in FILTERS if query.get(name)}
    return "/interfaces?" + urlencode(kept)


@routes.get(
    "/interfaces/messages/{message_id}",
    permission=Permission.INTERFACES_VIEW,
    action="read interface message",
)
async def one_message(context: Context, message_id: str) -> Response[Any]:
    """One message: its fate, its lines explained, the answer given, the resources made."""
    row = await reads.message(context.tx, message_id)
    clinical = may(context.actor, Permission.INTERFACES_CONTENT)
    context.journal_detail["clinical"] = clinical
    context.journal_detail["message"] = message_id
    if clinical and row["patient"]:
        context.read_patients.append(row["patient"])
    message = _parsed(row["raw"])
    names = {each.id: each.name for each in await partners.load(context.tx)}
    return context.render(
        "interfaces/message.html",
        row=row,
        partner_name=names.get(row["partner"], ""),
        sha256=row["sha256"].hex(),
        segments=_explained(message, context.t.language, clinical=clinical),
        more=max(0, len(message.segments) - MAX_SEGMENTS_SHOWN) if message else 0,
        answer=_explained(_parsed(row["ack"]), context.t.language, clinical=True),
        neighbours=await reads.neighbours(context.tx, row),
        clinical=clinical,
        encoding=message.encoding if message else "",
        may_act=may(context.actor, Permission.INTERFACES_REPLAY),
    )


def _parsed(raw: bytes | None) -> Message | None:
    if not raw:
        return None
    try:
        return parse(bytes(raw))
    except Invalid:
        return None


def _explained(message: Message | None, language: str, *, clinical: bool) -> list[SegmentShown]:
    return explained(message, language, clinical=clinical) if message else []


@routes.post(
    "/interfaces/replay", permission=Permission.INTERFACES_REPLAY, action="replay messages"
)
async def replay(context: Context) -> Response[Any]:
    """Apply messages again: those ticked (`message-<id>`), or all that wait at one partner. The
    gateway does it within a second, oldest first.
    """
    form = await context.form()
    chosen = sorted(key.removeprefix("message-") for key in form if key.startswith("message-"))
    if form.get("all_of"):
        chosen = await reads.replayable(context.tx, form["all_of"])
    again = await inbox.replay(context.tx, chosen)
    detail = {"messages": again[:50], "count": len(again)}
    await journal.record(context.tx, context.actor, "replay messages", detail=detail)
    await changes.append(context.tx, "interfaces", None, None, {"topics": ["interfaces"]})
    if len(again) == 1 and form.get("back") == "message":
        return context.redirect(f"/interfaces/messages/{again[0]}")
    return context.redirect("/interfaces")


@routes.get(
    "/interfaces/partners/{partner_id}",
    permission=Permission.INTERFACES_REPLAY,
    action="read partner settings",
)
async def partner(context: Context, partner_id: str) -> Response[Any]:
    """The settings of one partner, or an empty form for a new one (`new`)."""
    known = None if partner_id == "new" else await _known(context, partner_id)
    return context.render("interfaces/partner.html", partner=known, problem=None)


async def _known(context: Context, partner_id: str) -> Partner:
    for each in await partners.load(context.tx):
        if each.id == partner_id:
            return each
    raise NotFound(
        "interfaces.partner-unknown", "Ce partenaire n'existe pas.", "There is no such partner."
    )


@routes.post(
    "/interfaces/partners/{partner_id}",
    permission=Permission.INTERFACES_REPLAY,
    action="change partner settings",
)
async def change_partner(context: Context, partner_id: str) -> Response[Any]:
    """Save the settings; the gateway follows them within two seconds."""
    form = await context.form()
    try:
        wanted = partner_from(form, partner_id if partner_id != "new" else form.get("id", ""))
    except LianeError as problem:
        known = None if partner_id == "new" else await _known(context, partner_id)
        return context.render(
            "interfaces/partner.html",
            status=400,
            partner=known,
            problem=problem.message(context.t.language),
        )
    await partners.save(context.tx, wanted)
    detail = {"partner": wanted.id, "allowed": wanted.allowed, "hold": wanted.unknown_patient}
    await journal.record(context.tx, context.actor, "change partner settings", detail=detail)
    await changes.append(context.tx, "interfaces", None, None, {"topics": ["interfaces"]})
    return context.redirect("/interfaces")


def partner_from(form: Mapping[str, str], partner_id: str) -> Partner:
    """The settings typed on the form. Raises Invalid in words."""
    if _ID.fullmatch(partner_id) is None:
        raise _refused(
            "Le code du partenaire : lettres minuscules, chiffres et tirets, 40 au plus.",
            "The partner's code: lower-case letters, digits and hyphens, 40 at most.",
        )
    addresses = _words(form.get("addresses", ""))
    for address in addresses:
        try:
            ipaddress.ip_network(address, strict=False)
        except ValueError as error:
            raise _refused(
                f"« {address} » n'est pas une adresse ni un réseau.",
                f"“{address}” is neither an address nor a network.",
            ) from error
    certificates = [c.lower().replace(":", "") for c in _words(form.get("certificates", ""))]
    if any(re.fullmatch(r"[0-9a-f]{64}", c) is None for c in certificates):
        raise _refused(
            "Une empreinte de certificat a 64 caractères hexadécimaux (SHA-256).",
            "A certificate fingerprint has 64 hexadecimal characters (SHA-256).",
        )
    charset = form.get("charset", "").strip()
    if charset and encoding_named(charset) is None:
        raise _refused("Jeu de caractères inconnu.", "Unknown character set.")
    minutes = form.get("quiet_minutes", "60")
    return Partner(
        id=partner_id,
        name=form.get("name", "").strip()[:100] or partner_id,
        allowed=form.get("allowed") == "on",
        addresses=tuple(addresses),
        certificates=tuple(certificates),
        applications=tuple(_words(form.get("applications", ""))),
        charset=charset,
        unknown_patient="provisional" if form.get("unknown_patient") == "provisional" else "hold",
        enhanced=form.get("enhanced") == "on",
        language="en" if form.get("language") == "en" else "fr",
        establishment=form.get("establishment", "").strip()[:64],
        authorities=_pairs(form.get("authorities", "")),
        quiet_minutes=min(int(minutes), 100_000) if minutes.isdecimal() else 60,
    )


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s,;]+", text) if word][:100]


def _pairs(text: str) -> dict[str, str]:
    """One `authority = system` on each line."""
    found: dict[str, str] = {}
    for line in text.splitlines()[:200]:
        name, sign, system = line.partition("=")
        if sign and name.strip() and system.strip():
            found[name.strip()] = system.strip()
    return found


def _refused(fr: str, en: str) -> Invalid:
    return Invalid("interfaces.partner", fr, en)
