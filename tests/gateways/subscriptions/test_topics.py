"""Topics: what is said to be offered can be subscribed to, and fires when it should."""

from __future__ import annotations

from typing import Any

import pytest

from liane.gateways.subscriptions import topics
from liane.gateways.subscriptions.matching import Happening, Subject, fires
from liane.gateways.subscriptions.paths import path_holds
from tests.gateways.fhir.conftest import Fhir
from tests.gateways.subscriptions.conftest import OURS, PROFILE, Receiver, wish
from tests.gateways.subscriptions.test_rest_hook import active

FAR, NEAR = {"coding": [{"code": "HH"}]}, {"coding": [{"code": "N"}]}

# topic, type, the version before (None: created), the new one (None: deleted), whether it fires
STEPS: tuple[tuple[str, str, dict[str, Any] | None, dict[str, Any] | None, bool], ...] = (
    ("admission", "Encounter", None, {"status": "in-progress"}, True),
    ("admission", "Encounter", {"status": "planned"}, {"status": "in-progress"}, True),
    ("admission", "Encounter", {"status": "in-progress"}, {"status": "in-progress"}, False),
    ("discharge", "Encounter", {"status": "in-progress"}, {"status": "finished"}, True),
    ("discharge", "Encounter", {"status": "finished"}, None, False),
    ("transfer", "Encounter", {"status": "in-progress"}, {"status": "in-progress"}, True),
    ("transfer", "Encounter", {"status": "planned"}, {"status": "in-progress"}, False),
    ("report-issued", "DiagnosticReport", None, {"status": "final"}, True),
    ("report-issued", "DiagnosticReport", {"status": "partial"}, {"status": "final"}, True),
    ("report-issued", "DiagnosticReport", {"status": "final"}, {"status": "final"}, False),
    ("report-issued", "DiagnosticReport", {"status": "final"}, {"status": "amended"}, True),
    ("report-issued", "DiagnosticReport", None, {"status": "partial"}, False),
    ("result-critical", "Observation", None, {"interpretation": [FAR]}, True),
    ("result-critical", "Observation", {"interpretation": [NEAR]}, {"interpretation": [FAR]}, True),
    ("result-critical", "Observation", {"interpretation": [FAR]}, {"interpretation": [FAR]}, False),
    ("result-critical", "Observation", None, {"interpretation": [NEAR]}, False),
    ("document-filed", "DocumentReference", None, {"status": "current"}, True),
    ("document-filed", "DocumentReference", None, {"status": "superseded"}, False),
    ("prescription", "MedicationRequest", {"status": "active"}, None, True),
    ("order-placed", "ServiceRequest", {"status": "draft"}, {"status": "active"}, True),
    ("order-placed", "ServiceRequest", {"status": "active"}, {"status": "active"}, False),
    ("appointment", "Appointment", None, {"status": "booked"}, True),
    ("identity", "Patient", {}, {}, True),
    ("Basic", "Basic", None, {}, True),
    ("Basic", "Patient", None, {}, False),
)  # fmt: skip


@pytest.mark.unit
@pytest.mark.parametrize(("name", "type_", "before", "after", "fired"), STEPS)
def test_a_topic_fires_at_its_step(
    name: str,
    type_: str,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    fired: bool,
) -> None:
    def subject(parts: dict[str, Any] | None) -> Subject | None:
        return None if parts is None else Subject({"resourceType": type_, "id": "x", **parts})

    topic = topics.built_in(topics.OURS + name)
    assert topic is not None
    action: Any = "create" if before is None else "delete" if after is None else "update"
    happening = Happening(action, type_, subject(after), subject(before))
    assert any(fires(one, happening, path_holds) for one in topic.triggers) is fired


@pytest.mark.unit
def test_every_clinical_topic_is_tried_above_and_told_as_a_basic_that_reads_the_same() -> None:
    assert {topic.url for topic in topics.clinical()} <= {topics.OURS + one[0] for one in STEPS}
    for topic in topics.clinical():
        basic = topics.to_basic(topic)
        url = next(e for e in basic["extension"] if e["url"].endswith(".url"))
        url["valueUri"] = "http://copy.example/topic"
        copied = topics.from_basic(basic)
        assert copied is not None
        assert copied.triggers == topic.triggers


