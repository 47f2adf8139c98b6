"""What cannot be done is refused when it is asked, with the place and what would be accepted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateways.fhir.conftest import Fhir
from tests.gateways.subscriptions.conftest import OURS, PROFILE, wish

HOOK = "http://127.0.0.1:9/hook"


def changed(path: str, value: Any) -> dict[str, Any]:
    body = wish(HOOK)
    place = body
    *parents, last = path.split(".")
    for name in parents:
        place = place[name]
    place[last] = value
    return body


CASES = {
    "unknown topic": (changed("criteria", "http://nobody/topic"), "Subscription.criteria"),
    "unknown type": (wish(HOOK, "Nothing?a=b"), "Subscription.criteria"),
    "unknown filter": (
        wish(HOOK, filters=("Observation?favourite=1",)),
        "Subscription.criteria.extension",
    ),
    "filter of another type": (
        wish(HOOK, filters=("Encounter?status=planned",)),
        "Subscription.criteria.extension",
    ),
    "chained filter": (
        wish(HOOK, filters=("Observation?subject.name=a",)),
        "Subscription.criteria.extension",
    ),
    "filter modifier": (
        wish(HOOK, filters=("Observation?code:in=http://x",)),
        "Subscription.criteria.extension",
    ),
    "channel": (changed("channel.type", "sms"), "Subscription.channel.type"),
    "payload format": (changed("channel.payload", "text/plain"), "Subscription.channel.payload"),
    "payload content": (wish(HOOK, content="all"), "Subscription.channel.payload.extension"),
    "content without format": (changed("channel.payload", ""), "Subscription.channel.payload"),
    "another host": (wish("https://elsewhere.example/"), "Subscription.channel.endpoint"),
    "twin host": (wish("http://127.0.0.1.evil.example/"), "Subscription.channel.endpoint"),
    "decimal host": (wish("http://2130706433/"), "Subscription.channel.endpoint"),
    "mapped host": (wish("http://[::ffff:127.0.0.1]/"), "Subscription.channel.endpoint"),
    "metadata host": (wish("http://169.254.169.254/"), "Subscription.channel.endpoint"),
    "user in address": (wish("http://127.0.0.1@evil.example/"), "Subscription.channel.endpoint"),
    "file": (wish("file:///etc/passwd"), "Subscription.channel.endpoint"),
    "no endpoint": (wish(""), "Subscription.channel.endpoint"),
    "mail": (wish("a@b.example", kind="email"), "Subscription.channel.endpoint"),
    "header": (wish(HOOK, header=["Host: other"]), "Subscription.channel.header"),
    "header lines": (wish(HOOK, header=["A: b\r\nC: d"]), "Subscription.channel.header"),
    "heartbeat": (wish(HOOK, heartbeat=-1), "Subscription.channel.extension"),
    "end": (wish(HOOK, end="2020-01-01T00:00:00Z"), "Subscription.end"),
}


@pytest.mark.parametrize("case", CASES)
async def test_what_cannot_be_served_is_refused_with_its_place(fhir: Fhir, case: str) -> None:
    body, place = CASES[case]
    answer = await fhir("POST", "/Subscription", body, Accept_Language="en")
    assert answer.status_code in (400, 422), answer.text
    issues = answer.json()["issue"]
    assert any(place in str(one) or place.split(".")[1] in str(one) for one in issues), answer.text
    found = (await fhir("GET", "/Subscription")).json()
    assert not found.get("entry")


async def test_a_topic_that_cannot_be_served_is_refused(fhir: Fhir) -> None:
    head = "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic."

    def topic(*triggers: dict[str, Any], url: str = "http://a.example/topic") -> dict[str, Any]:
        return {
            "resourceType": "Basic",
            "code": {
                "coding": [
                    {"system": "http://hl7.org/fhir/fhir-types", "code": "SubscriptionTopic"}
                ]
            },
            "extension": [
                {"url": head + "url", "valueUri": url},
                *({"url": head + "resourceTrigger", "extension": [one]} for one in triggers),
            ],
        }

    good = {"url": "resource", "valueUri": "http://hl7.org/fhir/StructureDefinition/Encounter"}
    wrong = (
        topic(),
        topic({"url": "resource", "valueUri": "Nothing"}),
        topic(good, url=OURS + "mine"),
    )
    for body in wrong:
        assert (await fhir("POST", "/Basic", body)).status_code == 400
    assert (await fhir("POST", "/Basic", topic(good))).status_code == 201
    answer = await fhir("POST", "/Subscription", wish(HOOK, "http://a.example/topic"))
    assert answer.status_code == 201
    listed = (await fhir("GET", "/Subscription/$topics")).json()
    assert "http://a.example/topic" in {one["fullUrl"] for one in listed["entry"]}


async def test_the_guide_names_the_profile_we_understand(fhir: Fhir) -> None:
    answer = await fhir("POST", "/Subscription", wish(HOOK))
    assert answer.json()["meta"]["profile"] == [f"{PROFILE}/backport-subscription"]
