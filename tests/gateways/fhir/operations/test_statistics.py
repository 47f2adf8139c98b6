"""Promise: $lastn gives the latest of each kind, $stats what a person would compute by hand."""

from __future__ import annotations

import statistics
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liane.gateways.fhir.operations.lastn import _latest
from tests.gateways.fhir.conftest import Fhir, observation, patient

LOINC = "http://loinc.org"
VITAL = [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}]  # fmt: skip


async def put(fhir: Fhir, body: dict[str, Any]) -> None:
    answer = await fhir("PUT", f"/{body['resourceType']}/{body['id']}", body)
    assert answer.status_code in (200, 201), answer.text


def result(id_: str, at: str, value: float, *codes: str, **more: Any) -> dict[str, Any]:
    return observation(
        id=id_,
        effectiveDateTime=at,
        code={"coding": [{"system": LOINC, "code": code} for code in codes]},
        valueQuantity={"value": value, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
        **more,
    )  # fmt: skip


@pytest.fixture
async def lab(fhir: Fhir) -> Fhir:
    for name in ("p1", "p2"):
        await put(fhir, patient(id=name))
    values = (3.1, 3.9, 4.4, 4.0, 5.25)
    for n, value in enumerate(values):
        await put(fhir, result(f"k{n}", f"2024-05-0{n + 1}T08:00:00Z", value, "2823-3"))
    await put(fhir, result("both", "2024-05-04T09:00:00Z", 4.1, "2823-3", "6298-4"))
    await put(fhir, result("alone", "2024-05-09T09:00:00Z", 4.2, "6298-4"))
    await put(fhir, result("na", "2024-01-01", 140, "2951-2", category=VITAL))
    await put(fhir, result("wrong", "2024-06-01", 99, "2823-3", status="entered-in-error"))
    await put(
        fhir, result("other", "2024-06-01", 9, "2823-3") | {"subject": {"reference": "Patient/p2"}}
    )
    return fhir


async def ids(fhir: Fhir, path: str, **options: Any) -> list[str]:
    answer = await fhir("GET", path, **options)
    assert answer.status_code == 200, answer.text
    return [entry["resource"]["id"] for entry in answer.json().get("entry", [])]


async def test_the_latest_of_each_kind_and_codings_of_one_kind_are_joined(lab: Fhir) -> None:
    assert sorted(await ids(lab, "/Observation/$lastn?patient=p1")) == ["alone", "na"]
    assert await ids(lab, "/Observation/$lastn?subject=Patient/p1&max=3&code=2823-3") == ["k4", "both", "k3"]  # fmt: skip
    assert await ids(lab, f"/Observation/$lastn?patient=p1&max=3&code={LOINC}|2823-3&date=lt2024-05-04") == ["k2", "k1", "k0"]  # fmt: skip
    assert await ids(lab, "/Observation/$lastn?patient=p1&category=vital-signs") == ["na"]
    assert await ids(lab, "/Observation/$lastn?patient=p1&category=x|vital-signs") == []
    assert sorted(await ids(lab, "/Observation/$lastn?patient=p1,p2&code=2823-3")) == ["k4", "other"]  # fmt: skip


async def test_lastn_refuses_what_it_does_not_understand(lab: Fhir) -> None:
    for query in ("", "?patient=p1&max=0", "?patient=p1&maks=1", "?subject=Group/1", "?patient=p1&date=ap2024"):  # fmt: skip
        assert (await lab("GET", f"/Observation/$lastn{query}")).status_code == 400, query
    for token in ("chu", "nurse"):
        assert (await lab("GET", "/Observation/$lastn?patient=p1", token=token)).status_code == 403


@given(
    st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=3, unique=True), max_size=12),
    st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_groups_joined_by_any_coding_keep_their_latest(codings: list[list[str]], most: int) -> None:
    rows = [{"patient": "p", "codes": codes, "n": n} for n, codes in enumerate(codings)]
    chosen = {row["n"] for row in _latest(rows, most)}
    groups: list[set[str]] = []
    for codes in codings:
        joined = [g for g in groups if g & set(codes)]
        groups = [g for g in groups if not g & set(codes)] + [set(codes).union(*joined)]
    expected = set()
    for group in groups:
        expected |= {n for n, codes in enumerate(codings) if set(codes) & group and True} and set(
            [n for n, codes in enumerate(codings) if set(codes) & group][:most]
        )
    assert chosen == expected