async def test_every_topic_of_the_capability_statement_can_be_subscribed_to(fhir: Fhir) -> None:
    said = (await fhir("GET", "/metadata", token="")).json()["rest"][0]
    assert said["extension"][0]["valueUri"] == "ws://127.0.0.1:8000/fhir/ws"
    (subscription,) = [one for one in said["resource"] if one["type"] == "Subscription"]
    url = f"{PROFILE}/capabilitystatement-subscriptiontopic-canonical"
    offered = [one["valueCanonical"] for one in subscription["extension"] if one["url"] == url]
    assert len(offered) > 150
    entries = [
        {
            "resource": wish("http://127.0.0.1:9/", topic),
            "request": {"method": "POST", "url": "Subscription"},
        }
        for topic in offered
    ]
    body = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    answer = await fhir("POST", "", body)
    assert answer.status_code == 200, answer.text[:1000]
    assert {one["response"]["status"][:3] for one in answer.json()["entry"]} == {"201"}


def written(**changes: Any) -> dict[str, Any]:
    head = "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic."
    trigger = [
        {"url": "resource", "valueUri": "http://hl7.org/fhir/StructureDefinition/Encounter"},
        {"url": "supportedInteraction", "valueCode": "create"},
    ]
    return {
        "resourceType": "Basic",
        "id": "topic-1",
        "code": {
            "coding": [{"system": "http://hl7.org/fhir/fhir-types", "code": "SubscriptionTopic"}]
        },
        "extension": [
            {"url": head + "url", "valueUri": "http://chu.example/topic"},
            {"url": head + "resourceTrigger", "extension": trigger},
            {
                "url": head + "canFilterBy",
                "extension": [{"url": "filterParameter", "valueString": "status"}],
            },
            {
                "url": head + "notificationShape",
                "extension": [{"url": "include", "valueString": "Encounter:subject"}],
            },
        ],
        **changes,
    }


async def test_a_topic_written_by_a_program_is_served_with_its_context(
    fhir: Fhir, receiver: Receiver, worker: None
) -> None:
    assert (await fhir("PUT", "/Basic/topic-1", written())).status_code == 201
    topic = "http://chu.example/topic"
    refused = await fhir(
        "POST", "/Subscription", wish(receiver.url, topic, filters=("Encounter?class=IMP",))
    )
    assert refused.status_code == 400
    filters = ("Encounter?status=planned",)
    await active(fhir, wish(receiver.url, topic, filters=filters, content="full-resource"))
    await fhir("PUT", "/Patient/p1", {"resourceType": "Patient", "id": "p1"})
    for id_, status in (("e1", "finished"), ("e2", "planned")):
        stay = {
            "resourceType": "Encounter",
            "id": id_,
            "status": status,
            "class": {"code": "IMP"},
            "subject": {"reference": "Patient/p1"},
        }
        assert (await fhir("PUT", f"/Encounter/{id_}", stay)).status_code == 201
    (event,) = await receiver.until(1, "event-notification")
    resources = [one["resource"]["id"] for one in event.bundle["entry"][1:]]
    assert resources == ["e2", "p1"]


async def test_a_topic_that_changes_counts_from_then_on(
    fhir: Fhir, receiver: Receiver, worker: None
) -> None:
    await fhir("PUT", "/Basic/topic-1", written())
    await active(fhir, wish(receiver.url, "http://chu.example/topic"))
    changed = written()
    changed["extension"][1]["extension"][1]["valueCode"] = "delete"
    await fhir("PUT", "/Basic/topic-1", changed)
    stay = {"resourceType": "Encounter", "id": "e", "status": "planned", "class": {"code": "IMP"}}
    await fhir("PUT", "/Encounter/e", stay)
    await fhir("DELETE", "/Encounter/e")
    (event,) = await receiver.until(1, "event-notification")
    assert event.bundle["entry"][1]["request"]["method"] == "DELETE"
    assert event.numbers == [1]
    assert OURS not in event.status["topic"][0]
