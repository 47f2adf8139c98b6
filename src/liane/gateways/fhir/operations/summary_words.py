"""How does a section of a patient summary read for a person? (Every sign is escaped.)"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from liane.base.text import visible
from liane.gateways.fhir.operations.summary_sections import Resource, Section, status

LONGEST = 400
_NAMES = ("code", "medicationCodeableConcept", "vaccineCode", "type")
_WHEN = (
    "onsetDateTime", "effectiveDateTime", "performedDateTime", "occurrenceDateTime", "authoredOn",
    "recordedDate", "dateAsserted", "issued", "recordedOn",
)  # fmt: skip
_PERIODS = ("effectivePeriod", "performedPeriod", "onsetPeriod", "timingPeriod")
_STATUS = {
    "active": "active", "inactive": "inactive", "resolved": "résolue",
    "unconfirmed": "non confirmée",
    "presumed": "présumée", "confirmed": "confirmée", "refuted": "réfutée", "on-hold": "suspendu",
    "provisional": "provisoire", "differential": "diagnostic différentiel",
    "remission": "rémission",
    "recurrence": "récidive", "relapse": "rechute", "high": "criticité élevée",
}  # fmt: skip


def div(title: str, lines: Iterable[str]) -> dict[str, str]:
    """The narrative of a section: its title and one line for each thing."""
    items = "".join(f"<li>{_escaped(line)}</li>" for line in lines)
    body = f"<p><b>{_escaped(title)}</b></p><ul>{items}</ul>"
    return {
        "status": "generated",
        "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{body}</div>',
    }


def title(section: Section, language: str) -> str:
    """The section's title."""
    return section.title_en if language == "en" else section.title_fr


def nothing(language: str) -> str:
    """When nobody has said anything."""
    return "No information in the record." if language == "en" else "Aucune information au dossier."


def withheld(language: str) -> str:
    """When the reader may not see it."""
    if language == "en":
        return "Not shown: the access given does not cover this section."
    return "Non montré : l’accès donné ne couvre pas cette rubrique."


def line(resource: Resource, language: str) -> str:
    """One thing in one line: what, value or substance, status, when."""
    parts = [_what(resource), _value(resource), *_statuses(resource, language), _when(resource)]
    return " — ".join(part for part in parts if part)


def _what(resource: Resource) -> str:
    for name in _NAMES:
        if found := concept(resource.get(name)):
            return found
    for name in ("medicationReference", "device"):
        reference = resource.get(name) or {}
        if named := reference.get("display") or reference.get("reference"):
            return str(named)
    names = resource.get("deviceName") or [{}]
    substances = [
        concept(one.get("substance"))
        for one in resource.get("reaction") or []
        if one.get("substance")
    ]
    return ", ".join(filter(None, substances)) or str(names[0].get("name", "")) or "?"


def concept(told: Any) -> str:
    """The words of a CodeableConcept; its codes when it has none."""
    if not isinstance(told, Mapping):
        return ""
    codings = told.get("coding") or []
    shown = [str(one.get("display")) for one in codings if one.get("display")]
    coded = [f"{one.get('system', '')}|{one['code']}" for one in codings if one.get("code")]
    return str(told.get("text") or "") or next(iter(shown), "") or next(iter(coded), "")


def _value(resource: Resource) -> str:
    quantity = resource.get("valueQuantity")
    if isinstance(quantity, Mapping):
        number = quantity.get("value")
        told = str(number) if isinstance(number, (int, Decimal)) else ""
        unit = quantity.get("unit") or quantity.get("code") or ""
        return f"{quantity.get('comparator', '')}{told} {unit}".strip()
    for name in ("valueString", "valueDateTime", "conclusion"):
        if isinstance(resource.get(name), str):
            return str(resource[name])
    reactions = [
        concept(one) for r in resource.get("reaction") or [] for one in r.get("manifestation") or []
    ]
    parts = [
        f"{concept(one.get('code'))} {_value(one)}".strip()
        for one in resource.get("component") or []
    ]
    dosage = [str(one["text"]) for one in _dosages(resource) if one.get("text")]
    return concept(resource.get("valueCodeableConcept")) or ", ".join(
        filter(None, [*parts, *reactions, *dosage])
    )


def _dosages(resource: Resource) -> list[Any]:
    told = resource.get("dosage") or resource.get("dosageInstruction") or []
    return [one for one in told if isinstance(one, Mapping)] if isinstance(told, list) else []


def _statuses(resource: Resource, language: str) -> list[str]:
    told = [status(resource, "clinicalStatus"), status(resource, "verificationStatus")]
    criticality = resource.get("criticality")
    told.append("high" if criticality == "high" else "")
    if isinstance(resource.get("status"), str) and resource["status"] in ("on-hold", "unknown"):
        told.append(resource["status"])
    words = [one for one in told if one and one not in ("active", "confirmed")]
    return words if language == "en" else [_STATUS.get(one, one) for one in words]


def _when(resource: Resource) -> str:
    for name in _WHEN:
        if isinstance(resource.get(name), str):
            return str(resource[name])[:10]
    for name in _PERIODS:
        period = resource.get(name)
        if isinstance(period, Mapping) and isinstance(period.get("start"), str):
            return str(period["start"])[:10]
    return ""


def _escaped(text: str) -> str:
    return html.escape(visible(text)[:LONGEST], quote=True)
