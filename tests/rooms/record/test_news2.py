"""The early-warning score equals the published table, at every edge of every step."""

from __future__ import annotations

from decimal import Decimal

import pytest

from liane.rooms.record.news2 import PARAMETERS, Signs, score

pytestmark = pytest.mark.unit

WELL = {
    "respiration": Decimal(16),
    "saturation": Decimal(98),
    "oxygen": False,
    "systolic": Decimal(120),
    "pulse": Decimal(70),
    "consciousness": "A",
    "temperature": Decimal("37.0"),
}

TABLE = {
    "respiration": [(1, 3), (8, 3), (9, 1), (11, 1), (12, 0), (20, 0), (21, 2), (24, 2), (25, 3), (60, 3)],
    "saturation": [(70, 3), (91, 3), (92, 2), (93, 2), (94, 1), (95, 1), (96, 0), (100, 0)],
    "systolic": [(50, 3), (90, 3), (91, 2), (100, 2), (101, 1), (110, 1), (111, 0), (219, 0), (220, 3), (260, 3)],
    "pulse": [(20, 3), (40, 3), (41, 1), (50, 1), (51, 0), (90, 0), (91, 1), (110, 1), (111, 2), (130, 2), (131, 3), (200, 3)],
    "temperature": [("34.0", 3), ("35.0", 3), ("35.1", 1), ("36.0", 1), ("36.1", 0), ("38.0", 0), ("38.1", 1), ("39.0", 1), ("39.1", 2), ("41.5", 2)],
}  # fmt: skip
ROWS = [(name, str(value), points) for name, rows in TABLE.items() for value, points in rows]


def signs(**changes: object) -> Signs:
    return Signs(**{**WELL, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "value", "points"), ROWS)
def test_each_edge_of_the_table(name: str, value: str, points: int) -> None:
    found = score(signs(**{name: Decimal(value)}))
    assert found.points[name] == points
    assert found.total == points


@pytest.mark.parametrize(
    ("value", "oxygen", "points"),
    [
        (83, False, 3), (84, False, 2), (85, False, 2), (86, False, 1), (87, False, 1), (88, False, 0),
        (92, False, 0), (93, False, 0), (100, False, 0), (88, True, 0), (92, True, 0), (93, True, 1),
        (94, True, 1), (95, True, 2), (96, True, 2), (97, True, 3), (100, True, 3), (83, True, 3),
    ],
)  # fmt: skip
def test_the_second_scale_of_saturation(value: int, oxygen: bool, points: int) -> None:
    found = score(signs(saturation=Decimal(value), oxygen=oxygen), scale=2)
    assert found.points["saturation"] == points


def test_the_second_scale_above_92_needs_to_know_air_or_oxygen() -> None:
    found = score(signs(saturation=Decimal(95), oxygen=None), scale=2)
    assert set(found.missing) == {"saturation", "oxygen"}
    assert score(signs(saturation=Decimal(85), oxygen=None), scale=2).points["saturation"] == 2


def test_oxygen_counts_two_and_any_change_of_consciousness_three() -> None:
    assert score(signs(oxygen=True)).total == 2
    for letter in "CVPU":
        assert score(signs(consciousness=letter)).total == 3
    with pytest.raises(ValueError, match="ACVPU"):
        score(signs(consciousness="X"))


def test_values_are_rounded_once_half_up() -> None:
    assert score(signs(temperature=Decimal("35.04"))).points["temperature"] == 3
    assert score(signs(temperature=Decimal("35.05"))).points["temperature"] == 1
    assert score(signs(pulse=Decimal("90.5"))).points["pulse"] == 1


@pytest.mark.parametrize(
    ("changes", "band"),
    [
        ({}, "none"),
        ({"pulse": Decimal(95)}, "low"),
        ({"consciousness": "C"}, "low_medium"),
        ({"oxygen": True, "pulse": Decimal(120), "temperature": Decimal("38.5")}, "medium"),
        ({"oxygen": True, "pulse": Decimal(140), "temperature": Decimal("39.5")}, "high"),
    ],
)
def test_bands(changes: dict[str, object], band: str) -> None:
    assert score(signs(**changes)).band == band


def test_missing_signs_make_a_lower_bound_and_never_a_normal_score() -> None:
    found = score(signs(temperature=None, consciousness=None, respiration=Decimal(24), pulse=Decimal(111), saturation=Decimal(94), oxygen=True, systolic=Decimal(98)))  # fmt: skip
    assert found.total == 9
    assert found.missing == ("consciousness", "temperature")
    assert not found.complete
    assert score(Signs()).band == "unknown"
    assert score(Signs()).missing == PARAMETERS
    assert score(signs(temperature=None)).band == "unknown"


def test_the_greatest_score_is_twenty() -> None:
    worst = Signs(Decimal(30), Decimal(80), True, Decimal(60), Decimal(150), "U", Decimal("34.0"))
    assert score(worst).total == 20
