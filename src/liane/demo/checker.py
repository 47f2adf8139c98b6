"""Is everything that was acknowledged in the record, once, and as it was last said?

Reads the ledger of a sender and asks the record through its FHIR door, person by person. Lost: an
acknowledged message whose content is not there. Doubled: there more than once. Different: there
with another value than the last one acknowledged.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from liane.demo.commands import doors_from, parser
from liane.demo.doors import Doors, FhirDoor
from liane.demo.ledger import Ledger, Line
from liane.demo.resources import LOINC, Resource

ACCEPTED = {"AA", "CA", "0000", "200"}
PLACING = {"A01", "A02", "A04", "A06"}
ASKED_AT_ONCE = 3
Who = tuple[str, str]
T = TypeVar("T")


@dataclass(slots=True)
class Findings:
    """What the comparison found."""

    acknowledged: int = 0
    unanswered: int = 0
    refused: int = 0
    checked: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled or changed."""
        return not (self.lost or self.doubled or self.different)

    def __str__(self) -> str:
        """A few lines for people."""
        told = ", ".join(f"{count} {what}" for what, count in sorted(self.checked.items()))
        answers = f"{self.acknowledged} acknowledged, {self.refused} refused"
        bad = f"{len(self.lost)} lost, {len(self.doubled)} doubled"
        lines = [
            f"check: {answers}, {self.unanswered} unanswered; compared: {told or 'nothing'}",
            f"check: {bad}, {len(self.different)} different",
        ]
        for name in ("lost", "doubled", "different"):
            lines += [f"  {name}: {one}" for one in getattr(self, name)[:10]]
        return "\n".join(lines)


@dataclass(slots=True)
class _Expected:
    """What one person's record must hold."""

    movements: list[Mapping[str, Any]] = field(default_factory=list)
    values: dict[tuple[str, str], str] = field(default_factory=dict)
    letters: set[str] = field(default_factory=set)


async def check(doors: Doors, lines: Iterable[Line]) -> Findings:
    """Compare the ledger's lines with the record."""
    findings = Findings()
    people: defaultdict[Who, _Expected] = defaultdict(_Expected)
    studies: dict[str, int] = {}
    written: set[str] = set()
    for line in lines:
        if not _counts(line, findings):
            continue
        _expect(line, people, studies, written)
    async with FhirDoor(doors, connections=ASKED_AT_ONCE) as fhir:
        await _each(people.items(), lambda item: _check_person(fhir, item[0], item[1], findings))
        await _each(studies.items(), lambda item: _check_study(fhir, item[0], item[1], findings))
        await _each(written, lambda one: _check_resource(fhir, one, findings))
    return findings


def _counts(line: Line, findings: Findings) -> bool:
    if line.code is None:
        findings.unanswered += 1
    elif line.code in ACCEPTED:
        findings.acknowledged += 1
        return True
    else:
        findings.refused += 1
    return False


def _expect(
    line: Line, people: Mapping[Who, _Expected], studies: dict[str, int], written: set[str]
) -> None:
    told = line.expects
    what = told.get("what")
    if what == "study":
        studies[told["study"]] = told["instances"]
    elif what == "resources":
        written.update(told["ids"])
    elif what in {"movement", "report", "letter"}:
        person = people[told["patient"][0], told["patient"][1]]
        if what == "movement":
            person.movements.append(told)
        elif what == "letter":
            person.letters.add(told["unique_id"])
        else:
            for loinc, value in told["values"].items():
                person.values[told["order"], loinc] = value


