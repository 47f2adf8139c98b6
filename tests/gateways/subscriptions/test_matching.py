"""A filter means what the same search means."""

from __future__ import annotations

from typing import Any

import pytest

from liane.base.errors import Invalid
from liane.gateways.subscriptions.criteria import parse
from liane.gateways.subscriptions.matching import Happening, Subject, fires, holds
from liane.gateways.subscriptions.model import Trigger
from liane.store import Database, search
from liane.store.resources import put

RESULT: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o1",
    "meta": {"profile": ["http://a.example/profile"], "tag": [{"system": "urn:t", "code": "x"}]},
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2026-03-04T10:00:00+01:00",
    "valueQuantity": {"value": 5.4, "system": "http://unitsofmeasure.org", "code": "mmol/L"},
}
PERSON: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [{"system": "urn:ipp", "value": "7"}],
    "name": [{"family": "Lefèvre", "given": ["Zoé"]}],
    "birthDate": "1980-05",
    "generalPractitioner": [{"identifier": {"system": "urn:rpps", "value": "81"}}],
}
TRUE = (
    (RESULT, "code=2823-3"),
    (RESULT, "code=http://loinc.org|2823-3"),
    (RESULT, "code=http://loinc.org|"),
    (RESULT, "code=1,2823-3"),
    (RESULT, "code:not=1-1"),
    (RESULT, "combo-code=2823-3"),
    (RESULT, "subject=Patient/p1"),
    (RESULT, "patient=p1"),
    (RESULT, "subject:Patient=p1"),
    (RESULT, "date=2026-03-04"),
    (RESULT, "date=ge2026-03&date=lt2026-04"),
    (RESULT, "date=sa2026-03-03"),
    (RESULT, "value-quantity=5.4"),
    (RESULT, "value-quantity=5"),
    (RESULT, "value-quantity=gt5|http://unitsofmeasure.org|mmol/L"),
    (RESULT, "value-quantity=5.4||mmol/L"),
    (RESULT, "value-quantity=ap5"),
    (RESULT, "code-value-quantity=http://loinc.org|2823-3$gt5"),
    (RESULT, "method:missing=true"),
    (RESULT, "_id=o1"),
    (RESULT, "_profile=http://a.example/profile"),
    (RESULT, "_tag=urn:t|x"),
    (RESULT, "status=final&code=2823-3"),
    (PERSON, "family=lefe"),
    (PERSON, "family:exact=Lefèvre"),
    (PERSON, "family:contains=EVR"),
    (PERSON, "identifier=urn:ipp|7"),
    (PERSON, "birthdate=1980-05"),
    (PERSON, "birthdate=lt1981"),
    (PERSON, "general-practitioner:identifier=urn:rpps|81"),
)
FALSE = (
    (RESULT, "code=2823"),
    (RESULT, "code=|2823-3"),
    (RESULT, "code=http://snomed.info/sct|2823-3"),
    (RESULT, "code:not=2823-3"),
    (RESULT, "subject=Patient/p2"),
    (RESULT, "date=2026-03-05"),
    (RESULT, "date=gt2026-03-04T10:00:01%2B01:00"),
    (RESULT, "value-quantity=5.0"),
    (RESULT, "value-quantity=5.4||g"),
    (RESULT, "value-quantity=lt5.4"),
    (RESULT, "code-value-quantity=http://loinc.org|2823-3$gt6"),
    (RESULT, "method:missing=false"),
    (RESULT, "status=final&code=1-1"),
    (PERSON, "family=fevre"),
    (PERSON, "family:exact=lefèvre"),
    (PERSON, "birthdate=1980-06"),
)


@pytest.mark.parametrize(("resource", "text"), TRUE)
def test_what_a_filter_lets_pass(resource: dict[str, Any], text: str) -> None:
    assert holds(parse(text, type_=resource["resourceType"]), Subject(resource))


@pytest.mark.parametrize(("resource", "text"), FALSE)
def test_what_a_filter_holds_back(resource: dict[str, Any], text: str) -> None:
    assert not holds(parse(text, type_=resource["resourceType"]), Subject(resource))


async def test_the_search_finds_the_same(database: Database) -> None:
    async with database.transaction() as tx:
        for resource in (RESULT, PERSON):
            await put(tx, resource)
    differing = []
    async with database.reading() as tx:
        for resource, text in (*TRUE, *FALSE):
            items = [tuple(part.split("=", 1)) for part in text.replace("%2B", "+").split("&")]
            page = await search.run(tx, search.parse_query(resource["resourceType"], items))
            if bool(page.versions) != ((resource, text) in TRUE):
                differing.append(text)
    assert differing == []


def test_a_filter_on_the_record_is_refused_with_what_is_accepted() -> None:
    for text in ("subject.name=a", "_has:Group:member:_id=1", "code:in=http://x", "code:text=a"):
        with pytest.raises(Invalid) as refusal:
            parse(text, type_="Observation")
        assert "Accept" in refusal.value.en, text


def stay(status: str) -> Subject:
    return Subject({"resourceType": "Encounter", "id": "e", "status": status})


@pytest.mark.parametrize(
    ("both", "action", "before", "after", "fired"),
    [
        (True, "create", None, "finished", True),
        (True, "create", None, "planned", False),
        (True, "update", "planned", "finished", True),
        (True, "update", "finished", "finished", False),
        (True, "delete", "planned", None, False),
        (False, "update", "finished", "finished", True),
        (False, "update", "planned", "planned", True),
        (False, "update", "finished", "planned", False),
    ],
)
def test_a_trigger_compares_two_versions(
    both: bool, action: Any, before: str | None, after: str | None, fired: bool
) -> None:
    trigger = Trigger(
        "Encounter",
        previous=parse("status:not=finished", type_="Encounter"),
        current=parse("status=finished", type_="Encounter"),
        both=both,
    )
    happening = Happening(
        action, "Encounter", stay(after) if after else None, stay(before) if before else None
    )
    assert fires(trigger, happening) is fired
