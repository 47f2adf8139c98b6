"""How do the lines of a CSV file become identities, results, problems, allergies or documents?"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from liane.base.errors import Invalid, LianeError, Unavailable
from liane.base.ids import stable_id
from liane.base.text import visible
from liane.fhir.dates import ZONE
from liane.importing import loose_files
from liane.importing.house import House, known_patient, present
from liane.importing.mapping import CsvRule
from liane.importing.report import Tally
from liane.rooms import patients, record
from liane.rooms.patients import Identifier
from liane.store import Tx
from liane.store.resources import Write
from liane.store.versions import whole_milliseconds

LIMIT_LINE_CHARACTERS = 200_000
_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
_INS = "urn:oid:1.2.250.1.213.1.4.8"
_GENDERS = {"F": "female", "M": "male", "H": "male", "1": "male", "2": "female"}
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_ALLERGY = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
Line = dict[str, str]


async def bring(house: House, path: Path, data: bytes, tally: Tally) -> None:
    """Every line of one file, by the rule whose `files` fits its name."""
    rule = next((r for r in house.mapping.csv if fnmatch(path.name, r.files)), None)
    if rule is None:
        tally.refuse("", "aucune règle [[csv]] de la correspondance ne vise ce fichier")
        return
    for number, line in _lines(rule, data):
        try:
            await _line(house, rule, path, line, tally)
        except Unavailable:
            raise
        except LianeError as problem:
            tally.refuse(f"ligne {number}", problem.fr)


def _lines(rule: CsvRule, data: bytes) -> Iterator[tuple[int, Line]]:
    """Line numbers, and values by the words of the mapping. Raises `Invalid`."""
    csv.field_size_limit(LIMIT_LINE_CHARACTERS)
    try:
        text = data.decode(rule.encoding)
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=rule.delimiter)
        missing = sorted(set(rule.columns.values()) - set(reader.fieldnames or ()))
        if missing:
            raise _bad(f"colonne absente : {missing[0]}", f"column missing: {missing[0]}")
        for row in reader:
            line = {word: visible(row[name] or "").strip() for word, name in rule.columns.items()}
            for word, table in rule.values.items():
                line[word] = table.get(line.get(word, ""), line.get(word, ""))
            yield reader.line_num, line
    except (UnicodeDecodeError, LookupError, csv.Error, TypeError) as problem:
        raise _bad(f"fichier illisible ({problem})", f"unreadable file ({problem})") from None


async def _line(house: House, rule: CsvRule, path: Path, line: Line, tally: Tally) -> None:
    if rule.holds == "documents":
        await _document(house, rule, path, line, tally)
        return
    async with house.services.database.transaction() as tx:
        if rule.holds == "patients":
            await _identity(house, rule, tx, line, tally)
            return
        number = Identifier(
            house.mapping.identifier_system, line["patient"], house.mapping.identifier_type
        )
        patient = await known_patient(tx, [number])
        resource = _MAKERS[rule.holds](rule, line)
        type_ = resource["resourceType"]
        key = line.get("number") or repr(sorted(line.items()))
        resource["id"] = stable_id(type_, patient, "import", rule.holds, key)
        subject = "patient" if type_ == "AllergyIntolerance" else "subject"
        resource[subject] = {"reference": f"Patient/{patient}"}
        wish = Write(resource, id=resource["id"])
        (version,) = await record.write_resources(tx, house.actor, [wish], reason="import CSV")
        if version.updated >= whole_milliseconds(tx.now):
            tally.stored[type_] += 1
        else:
            tally.skipped += 1


async def _identity(house: House, rule: CsvRule, tx: Tx, line: Line, tally: Tally) -> None:
    mapping = house.mapping
    numbers = [_number(mapping.identifier_system, line["patient"], mapping.identifier_type)]
    if line.get("ins"):
        numbers.append(_number(_INS, line["ins"], "INS-NIR"))
    born = _date(rule, line["birth_date"])
    made = await patients.register_identity(
        tx,
        house.actor,
        present(
            {
                "resourceType": "Patient",
                "identifier": numbers,
                "name": _names(line),
                "gender": line.get("gender", "")
                if line.get("gender") in {"male", "female", "other", "unknown"}
                else _GENDERS.get(line.get("gender", "")[:1].upper()),
                "birthDate": born.isoformat() if born else None,
                "address": _address(line),
                "telecom": [{"system": "phone", "value": line["phone"]}]
                if line.get("phone")
                else None,
            }
        ),
        source="import CSV",
        at=tx.now,
    )
    if made.created:
        tally.stored["Patient"] += 1
    else:
        tally.skipped += 1


def _number(system: str, value: str, type_: str) -> dict[str, Any]:
    if not value:
        raise _bad("numéro de patient vide", "empty patient number")
    return {
        "system": system,
        "value": value,
        "type": {"coding": [{"system": _TYPES, "code": type_}]},
    }


def _names(line: Line) -> list[dict[str, Any]]:
    given = line.get("given", "").split()
    names = [present({"use": "official", "family": line["family"], "given": given})]
    if line.get("used_family"):
        used = {"use": "usual", "family": line["used_family"], "given": given[:1]}
        names.append(present(used))
    return names


def _address(line: Line) -> list[dict[str, Any]] | None:
    lines = [line["line"]] if line.get("line") else None
    told = {"line": lines, "postalCode": line.get("postal_code"), "city": line.get("city")}
    made = present(told)
    return [made] if made else None


def _result(rule: CsvRule, line: Line) -> dict[str, Any]:
    return present(
        {
            "resourceType": "Observation",
            "status": "final",
            "category": [{"coding": [{"system": _CATEGORY, "code": "laboratory"}]}],
            "code": _concept(rule, line),
            "effectiveDateTime": _moment(rule, line["date"]),
            **_measured(line),
            "interpretation": [{"text": line["abnormal"]}] if line.get("abnormal") else None,
            "referenceRange": _range(line),
        }
    )


def _measured(line: Line) -> dict[str, Any]:
    """A number with its unit, or the words as they stand; never a guess."""
    number = _decimal(line["value"])
    if number is None:
        return {"valueString": line["value"]}
    return {"valueQuantity": present({"value": number, "unit": line.get("unit")})}


def _range(line: Line) -> list[dict[str, Any]] | None:
    ends = {name: _decimal(line.get(name, "")) for name in ("low", "high")}
    unit = line.get("unit")
    made = {
        name: present({"value": value, "unit": unit})
        for name, value in ends.items()
        if value is not None
    }
    return [made] if made else None


def _condition(rule: CsvRule, line: Line) -> dict[str, Any]:
    ended = _date(rule, line.get("ended", ""))
    started = _date(rule, line.get("date", ""))
    state = "resolved" if ended else "active"
    return present(
        {
            "resourceType": "Condition",
            "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": state}]},
            "code": _concept(rule, line),
            "onsetDateTime": started.isoformat() if started else None,
            "abatementDateTime": ended.isoformat() if ended else None,
        }
    )


def _allergy(rule: CsvRule, line: Line) -> dict[str, Any]:
    told = _date(rule, line.get("date", ""))
    level = line.get("criticality", "")
    return present(
        {
            "resourceType": "AllergyIntolerance",
            "clinicalStatus": {"coding": [{"system": _ALLERGY, "code": "active"}]},
            "code": {"text": line["label"]},
            "criticality": level if level in {"low", "high", "unable-to-assess"} else None,
            "recordedDate": told.isoformat() if told else None,
        }
    )


_MAKERS: dict[str, Callable[[CsvRule, Line], dict[str, Any]]] = {
    "results": _result,
    "conditions": _condition,
    "allergies": _allergy,
}


async def _document(house: House, rule: CsvRule, path: Path, line: Line, tally: Tally) -> None:
    named = Path(line["file"].replace("\\", "/"))
    if named.is_absolute() or ".." in named.parts:
        raise _bad("chemin de fichier interdit", "forbidden file path")
    told = _date(rule, line.get("date", ""))
    card = loose_files.Card(
        patient=line["patient"],
        title=line["title"],
        date=told,
        number=line.get("number", ""),
        type=line.get("type", ""),
    )
    await loose_files.file_one(house, path.parent / named, card, tally)


def _concept(rule: CsvRule, line: Line) -> dict[str, Any]:
    coding = present({"system": rule.code_system, "code": line.get("code")})
    return present({"coding": [coding] if line.get("code") else None, "text": line["label"]})


def _date(rule: CsvRule, text: str) -> date | None:
    if not text:
        return None
    return _parsed(rule, text).date()


def _moment(rule: CsvRule, text: str) -> str:
    """A day, or a time of the hospital's zone when the form has an hour."""
    at = _parsed(rule, text)
    if "%H" not in rule.date_form:
        return at.date().isoformat()
    return at.replace(tzinfo=ZONE).isoformat()


def _parsed(rule: CsvRule, text: str) -> datetime:
    try:
        return datetime.strptime(text, rule.date_form)  # noqa: DTZ007 - the zone is set above
    except ValueError:
        raise _bad(f"date illisible : {text[:30]}", f"unreadable date: {text[:30]}") from None


def _decimal(text: str) -> Decimal | None:
    try:
        number = Decimal(text.replace(",", ".").replace(" ", ""))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _bad(french: str, english: str) -> Invalid:
    return Invalid("import.csv", french, english)
