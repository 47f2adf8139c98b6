"""How does a stay read as a FHIR Encounter, and an Encounter as a stay?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from .movements import Stay
from .values import Attending, Identifier

Resource = dict[str, Any]
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
MEDICAL_UNIT = "https://liane.example/fhir/medical-unit"
ANOMALY = "https://liane.example/fhir/movement-anomaly"
RECENT_FOR = timedelta(days=7)
"""How long a unit still reaches a patient who left it (letters, late results)."""
EXPECTED_BEFORE, EXPECTED_AFTER = timedelta(days=30), timedelta(days=2)


class Tie(NamedTuple):
    """One tie between the patient and a unit, that opens the chart to the unit."""

    kind: Literal["present", "expected", "recent"]
    starts: datetime
    ends: datetime | None
    unit: str
    establishment: str


_OURS = ("status", "class", "period", "location", "serviceProvider", "participant", "extension")


def encounter_of(known: Resource | None, patient: str, venue: Identifier, stay: Stay) -> Resource:
    """The Encounter that tells `stay`; elements that movements do not speak of are kept."""
    body: Resource = {k: v for k, v in (known or {}).items() if k not in _OURS}
    body |= {
        "resourceType": "Encounter",
        "status": stay.status,
        "class": {"system": ACT_CODE, "code": stay.encounter_class},
        "subject": {"reference": f"Patient/{patient}"},
    }
    body["identifier"] = _with_venue(body.get("identifier") or [], venue)
    if period := _period(stay.start or stay.expected_start, stay.end):
        body["period"] = period
    if stay.segments:
        body["location"] = _locations(stay)
        if unit := stay.place.unit:
            body["serviceProvider"] = {"reference": f"Organization/{unit}"}
    if stay.attending:
        body["participant"] = [_participant(stay.attending)]
    if extensions := _extensions(known or {}, stay):
        body["extension"] = extensions
    return body


def _with_venue(numbers: list[Resource], venue: Identifier) -> list[Resource]:
    others = [
        n for n in numbers if (n.get("system"), n.get("value")) != (venue.system, venue.value)
    ]
    coding = {"system": IDENTIFIER_TYPE, "code": "VN"}
    number = {"type": {"coding": [coding]}, "system": venue.system, "value": venue.value}
    return [number, *others]


def _locations(stay: Stay) -> list[Resource]:
    rows = []
    for segment in stay.segments:
        finest = segment.place.finest
        if finest is None:
            continue
        status = "planned" if stay.expected else ("completed" if segment.end else "active")
        row: Resource = {"location": {"reference": f"Location/{finest}"}, "status": status}
        row["period"] = _period(segment.start, segment.end)
        rows.append(row)
    return rows


def _extensions(known: Resource, stay: Stay) -> list[Resource]:
    kept = [e for e in known.get("extension") or [] if e.get("url") not in {MEDICAL_UNIT, ANOMALY}]
    medical = stay.segments[-1].medical_unit if stay.segments else None
    told = [{"url": MEDICAL_UNIT, "valueString": medical}] if medical else []
    return [*kept, *told, *({"url": ANOMALY, "valueCode": a} for a in stay.anomalies)]


def _participant(attending: Attending) -> Resource:
    individual: Resource = {}
    if attending.name:
        individual["display"] = attending.name
    if attending.identifier:
        individual["identifier"] = {"value": attending.identifier}
        if attending.system:
            individual["identifier"]["system"] = attending.system
    coding = {"system": PARTICIPATION, "code": "ATND"}
    return {"type": [{"coding": [coding]}], "individual": individual}


def _period(start: datetime | None, end: datetime | None) -> Resource:
    period = {"start": start.isoformat()} if start else {}
    return period | ({"end": end.isoformat()} if end else {})


def ties_of(stay: Stay, establishments: dict[str, str]) -> list[Tie]:
    """Which units reach this patient because of this stay, and until when."""
    if stay.expected:
        unit, at = stay.place.unit, stay.expected_start
        if at is None or unit is None:
            return []
        home = establishments.get(unit, "")
        return [Tie("expected", at - EXPECTED_BEFORE, at + EXPECTED_AFTER, unit, home)]
    ties = []
    for segment in stay.segments:
        unit = segment.place.unit
        if unit is None:
            continue
        home = establishments.get(unit, "")
        ties.append(Tie("present", segment.start, segment.end, unit, home))
        if segment.end is not None:
            until = segment.end + RECENT_FOR
            ties.append(Tie("recent", segment.end, until, unit, home))
    return ties


def stay_row(encounter: Resource) -> dict[str, Any] | None:
    """What the board must know of an Encounter written as such; None without a patient."""
    subject = _id_in(encounter.get("subject"), "Patient")
    if not subject:
        return None
    period = encounter.get("period") or {}
    places = [row for row in encounter.get("location") or [] if row.get("status") != "reserved"]
    last = places[-1] if places else {}
    venue = _venue_of(encounter)
    people = [p.get("individual") or {} for p in encounter.get("participant") or []]
    ended = encounter.get("status") in {"finished", "cancelled", "entered-in-error"}
    return {
        "encounter": encounter["id"],
        "patient": subject,
        "venue_system": venue[0],
        "venue_value": venue[1],
        "status": _STATUS.get(encounter.get("status", ""), encounter.get("status", "unknown")),
        "class": (encounter.get("class") or {}).get("code", "IMP"),
        "unit": _id_in(encounter.get("serviceProvider"), "Organization"),
        "place": _id_in(last.get("location"), "Location"),
        "starts": _instant(period.get("start")),
        "ends": _instant(period.get("end")) or (_instant(period.get("start")) if ended else None),
        "since": _instant((last.get("period") or period).get("start")),
        "attending": next((str(p["display"]) for p in people if p.get("display")), ""),
    }


_STATUS = {"arrived": "in-progress", "triaged": "in-progress", "entered-in-error": "cancelled"}


def _venue_of(encounter: Resource) -> tuple[str, str]:
    for number in encounter.get("identifier") or []:
        codings = (number.get("type") or {}).get("coding") or []
        if number.get("value") and any(c.get("code") == "VN" for c in codings):
            return str(number.get("system", "")), str(number["value"])
    return "encounter", str(encounter["id"])


def _id_in(reference: Any, kind: str) -> str:
    text = str((reference or {}).get("reference", ""))
    return text.removeprefix(f"{kind}/") if text.startswith(f"{kind}/") else ""


def _instant(text: Any) -> str | None:
    """The first instant of a FHIR dateTime, in UTC; None when absent or unreadable."""
    if not isinstance(text, str) or len(text) < 4:
        return None
    whole = text if len(text) > 10 else f"{text}-01-01"[:10]
    try:
        at = datetime.fromisoformat(whole)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def ties_of_row(row: Any) -> list[Tie]:
    """The ties of a stay that came as an Encounter."""
    unit, home, starts, ends = row["unit"], row["establishment"], row["starts"], row["ends"]
    if not unit or starts is None or row["status"] in {"cancelled", "unknown"}:
        return []
    if row["status"] == "planned":
        return [Tie("expected", starts - EXPECTED_BEFORE, starts + EXPECTED_AFTER, unit, home)]
    present = Tie("present", starts, ends, unit, home)
    return [present] + ([Tie("recent", ends, ends + RECENT_FOR, unit, home)] if ends else [])
