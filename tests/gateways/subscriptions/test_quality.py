"""Does every claim of `quality.toml` name a test that exists?"""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[3]


def test_every_claim_names_a_test_that_exists() -> None:
    text = (resources.files("liane.gateways.subscriptions") / "quality.toml").read_text("utf-8")
    claims = tomllib.loads(text)
    assert claims["level"] == "guarded"
    for level in ("wired", "steady", "guarded"):
        for place in claims[level].values():
            file, _, name = place.partition("::")
            assert f"def {name}(" in (ROOT / file).read_text("utf-8"), place


def test_the_reference_page_says_what_the_code_does() -> None:
    from liane.gateways.fhir.operations import subscription
    from liane.gateways.subscriptions import attempts, delivery, reading, topics

    page = (ROOT / "docs/reference/fhir/subscriptions.md").read_text("utf-8")
    for topic in topics.clinical():
        assert f"`{topic.url.removeprefix(topics.OURS)}`" in page, topic.url
    *steps, hour = attempts.BACK_OFF_SECONDS
    assert f"after {', '.join(map(str, steps))} seconds, then every hour" in page
    assert hour == 3600
    assert f"at most {reading.LONGEST_TIMEOUT} |" in page
    assert f"at most {reading.MOST_EVENTS} |" in page
    assert f"At most {subscription.MOST_EVENTS} events in an answer" in page
    assert f"at most {delivery.PLACES_OF_A_HOST} of one host" in page
