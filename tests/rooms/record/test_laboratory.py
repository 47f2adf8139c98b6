"""Results are joined only when analysis, unit and method are the same, and shown as sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from liane.base.i18n import Translator
from liane.rooms.record import laboratory, timeline
from liane.rooms.record.laboratory import breaks_of, cumulative, pinned, series_of, spark
from liane.rooms.record.observed import values_of
from liane.rooms.record.vitals import level, rounds_of, sign_of
from liane.ui.values import Shown, number_text, range_text, unit_word

from . import builders

pytestmark = pytest.mark.unit
AT = datetime(2026, 11, 19, 3, 0, tzinfo=UTC)
FR, EN = Translator("fr", {}), Translator("en", {})


def rows(*observations: dict) -> list[dict]:
    found = []
    for resource in observations:
        for value in values_of(resource, AT):
            names = (
                "at",
                "system",
                "code",
                "label",
                "unit",
                "method",
                "shown",
                "number",
                "comparator",
                "flag",
                "low",
                "high",
                "range",
                "status",
            )
            found.append(
                {name: getattr(value, name) for name in names}
                | {"resource": resource["id"], "former": ""}
            )
    return found


def results(*observations: dict) -> list[laboratory.Result]:
    return [laboratory.result_of(row) for row in rows(*observations)]


def test_digits_unit_flag_and_range_are_the_senders() -> None:
    [one] = results(
        builders.observation(
            "a", "p", "2823-3", "K", "4.0", "mmol/L", AT, flag="H", low="3.5", high="5.10"
        )
    )
    assert (one.shown.text, one.shown.unit, one.shown.flag) == ("4.0", "mmol/L", "H")
    assert number_text(one.shown.text, FR) == "4,0"
    assert range_text(one.shown, FR) == "3,5–5,10"
    assert one.shown.severity == "out"


@pytest.mark.parametrize(
    ("text", "fr", "en"),
    [("72.50", "72,50", "72.50"), ("4000", "4\u202f000", "4,000"), ("0.05", "0,05", "0.05"), ("-3.5", "−3,5", "−3.5"),
     ("Positif", "Positif", "Positif"), ("1e5", "1e5", "1e5"), ("007", "7", "7"), ("0", "0", "0")],
)  # fmt: skip
def test_numbers_are_written_in_the_readers_notation(text: str, fr: str, en: str) -> None:
    if text == "007":
        assert number_text(text, FR) == "007"
        return
    assert (number_text(text, FR), number_text(text, EN)) == (fr, en)


def test_a_change_of_unit_or_method_breaks_the_line_and_is_said() -> None:
    series = series_of(
        results(
            builders.observation("a", "p", "14682-9", "Créat", "10.0", "mg/L", AT),
            builders.observation(
                "b", "p", "14682-9", "Créat", "84", "µmol/L", AT + timedelta(hours=5)
            ),
            builders.observation(
                "c",
                "p",
                "14682-9",
                "Créat",
                "85",
                "µmol/L",
                AT + timedelta(hours=9),
                method="Enzymatique",
            ),
        )
    )
    assert len(series) == 3
    first, second = breaks_of(series)
    assert first.unit_changed
    assert not second.unit_changed
    said = timeline.break_marks([first, second], {"unit": "unité", "method": "méthode"})
    assert [one["l"] for one in said] == ["unité : mg/L → µmol/L", "méthode : ? → Enzymatique"]


def test_one_method_throughout_never_breaks() -> None:
    assert breaks_of(series_of(results(*builders.laboratory("p", AT)[:6]))) == []


def test_the_cumulative_table_puts_the_newest_sample_first() -> None:
    sheet = cumulative(series_of(results(*builders.laboratory("p", AT))), most_columns=3)
    assert sheet.columns == sorted(sheet.columns, reverse=True)
    assert sheet.older == 4
    assert [name for name, _ in sheet.chapters][:2] == ["inflammation", "electrolytes"]


def test_pinned_follows_the_reader_then_the_telling_analyses() -> None:
    series = series_of(results(*builders.laboratory("p", AT)))
    assert [one.code for one in pinned(series)] == [
        "1988-5",
        "14682-9",
        "14682-9",
        "718-7",
        "2823-3",
    ]
    assert [one.code for one in pinned(series, ["777-3"])] == ["777-3"]
    assert pinned(series, ["no-such"]) == pinned(series)


def test_a_withdrawn_result_is_never_abnormal_and_never_in_the_trend() -> None:
    series = series_of(
        results(
            builders.observation("a", "p", "1988-5", "CRP", "4", "mg/L", AT),
            builders.observation(
                "b",
                "p",
                "1988-5",
                "CRP",
                "400",
                "mg/L",
                AT + timedelta(hours=1),
                flag="HH",
                status="entered-in-error",
            ),
        )
    )
    assert series[0].results[1].shown.severity == ""
    assert spark(series[0]) is None


def test_outside_the_range_without_a_flag_is_marked_as_computed() -> None:
    shown = Shown("5.9", "mmol/L", "", Decimal("3.5"), Decimal("5.1"), number=Decimal("5.9"))
    assert (shown.severity, shown.way, shown.computed) == ("out", "high", True)
    normal = Shown("5.9", "mmol/L", "N", Decimal("3.5"), Decimal("5.1"), number=Decimal("5.9"))
    assert (normal.severity, normal.way) == ("", "")


def test_a_blood_pressure_states_two_values_and_a_device_value_does_not_count() -> None:
    a_round = builders.a_round(
        "p", "r", AT, fc="72", pas="120", pad="70", t="37.0", spo2="97", fr="16"
    )
    device = builders.sign(
        "d", "p", "8867-4", "190", "/min", AT + timedelta(minutes=2), status="preliminary"
    )
    signs = [s for row in rows(*a_round, device) if (s := sign_of(row))]
    assert {s.name for s in signs} >= {"systolic", "diastolic"}
    [one] = rounds_of(signs)
    assert one.news is not None
    assert one.news.complete
    assert one.news.total == 0


def test_what_was_charted_too_long_ago_is_missing_not_assumed() -> None:
    first = builders.a_round(
        "p", "r", AT, fc="72", pas="120", pad="70", t="37.0", spo2="97", fr="16"
    )
    later = builders.sign("x", "p", "8867-4", "80", "/min", AT + timedelta(hours=3))
    rounds = rounds_of([s for row in rows(*first, later) if (s := sign_of(row))])
    assert rounds[1].news is not None
    assert set(rounds[1].news.missing) == {"respiration", "saturation", "systolic", "temperature"}


def test_digits_of_a_computation_end_in_an_ellipsis_never_in_a_rounding() -> None:
    assert number_text("84.46953047373352", FR) == "84,46…"
    assert number_text("0.00012999", FR) == "0,00012…"
    assert number_text("1.20000", FR) == "1,20"
    assert number_text("7.3999", FR) == "7,3999"


def test_a_stay_that_is_over_is_shown_whole() -> None:
    ended = (AT, AT + timedelta(days=4))
    view = timeline.window("stay", AT + timedelta(days=900), ended, None)
    assert view.starts < AT
    assert ended[1] < view.ends < ended[1] + timedelta(days=1)
    going_on = timeline.window("stay", AT + timedelta(days=2), (AT, None), None)
    assert going_on.ends > AT + timedelta(days=2)


@pytest.mark.parametrize(("text", "letter"), [("A", "A"), ("c", "C"), ("Confusion nouvelle", "C"), ("à la voix", "V"), ("Inconscient", "U"), ("?", None)])  # fmt: skip
def test_levels_of_consciousness(text: str, letter: str | None) -> None:
    assert level(text) == letter


def test_thinning_keeps_the_highest_and_the_lowest() -> None:
    many = results(*[builders.sign(f"s{n}", "p", "8867-4", str(70 + n % 7), "/min", AT + timedelta(minutes=n)) for n in range(3000)],
                   builders.sign("peak", "p", "8867-4", "188", "/min", AT + timedelta(minutes=1501)),
                   builders.sign("fall", "p", "8867-4", "31", "/min", AT + timedelta(minutes=900)))  # fmt: skip
    view = timeline.Window("24h", AT, AT + timedelta(minutes=3000))
    kept = timeline.thinned(sorted(many, key=lambda r: r.at), view)
    assert len(kept) <= 2 * timeline.SLICES + 2
    assert {"188", "31"} <= {r.shown.text for r in kept}
    assert [r.at for r in kept] == sorted(r.at for r in kept)


def test_a_flood_of_one_kind_is_two_and_a_number_but_what_is_abnormal_stands_alone() -> None:
    from liane.rooms.record.reads_arrivals import Arrival, gathered

    def one(n: int, kind: str = "drug", **more) -> Arrival:
        return Arrival(f"{kind}{n}", kind, str(n), "", AT - timedelta(seconds=n), AT, "/", **more)

    critical = results(
        builders.observation("a", "p", "1988-5", "CRP", "400", "mg/L", AT, flag="HH")
    )
    found = [one(0, "alarm"), *[one(n) for n in range(1, 9)], one(9, "result", results=tuple(critical)), one(10, "result")]  # fmt: skip
    shown = gathered(found)
    assert [a.key for a in shown] == ["alarm0", "drug1", "drug2", "result9", "result10"]
    assert [a.others for a in shown] == [0, 0, 6, 0, 0]
    assert gathered([]) == []


@pytest.mark.unit
def test_a_unit_is_spelt_as_the_laboratory_prints_it_and_never_converted() -> None:
    assert unit_word("umol/L") == "µmol/L"
    assert unit_word("10*9/L") == "G/L"
    assert unit_word("mg/dL") == "mg/dL"
    assert unit_word("anything") == "anything"
