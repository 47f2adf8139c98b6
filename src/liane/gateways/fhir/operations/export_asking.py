"""What does a bulk export ask for? (Bulk Data Access IG 2, request parameters)"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from liane.access import gate
from liane.access.permissions import Permission
from liane.base.errors import Invalid
from liane.fhir import definitions
from liane.fhir.dates import interval
from liane.gateways.fhir import authority
from liane.gateways.fhir.exchange import Exchange
from liane.gateways.fhir.operations import asking
from liane.store import Tx, search
from liane.store.versions import instant

Reach = Literal["system", "patient", "group"]
FORMATS = frozenset({"application/fhir+ndjson", "application/ndjson", "ndjson"})
ACCEPTED = (
    "_outputFormat", "_since", "_type", "_typeFilter", "_elements", "includeAssociatedData",
    "organizeOutputBy", "patient",
)  # fmt: skip
_LATER = frozenset({"organizeOutputBy"})
_ASSOCIATED = {"RelevantProvenanceResources": "Provenance"}


@dataclass(frozen=True, slots=True)
class Ask:
    """A bulk export, understood; kept with the request as it is."""

    reach: Reach
    types: tuple[str, ...]
    patients: tuple[str, ...] | None
    """The only patients wanted; None: no such limit."""
    since: str | None
    filters: tuple[tuple[str, str], ...] = ()
    """`_typeFilter`: a type and the search it must meet."""
    elements: tuple[str, ...] = ()

    def kept(self) -> dict[str, Any]:
        """The form in which a request keeps it."""
        return asdict(self)

    @classmethod
    def of(cls, told: Any) -> Ask:
        """Back from that form."""
        patients = told["patients"]
        return cls(
            told["reach"],
            tuple(told["types"]),
            None if patients is None else tuple(patients),
            told["since"],
            tuple((type_, criteria) for type_, criteria in told["filters"]),
            tuple(told["elements"]),
        )


async def understood(exchange: Exchange, tx: Tx, reach: Reach) -> Ask:
    """The export asked for. Raises `Invalid`, `Denied` or `NotFound` saying which part is wrong."""
    asked: dict[str, list[str]] = {}
    for name, value in exchange.parameters():
        if name in ("_format", "_pretty") or not value:
            continue
        _known(exchange, name)
        asked.setdefault(name, []).append(value)
    if (form := _last(asked, "_outputFormat")) and form.replace(" ", "+") not in FORMATS:
        raise _refused("_outputFormat", form, "application/fhir+ndjson")
    await gate.require(tx, exchange.actor, Permission.FHIR_API)
    patients = await _patients(exchange, tx, reach)
    filters = _filters(asked.get("_typeFilter", []))
    return Ask(
        reach,
        _types(exchange, reach, asked),
        None if patients is None else tuple(sorted(patients)),
        _since(_last(asked, "_since")),
        filters,
        tuple(name for text in asked.get("_elements", []) for name in text.split(",") if name),
    )


def _known(exchange: Exchange, name: str) -> None:
    if (name not in ACCEPTED or name in _LATER) and not exchange.lenient:
        offered = ", ".join(one for one in ACCEPTED if one not in _LATER)
        raise Invalid(
            "fhir.export-parameter",
            f"$export ne comprend pas « {name[:60]} ». Acceptés : {offered}.",
            f"$export does not understand '{name[:60]}'. Accepted: {offered}.",
            "Ou envoyer Prefer: handling=lenient pour qu’il soit ignoré.",
            "Or send Prefer: handling=lenient to have it ignored.",
        )


def _last(asked: dict[str, list[str]], name: str) -> str | None:
    return asked[name][-1] if name in asked else None


def _refused(name: str, value: str, accepted: str) -> Invalid:
    return Invalid(
        "fhir.export-parameter",
        f"{name} : « {value[:60]} » n’est pas accepté. Accepté : {accepted}.",
        f"{name}: '{value[:60]}' is not accepted. Accepted: {accepted}.",
    )


def _types(exchange: Exchange, reach: Reach, asked: dict[str, list[str]]) -> tuple[str, ...]:
    """The types wanted that the token covers; a type named without a right to it is refused."""
    offered = definitions.types() if reach == "system" else compartment_types()
    named = [one for text in asked.get("_type", []) for one in text.split(",") if one]
    for name in named:
        if name not in offered:
            raise _refused("_type", name, ", ".join(offered))
        authority.require_type(exchange.actor, name, "r")
    if named:
        for text in asked.get("includeAssociatedData", []):
            if text not in _ASSOCIATED:
                raise _refused("includeAssociatedData", text, ", ".join(_ASSOCIATED))
            named.append(_ASSOCIATED[text])
    wanted = [one for one in named or offered if authority.allows_type(exchange.actor, one, "r")]
    if not wanted:
        authority.require_type(exchange.actor, "Patient", "r")
    return tuple(dict.fromkeys(wanted))


def compartment_types() -> tuple[str, ...]:
    """Patient, and the types whose resources may belong to a patient."""
    known = definitions.resources()
    return tuple(t for t in definitions.types() if t == "Patient" or known[t]["patient"])


def _since(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return interval(text.replace(" ", "+"))[0].isoformat()
    except ValueError:
        raise _refused("_since", text, "2026-01-31T00:00:00Z") from None


def _filters(texts: list[str]) -> tuple[tuple[str, str], ...]:
    found = []
    for text in texts:
        type_, mark, criteria = text.partition("?")
        if not mark or type_ not in definitions.types():
            raise _refused("_typeFilter", text, "Observation?status=final")
        found.append((type_, criteria))
    return tuple(found)


async def _patients(exchange: Exchange, tx: Tx, reach: Reach) -> set[str] | None:
    """The patients wanted: those of the group, those named, both, or all (None)."""
    named = _named_patients(exchange)
    if reach != "group":
        return named
    id_ = exchange.path[1]
    version = await asking.opened(exchange, tx, "Group", id_)
    limit = gate.restriction(exchange.actor, Permission.FHIR_API, resource_type="Group")
    members = {
        reference.removeprefix("Patient/")
        for member in version.resource.get("member", [])
        if not member.get("inactive")
        and (reference := member.get("entity", {}).get("reference", "")).startswith("Patient/")
    }
    if limit is not None:
        # Members the asker may not see are left out by the query; so is what the group says.
        members = await _seen(tx, members, limit)
    return members if named is None else members & named


async def _seen(tx: Tx, members: set[str], limit: search.Restriction) -> set[str]:
    sql = gate.place(limit.sql, "m.patient", 2)
    rows = await tx.fetch(
        f"select m.patient from unnest($1::text[]) as m(patient) where {sql}",  # noqa: S608 - the gate's own predicate
        sorted(members),
        *limit.args,
    )
    return {row["patient"] for row in rows}


def _named_patients(exchange: Exchange) -> set[str] | None:
    entries = (exchange.resource or {}).get("parameter", [])
    entries = entries if isinstance(entries, list) else []
    told = [
        one.get("valueReference")
        for one in entries
        if isinstance(one, dict) and one.get("name") == "patient"
    ]
    named = [str(one.get("reference", "")) if isinstance(one, dict) else str(one) for one in told]
    named += [value for name, value in exchange.query if name == "patient"]
    if not named:
        return None
    wrong = [one for one in named if not one.startswith("Patient/")]
    if wrong:
        raise _refused("patient", wrong[0], "Patient/<id>")
    return {one.removeprefix("Patient/") for one in named}


def told_instant(at: datetime) -> str:
    """The instant as a manifest writes it."""
    return instant(at)