async def _each(items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    todo = iter(list(items))

    async def worker() -> None:
        for item in todo:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(ASKED_AT_ONCE):
            group.create_task(worker())


async def _check_person(fhir: FhirDoor, who: Who, expected: _Expected, findings: Findings) -> None:
    found = await fhir.search("Patient", identifier="|".join(who))
    findings.checked["people"] += 1
    if not _once(f"Patient {who[1]}", len(found), findings):
        return
    patient = found[0]["id"]
    if expected.movements:
        await _check_stays(fhir, expected.movements, findings)
    if expected.values:
        kept = await fhir.search(
            "Observation", patient=patient, category="laboratory", _count="500"
        )
        _check_values(who, expected.values, kept, findings)
    if expected.letters:
        letters = await fhir.search("DocumentReference", patient=patient, _count="200")
        _check_letters(expected.letters, letters, findings)


async def _check_stays(
    fhir: FhirDoor, movements: Sequence[Mapping[str, Any]], findings: Findings
) -> None:
    by_venue: defaultdict[Who, list[Mapping[str, Any]]] = defaultdict(list)
    for one in movements:
        by_venue[one["venue"][0], one["venue"][1]].append(one)
    for venue, told in by_venue.items():
        stays = await fhir.search("Encounter", identifier="|".join(venue))
        findings.checked["stays"] += 1
        if _once(f"Encounter {venue[1]}", len(stays), findings):
            _check_stay(venue[1], told, stays[0], findings)


def _check_stay(
    venue: str, told: Sequence[Mapping[str, Any]], stay: Resource, findings: Findings
) -> None:
    """Each movement that was not taken back is one stretch of the stay, in its place."""
    cancelled = {one["movement"] for one in told if one["action"] == "CANCEL"}
    alive = {one["movement"]: one for one in told if one["movement"] not in cancelled}
    ends = [one for one in alive.values() if one["event"] == "A03"]
    if ends and stay.get("status") != "finished":
        findings.lost.append(f"discharge of {venue}")
    places = Counter(
        (_seconds(row.get("period", {}).get("start", "")), row["location"]["reference"])
        for row in stay.get("location", ())
    )
    for one in alive.values():
        if one["event"] not in PLACING:
            continue
        findings.checked["movements"] += 1
        ward = one["unit"].replace("uf-", "loc-")
        place = f"Location/{one['bed'] or ward}"
        _once(
            f"movement {one['movement']} of {venue}", places[_seconds(one["at"]), place], findings
        )


def _seconds(text: str) -> str:
    """A UTC time to the second, whatever its way of writing UTC."""
    return text[:19]


def _check_values(
    who: Who,
    expected: Mapping[tuple[str, str], str],
    kept: Sequence[Resource],
    findings: Findings,
) -> None:
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for one in kept:
        order = _order(one)
        code = _loinc(one)
        if order and code and one.get("status") != "entered-in-error":
            found[order, code].append(str(one.get("valueQuantity", {}).get("value")))
    for (order, code), value in expected.items():
        findings.checked["values"] += 1
        name = f"{code} of order {order}, patient {who[1]}"
        values = found[order, code]
        if _once(name, len(values), findings) and float(values[0]) != float(value):
            findings.different.append(f"{name}: {values[0]}, sent {value}")


def _order(observation: Resource) -> str:
    """The laboratory's order number inside the business key `sender|order|code|sub-id`."""
    for identifier in observation.get("identifier", ()):
        if identifier.get("system") == "urn:liane:hl7v2:obx":
            parts = str(identifier["value"]).split("|")
            return parts[1] if len(parts) > 2 else ""
    return ""


def _loinc(observation: Resource) -> str:
    codings = observation.get("code", {}).get("coding", ())
    return next((str(one["code"]) for one in codings if one.get("system") == LOINC), "")


def _check_letters(
    expected: Iterable[str], letters: Sequence[Resource], findings: Findings
) -> None:
    kept = Counter(
        str(identifier.get("value", "")).removeprefix("urn:oid:")
        for letter in letters
        for identifier in [letter.get("masterIdentifier", {})]
    )
    for unique_id in expected:
        findings.checked["letters"] += 1
        _once(f"letter {unique_id}", kept[unique_id], findings)


async def _check_study(fhir: FhirDoor, study: str, instances: int, findings: Findings) -> None:
    found = await fhir.search("ImagingStudy", identifier=f"urn:dicom:uid|{study}")
    findings.checked["studies"] += 1
    if not _once(f"study {study}", len(found), findings):
        return
    kept = [
        one["uid"] for series in found[0].get("series", ()) for one in series.get("instance", ())
    ]
    if len(set(kept)) < instances:
        findings.lost.append(f"{instances - len(set(kept))} pictures of study {study}")
    if len(kept) > len(set(kept)):
        findings.doubled.append(f"{len(kept) - len(set(kept))} pictures of study {study}")


async def _check_resource(fhir: FhirDoor, place: str, findings: Findings) -> None:
    kind, _, identifier = place.partition("/")
    findings.checked["resources"] += 1
    if await fhir.read(kind, identifier) is None:
        findings.lost.append(place)


def _once(name: str, times: int, findings: Findings) -> bool:
    """Whether it is there exactly once; otherwise a finding."""
    if times == 0:
        findings.lost.append(name)
    elif times > 1:
        findings.doubled.append(f"{name} ({times} times)")
    return times == 1


def main() -> int:
    """`python -m liane.demo.checker --ledger FILE`: status 0 when nothing is lost or doubled."""
    given = parser("Compare what was acknowledged with what the record holds.").parse_args()
    ledger = Ledger(given.ledger)
    findings = asyncio.run(check(doors_from(given), list(ledger.lines())))
    print(findings)
    return 0 if findings.clean else 1


if __name__ == "__main__":
    sys.exit(main())
