"""Small invented resources for the tests of the record: one patient, one stay, their values."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

Resource = dict[str, Any]
LOINC = "http://loinc.org"
LAB = "laboratory"
VITALS = "vital-signs"


def patient(name: str = "dubreuil", **changes: Any) -> Resource:
    return {
        "resourceType": "Patient",
        "id": name,
        "extension": [
            {"url": "https://liane.example/fhir/identity-status", "valueCode": "qualifiee"}
        ],
        "identifier": [
            {
                "system": "urn:oid:1.2.250.1.999.1.1",
                "value": "0004812337",
                "type": {"coding": [{"code": "PI"}]},
            },
            {
                "system": "urn:oid:1.2.250.1.213.1.4.10",
                "value": "248037512345612",
                "type": {"coding": [{"code": "INS-NIR-TEST"}]},
            },
        ],
        "name": [
            {"use": "official", "family": "DUBREUIL", "given": ["Jeanne"]},
            {"use": "usual", "family": "MOREL", "given": ["Jeanne"]},
        ],
        "gender": "female",
        "birthDate": "1948-03-14",
        **changes,
    }


def observation(
    name: str,
    who: str,
    code: str,
    label: str,
    value: str,
    unit: str,
    at: datetime,
    *,
    category: str = LAB,
    flag: str = "",
    low: str | None = None,
    high: str | None = None,
    method: str = "",
    status: str = "final",
) -> Resource:
    resource: Resource = {
        "resourceType": "Observation",
        "id": name,
        "status": status,
        "category": [{"coding": [{"code": category}]}],
        "code": {"coding": [{"system": LOINC, "code": code}], "text": label},
        "subject": {"reference": f"Patient/{who}"},
        "effectiveDateTime": at.isoformat(),
        "valueQuantity": {"value": Decimal(value), "unit": unit},
    }
    if flag:
        resource["interpretation"] = [{"coding": [{"code": flag}]}]
    if method:
        resource["method"] = {"text": method}
    if low is not None or high is not None:
        limits: Resource = {}
        if low is not None:
            limits["low"] = {"value": Decimal(low), "unit": unit}
        if high is not None:
            limits["high"] = {"value": Decimal(high), "unit": unit}
        resource["referenceRange"] = [limits]
    return resource


def sign(
    name: str, who: str, code: str, value: str, unit: str, at: datetime, **more: Any
) -> Resource:
    return observation(name, who, code, code, value, unit, at, category=VITALS, **more)


def pressure(name: str, who: str, high: str, low: str, at: datetime) -> Resource:
    def part(code: str, value: str) -> Resource:
        return {
            "code": {"coding": [{"system": LOINC, "code": code}]},
            "valueQuantity": {"value": Decimal(value), "unit": "mmHg"},
        }

    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "category": [{"coding": [{"code": VITALS}]}],
        "code": {"coding": [{"system": LOINC, "code": "85354-9"}]},
        "subject": {"reference": f"Patient/{who}"},
        "effectiveDateTime": at.isoformat(),
        "component": [part("8480-6", high), part("8462-4", low)],
    }


def consciousness(name: str, who: str, letter: str, at: datetime) -> Resource:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "category": [{"coding": [{"code": VITALS}]}],
        "code": {"coding": [{"system": LOINC, "code": "67775-7"}]},
        "subject": {"reference": f"Patient/{who}"},
        "effectiveDateTime": at.isoformat(),
        "valueCodeableConcept": {"text": letter},
    }


def a_round(who: str, key: str, at: datetime, **v: str) -> list[Resource]:
    """One charted round: fc, pas, pad, t, spo2, fr, o2, conscience."""
    return [
        sign(f"{key}-fc", who, "8867-4", v["fc"], "/min", at),
        pressure(f"{key}-pa", who, v["pas"], v["pad"], at),
        sign(f"{key}-t", who, "8310-5", v["t"], "°C", at),
        sign(f"{key}-sp", who, "59408-5", v["spo2"], "%", at),
        sign(f"{key}-fr", who, "9279-1", v["fr"], "/min", at),
        sign(f"{key}-o2", who, "3151-8", v.get("o2", "0"), "L/min", at),
        consciousness(f"{key}-co", who, v.get("conscience", "A"), at),
    ]


def _worse(hours: float) -> float:
    return 1 / (1 + math.exp(-(hours - 66) / 4))


def _subject(kind: str, name: str, who: str, **more: Any) -> Resource:
    return {"resourceType": kind, "id": name, "subject": {"reference": f"Patient/{who}"}, **more}


def stay(who: str, start: datetime) -> Resource:
    def place(label: str, begins: float, ends: float | None) -> Resource:
        period = {"start": (start + timedelta(hours=begins)).isoformat()}
        if ends is not None:
            period["end"] = (start + timedelta(hours=ends)).isoformat()
        return {"location": {"display": label}, "period": period}

    return _subject(
        "Encounter",
        f"{who}-stay",
        who,
        status="in-progress",
        **{"class": {"code": "IMP"}},
        identifier=[{"system": "urn:oid:1.2.250.1.999.2.1", "value": "25118204"}],
        serviceProvider={"display": "Médecine interne"},
        period={"start": start.isoformat()},
        location=[
            place("Urgences", 0, 6.6),
            place("UHCD", 6.6, 28),
            place("Médecine interne · 312-1", 28, None),
        ],
    )


def laboratory(who: str, start: datetime) -> list[Resource]:
    """Six samples of four analyses, one of them corrected, and a creatinine in another unit."""
    rows: list[tuple[str, str, str, str | None, str, list[tuple[float, str, str]]]] = [
        ("1988-5", "CRP", "mg/L", None, "5", [(1, "96", "H"), (13, "82", "H"), (25, "54", "H"), (37, "41", "H"), (49, "48", "H"), (67, "184", "HH")]),
        ("14682-9", "Créatinine", "µmol/L", "45", "90", [(13, "84", ""), (25, "80", ""), (37, "82", ""), (49, "91", "H"), (67, "132", "H")]),
        ("718-7", "Hémoglobine", "g/dL", "11.5", "16.0", [(1, "12.1", ""), (13, "11.8", ""), (25, "11.6", ""), (49, "11.2", "L"), (67, "10.9", "L")]),
        ("2823-3", "Kaliémie", "mmol/L", "3.5", "5.1", [(1, "3.4", "L"), (13, "3.6", ""), (25, "3.9", ""), (37, "4.0", ""), (49, "4.2", ""), (67, "4.1", "")]),
        ("2951-2", "Natrémie", "mmol/L", "136", "145", [(1, "133", "L"), (25, "137", ""), (67, "139", "")]),
        ("6690-2", "Leucocytes", "G/L", "4.0", "10.0", [(1, "14.20", "H"), (25, "10.60", "H"), (67, "17.80", "H")]),
        ("777-3", "Plaquettes", "G/L", "150", "400", [(1, "312", ""), (67, "140", "L")]),
    ]  # fmt: skip
    found = [
        observation(f"{who}-{code}-{n}", who, code, label, value, unit,
                    start + timedelta(hours=hours), flag=flag, low=low, high=high)
        for code, label, unit, low, high, points in rows
        for n, (hours, value, flag) in enumerate(points)
    ]  # fmt: skip
    found.append(
        observation(f"{who}-crea-mg", who, "14682-9", "Créatinine", "10.0", "mg/L",
                    start + timedelta(hours=1), low="5.0", high="10.2", method="Jaffé")
    )  # fmt: skip
    found.append(
        observation(f"{who}-lact", who, "14118-4", "Lactate", "2.6", "mmol/L",
                    start + timedelta(hours=67), low="0.5", high="2.2", method="Gaz du sang")
    )  # fmt: skip
    text = observation(
        f"{who}-hemoc",
        who,
        "600-7",
        "Hémocultures",
        "0",
        "",
        start + timedelta(hours=70),
        flag="AA",
    )
    del text["valueQuantity"]
    text["valueString"] = "Cocci à Gram négatif à l’examen direct"
    return [*found, text]


def report(
    name: str, who: str, label: str, results: list[str], at: datetime, **more: Any
) -> Resource:
    return _subject(
        "DiagnosticReport",
        name,
        who,
        status="final",
        category=[{"coding": [{"code": "LAB"}]}],
        code={"text": label},
        effectiveDateTime=at.isoformat(),
        issued=at.isoformat(),
        performer=[{"display": "Laboratoire CHU"}],
        result=[{"reference": f"Observation/{one}"} for one in results],
        **more,
    )


def story(now: datetime, who: str = "dubreuil") -> list[Resource]:
    """A stay of three days that goes wrong in the last hours, as a whole record would hold it."""
    start = now - timedelta(hours=72)

    def at(hours: float) -> datetime:
        return start + timedelta(hours=hours)

    found: list[Resource] = [patient(who), stay(who, start)]
    hours = [0.3, 3, 6, 11, 15, 19, 23, 27, 31, 35, 39, 43, 47, 51, 55, 59, 63, 66, 67.6, 70, 71.8]
    for n, h in enumerate(hours):
        up = _worse(h)
        found += a_round(
            who, f"{who}-r{n}", at(h),
            fc=f"{88 - 10 * math.exp(-h / 10) + 26 * up:.0f}", pas=f"{126 - 29 * up:.0f}", pad=f"{70 - 14 * up:.0f}",
            t=f"{37.1 + 1.0 * math.exp(-h / 9) + 1.9 * up:.1f}", spo2=f"{97 - 3 * up:.0f}", fr=f"{16 + 8 * up:.0f}",
            o2="2" if h > 65 else "0",
        )  # fmt: skip
    found.append(
        sign(f"{who}-fc-device", who, "8867-4", "112", "/min", at(71.97), status="preliminary")
    )
    found.append(sign(f"{who}-weight", who, "29463-7", "61", "kg", at(48)))
    labs = laboratory(who, start)
    found += labs
    last = [r["id"] for r in labs if r["effectiveDateTime"] == at(67).isoformat()]
    found.append(report(f"{who}-ionogram", who, "Biochimie, numération", last, at(67)))
    found.append(report(f"{who}-culture", who, "Hémocultures", [f"{who}-hemoc"], at(70)))
    found += allergies(who)
    found += [
        _subject("Flag", f"{who}-flag{n}", who, status="active", code={"text": text})
        for n, text in enumerate(("Précautions contact · BMR", "Risque de chute"))
    ]
    found += treatments(who, at)
    found += letters(who, at)
    for n, (h, label, kind, count) in enumerate(
        (
            (2, "Thorax de face", "CR", 2),
            (30, "Écho rénale", "US", 24),
            (71, "TDM abdomino-pelvien", "CT", 412),
        )
    ):
        found.append(_subject("ImagingStudy", f"{who}-study{n}", who, status="available", started=at(h).isoformat(),
                              description=label, modality=[{"code": kind}], numberOfInstances=count,
                              numberOfSeries=1, series=[{"uid": f"1.2.3.{n}", "modality": {"code": kind}}]))  # fmt: skip
    return found


def allergies(who: str) -> list[Resource]:
    def one(
        name: str, substance: str, reaction: str, severity: str, year: str, status: str
    ) -> Resource:
        return {
            "resourceType": "AllergyIntolerance",
            "id": name,
            "patient": {"reference": f"Patient/{who}"},
            "clinicalStatus": {"coding": [{"code": "active"}]},
            "verificationStatus": {"coding": [{"code": status}]},
            "criticality": "high" if severity == "severe" else "low",
            "code": {"coding": [{"system": "urn:x", "code": name}], "text": substance},
            "onsetDateTime": year,
            "reaction": [{"manifestation": [{"text": reaction}], "severity": severity}],
        }

    return [
        one(f"{who}-amox", "amoxicilline", "anaphylaxie", "severe", "2016", "confirmed"),
        one(f"{who}-iode", "iobitridol", "exanthème", "mild", "2019", "unconfirmed"),
    ]


def treatments(who: str, at: Any) -> list[Resource]:
    def one(
        name: str, drug: str, dose: str, begins: float, ends: float | None, status: str = "active"
    ) -> Resource:
        bounds = {"start": at(begins).isoformat()}
        if ends is not None:
            bounds["end"] = at(ends).isoformat()
        return _subject("MedicationRequest", f"{who}-{name}", who, status=status, intent="order",
                        medicationCodeableConcept={"text": drug}, authoredOn=at(begins).isoformat(),
                        dosageInstruction=[{"text": dose, "timing": {"repeat": {"boundsPeriod": bounds}}}])  # fmt: skip

    return [
        one("para", "Paracétamol", "1 g × 3/j PO", 3, None),
        one("ceft", "Ceftriaxone", "2 g/j IV", 5, 96),
        one("enox", "Énoxaparine", "4 000 UI/j SC", 28, None),
        one("amx", "Amoxicilline", "arrêtée : allergie", 0.6, 26, "stopped"),
    ]


def letters(who: str, at: Any) -> list[Resource]:
    def one(n: int, h: float, title: str, words: str, author: str) -> Resource:
        return _subject("DocumentReference", f"{who}-doc{n}", who, status="current", date=at(h).isoformat(),
                        type={"text": title}, description=title, author=[{"display": author}],
                        text={"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{words}</div>'},
                        content=[{"attachment": {"contentType": "text/plain", "title": title}}])  # fmt: skip

    def care(n: int, h: float, text: str) -> Resource:
        return _subject("Procedure", f"{who}-act{n}", who, status="completed", code={"text": text},
                        performedDateTime=at(h).isoformat())  # fmt: skip

    return [
        one(0, 4, "Observation médicale", "Pyélonéphrite aiguë droite, fièvre à 39,2. Pas de signe de gravité.", "Dr Nadia Haddad"),
        one(1, 52, "Avis infectiologie", "Hémocultures en attente. Poursuivre la ceftriaxone, contrôle de la créatinine.", "Dr Paul Lemaire"),
        care(0, 1, "IOA"),
        care(1, 29, "Macrocible d’entrée"),
        care(2, 43, "Pansement"),
        care(3, 66, "Cible : fièvre"),
        _subject("Condition", f"{who}-cond", who, clinicalStatus={"coding": [{"code": "active"}]},
                 code={"text": "Pyélonéphrite aiguë"}, onsetDateTime=at(0).isoformat(), recordedDate=at(1).isoformat()),
        _subject("Condition", f"{who}-cond2", who, clinicalStatus={"coding": [{"code": "active"}]},
                 code={"text": "Hypertension artérielle"}, onsetDateTime="2009"),
    ]  # fmt: skip
