"""Promise: a FHIR date is the stretch of time it can mean, in the hospital's own zone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from liane.fhir.dates import interval

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2024", "2023-12-31T23:00:00", "2024-12-31T23:00:00"),
        ("2024-02", "2024-01-31T23:00:00", "2024-02-29T23:00:00"),
        ("2024-03-31", "2024-03-30T23:00:00", "2024-03-31T22:00:00"),
        ("2024-05-03T10:11", "2024-05-03T08:11:00", "2024-05-03T08:12:00"),
        ("2024-05-03T10:11:12Z", "2024-05-03T10:11:12", "2024-05-03T10:11:13"),
        ("2024-05-03T10:11:12.5+02:00", "2024-05-03T08:11:12.5", "2024-05-03T08:11:12.6"),
        (
            "2024-05-03T10:11:12.1234567Z",
            "2024-05-03T10:11:12.123456",
            "2024-05-03T10:11:12.123457",
        ),
    ],
)
def test_interval(text: str, low: str, high: str) -> None:
    expected = tuple(datetime.fromisoformat(end).replace(tzinfo=UTC) for end in (low, high))
    assert interval(text) == expected


@pytest.mark.parametrize(
    "text", ["", "24", "2024-13", "2024-02-30", "2024-5-3", "2024-01-01T25:00", "x" * 30]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        interval(text)


def test_the_ends_of_time_are_held() -> None:
    assert interval("9999-12-31")[1].year == 9999
    assert interval("0001")[0].year == 1