async def stats(fhir: Fhir, query: str) -> list[dict[str, Any]]:
    answer = await fhir("GET", f"/Observation/$stats?{query}")
    assert answer.status_code == 200, answer.text
    return [p["resource"] for p in answer.json()["parameter"]]


async def test_statistics_are_those_of_the_values(lab: Fhir) -> None:
    names = "average,maximum,minimum,count,total-count,median,sum,std-dev,variance,20-percent"
    (told,) = await stats(lab, f"subject=Patient/p1&code=2823-3&system={LOINC}&statistic={names}")
    values = [3.1, 3.9, 4.4, 4.0, 5.25, 4.1]
    found = {c["code"]["coding"][0]["code"]: c["valueQuantity"] for c in told["component"]}
    assert found["average"]["value"] == pytest.approx(statistics.mean(values), abs=1e-6)
    assert found["average"]["unit"] == "mmol/L"
    assert found["maximum"]["value"] == 5.25
    assert found["count"] == {"value": 6}
    assert found["median"]["value"] == pytest.approx(statistics.median(values))
    assert found["std-dev"]["value"] == pytest.approx(statistics.stdev(values), abs=1e-6)
    assert found["variance"]["value"] == pytest.approx(statistics.variance(values), abs=1e-6)
    assert found["sum"]["value"] == pytest.approx(sum(values))
    assert found["20-percent"]["value"] == pytest.approx(3.9)


async def test_skew_and_kurtosis_are_those_of_a_sample(lab: Fhir) -> None:
    (told,) = await stats(lab, "subject=Patient/p1&code=2823-3&statistic=skew,kurtosis")
    found = {c["code"]["coding"][0]["code"]: c["valueQuantity"] for c in told["component"]}
    values = [3.1, 3.9, 4.4, 4.0, 5.25, 4.1]
    n, mean, deviation = len(values), statistics.mean(values), statistics.stdev(values)
    third = sum(((value - mean) / deviation) ** 3 for value in values)
    fourth = sum(((value - mean) / deviation) ** 4 for value in values)
    skew = n / ((n - 1) * (n - 2)) * third
    kurtosis = n * (n + 1) / ((n - 1) * (n - 2) * (n - 3)) * fourth - 3 * (n - 1) ** 2 / (
        (n - 2) * (n - 3)
    )
    assert found["skew"] == {"value": pytest.approx(skew, abs=1e-6)}
    assert found["kurtosis"] == {"value": pytest.approx(kurtosis, abs=1e-6)}
    (few,) = await stats(lab, "subject=Patient/p1&code=2951-2&statistic=skew,kurtosis")
    assert all("dataAbsentReason" in c for c in few["component"])


async def test_period_sources_and_nothing_found(lab: Fhir) -> None:
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "subject", "valueUri": "Patient/p1"},
            {"name": "coding", "valueCoding": {"system": LOINC, "code": "2823-3"}},
            {"name": "period", "valuePeriod": {"start": "2024-05-02", "end": "2024-05-03"}},
            {"name": "statistic", "valueCode": "maximum"},
            {"name": "include", "valueBoolean": True},
        ],
    }
    answer = await lab("POST", "/Observation/$stats", body)
    assert answer.status_code == 200, answer.text
    first, *sources = answer.json()["parameter"]
    assert first["resource"]["component"][0]["valueQuantity"]["value"] == 4.4
    assert [s["resource"]["id"] for s in sources] == ["k2", "k1"]
    (told,) = await stats(lab, "subject=Patient/p1&code=none&statistic=average,count")
    average, count = told["component"]
    assert "dataAbsentReason" in average
    assert count["valueQuantity"]["value"] == 0


async def test_components_are_counted_too_and_units_never_mixed(lab: Fhir) -> None:
    for n, (value, unit) in enumerate(((120, "mm[Hg]"), (130, "mm[Hg]"), (12, "cm[Hg]"))):
        part = {
            "code": {"coding": [{"system": LOINC, "code": "8480-6"}]},
            "valueQuantity": {"value": value, "system": "http://unitsofmeasure.org", "code": unit},
        }
        await put(lab, observation(id=f"bp{n}", component=[part], effectiveDateTime=f"2024-07-0{n + 1}"))  # fmt: skip
    told = await stats(lab, "subject=Patient/p1&code=8480-6&statistic=average")
    values = [(c["component"][0]["valueQuantity"]["value"], c["component"][0]["valueQuantity"]["code"]) for c in told]  # fmt: skip
    assert values == [(125, "mm[Hg]"), (12, "cm[Hg]")]
