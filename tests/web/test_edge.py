"""Does the edge keep patients apart, foreign pages out, and a trace of every read?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
from tests.journeys.hospital import NURSE, OTHER_NURSE, Hospital, build
from tests.running import Installation


@pytest.fixture(scope="module")
def hospital(installation: Installation) -> Hospital:
    return build(installation)


def signed_in(hospital: Hospital, login: str) -> httpx.Client:
    """A browser without script, signed in through the real form."""
    client = httpx.Client(
        base_url=hospital.installation.base_url, trust_env=False, follow_redirects=True, timeout=30
    )
    page = client.get("/")
    action = re.search(r'<form[^>]*method="post"[^>]*', page.text)
    assert action
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token
    answer = client.post(
        str(page.url),
        data={
            "csrfmiddlewaretoken": token.group(1),
            "login": login,
            "password": hospital.passwords[login],
        },
        headers={"Referer": str(page.url)},
    )
    assert answer.status_code == 200
    assert "liane_session" in client.cookies
    return client


@pytest.fixture(scope="module")
def nurse(hospital: Hospital) -> Iterator[httpx.Client]:
    with closing(signed_in(hospital, NURSE)) as client:
        yield client


def test_a_nurse_opens_the_chart_of_a_patient_of_her_unit(
    hospital: Hospital, nurse: httpx.Client
) -> None:
    answer = nurse.get(f"/patients/{hospital.jeanne}")
    assert answer.status_code == 200
    assert "DUBREUIL" in answer.text


def test_a_nurse_of_another_unit_is_refused_and_learns_nothing(hospital: Hospital) -> None:
    with closing(signed_in(hospital, OTHER_NURSE)) as stranger:
        refused = stranger.get(f"/patients/{hospital.jeanne}")
        unknown = stranger.get("/patients/nobody-of-that-name")
    assert refused.status_code == unknown.status_code == 403
    assert "DUBREUIL" not in refused.text
    assert refused.text.replace(hospital.jeanne, "") == unknown.text.replace(
        "nobody-of-that-name", ""
    )


def test_each_read_of_a_chart_is_in_the_journal_before_the_answer(
    hospital: Hospital, nurse: httpx.Client
) -> None:
    count = f"select count(*) from journal.entry where patient = '{hospital.jeanne}' and action like 'read%'"
    before = int(hospital.installation.command("psql", "--", "-At", "-c", count))
    nurse.get(f"/patients/{hospital.jeanne}")
    after = int(hospital.installation.command("psql", "--", "-At", "-c", count))
    assert after > before


def test_a_refusal_is_in_the_journal_too(hospital: Hospital) -> None:
    with closing(signed_in(hospital, OTHER_NURSE)) as stranger:
        stranger.get(f"/patients/{hospital.hugo}")
    query = f"select count(*) from journal.entry where patient = '{hospital.hugo}' and outcome = 'refused'"
    assert int(hospital.installation.command("psql", "--", "-At", "-c", query)) >= 1


def test_a_write_without_the_token_of_the_session_is_refused(
    hospital: Hospital, nurse: httpx.Client
) -> None:
    answer = nurse.post("/sign-out", headers={"Origin": hospital.installation.base_url})
    assert answer.status_code == 403
    assert nurse.get("/").status_code == 200


def test_a_write_asked_for_by_another_site_is_refused(
    hospital: Hospital, nurse: httpx.Client
) -> None:
    answer = nurse.post(
        "/preferences", data={"theme": "night"}, headers={"Origin": "https://elsewhere.example"}
    )
    assert answer.status_code == 403


def test_a_choice_of_theme_never_leads_to_another_site(nurse: httpx.Client) -> None:
    answer = nurse.post(
        "/preferences",
        data={"theme": "night", "back": "//elsewhere.example"},
        follow_redirects=False,
    )
    assert answer.headers["location"] == "/"


def test_an_unknown_address_says_what_to_do(nurse: httpx.Client) -> None:
    answer = nurse.get("/no-such-page")
    assert answer.status_code == 404
    assert "Revenez" in answer.text


def test_a_journal_that_nobody_touched_verifies(hospital: Hospital, nurse: httpx.Client) -> None:
    nurse.get("/")
    hospital.installation.command("journal", "verify")
