"""Which statistics do the numbers of one kind of result make over a stretch of time?

http://hl7.org/fhir/R4/observation-operation-stats.html. Computed by the database, one set for each
unit: numbers of different units are never mixed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from liane.fhir.json import dumps, loads
from liane.gateways.fhir import authority
from liane.gateways.fhir.exchange import Answer, Exchange
from liane.gateways.fhir.operations import asking
from liane.gateways.fhir.operations.everything import Q
from liane.gateways.fhir.operations.lastn import patients_of
from liane.gateways.fhir.operations.registry import Operation
from liane.store import Tx
from liane.store.versions import instant

SYSTEM = "http://terminology.hl7.org/CodeSystem/observation-statistics"
_PLAIN = {
    "average": "mean", "maximum": "high", "minimum": "low", "median": "median", "sum": "sum",
    "std-dev": "deviation", "variance": "variance",
}  # fmt: skip
_COUNTS = {"count": "numbers", "total-count": "every"}
_SHARES = {"20-percent": 0.2, "80-percent": 0.8, "4-lower": 0.25, "4-upper": 0.75, "4-dev": 0.0,
           "5-1": 0.2, "5-2": 0.4, "5-3": 0.6, "5-4": 0.8}  # fmt: skip
_SHAPES = ("skew", "kurtosis")
_ACCEPTED = (
    "subject", "patient", "code", "coding", "system", "duration", "period", "start", "end",
    "statistic", "include", "limit",
)  # fmt: skip
_DIGITS = Decimal("0.000001")


async def serve(exchange: Exchange, tx: Tx) -> Answer:
    """One Observation of statistics for each code and unit, and the results used if wanted."""
    authority.require_type(exchange.actor, "Observation", "r")
    asked = asking.asked(exchange, _ACCEPTED)
    patients = await patients_of(exchange, tx, asked)
    if len(patients) > 1:
        raise asking.wrong("subject", patients[1], "un seul patient", "one patient only")
    wanted = _statistics(asking.listed(asked, "statistic"))
    low, high = _stretch(exchange, asked, tx.now)
    limit = asking.number(asked, "limit", 100, 1000)
    parameters: list[dict[str, Any]] = []
    sources: dict[str, str] = {}
    for code in _codes(exchange, asked):
        rows = await tx.fetch(Q["statistics"], patients[0], code, low, high, list(_SHARES.values()))
        for row in rows or [None]:
            told = _told(patients[0], code, (low, high, tx.now), row, wanted)
            parameters.append({"name": "statistics", "resource": told})
        if asking.flag(asked, "include"):
            for row in await tx.fetch(Q["last_rows"], patients[0], code, low, high, limit):
                sources[row["id"]] = row["body"]
    head = dumps({"resourceType": "Parameters", "parameter": parameters})[:-2]
    tail = "".join(f',{{"name":"source","resource":{body}}}' for body in sources.values())
    return Answer(200, f"{head}{tail}]}}", patients=tuple(patients), detail={"stats": True})


def _statistics(names: list[str]) -> list[str]:
    known = [*_PLAIN, *_COUNTS, *_SHARES, *_SHAPES]
    for name in names:
        if name not in known:
            listed = ", ".join(known)
            raise asking.wrong("statistic", name, f"acceptés : {listed}", f"accepted: {listed}")
    return names or ["average", "maximum", "minimum", "count", "median"]


def _codes(exchange: Exchange, asked: dict[str, list[str]]) -> list[str]:
    """`code` with `system`, `system|code`, or the Codings of a Parameters body."""
    system = asking.single(asked, "system")
    codes = [
        f"{system}|{text}" if system and "|" not in text else text
        for text in asking.listed(asked, "code") + asking.listed(asked, "coding")
    ]
    entries = (exchange.resource or {}).get("parameter", [])
    for entry in entries if isinstance(entries, list) else []:
        coding = entry.get("valueCoding") if isinstance(entry, dict) else None
        if isinstance(coding, dict) and isinstance(coding.get("code"), str):
            codes.append(
                f"{coding['system']}|{coding['code']}" if "system" in coding else coding["code"]
            )
    if not codes:
        raise asking.missing("code", "de quels résultats s’agit-il", "which results are meant")
    return list(dict.fromkeys(codes))[:50]


def _stretch(
    exchange: Exchange, asked: dict[str, list[str]], now: datetime
) -> tuple[datetime | None, datetime | None]:
    """From `duration` hours ago until now, or the `period` given; without either, all there is."""
    hours = asking.single(asked, "duration")
    if hours is not None:
        try:
            return now - timedelta(hours=float(hours)), None
        except (ValueError, OverflowError):
            expected = "attendu : un nombre d’heures"
            raise asking.wrong("duration", hours, expected, "expected: hours") from None
    told = asking.part(exchange.resource, "period", "valuePeriod")
    period = told if isinstance(told, dict) else {}
    start, end = asking.single(asked, "start"), asking.single(asked, "end")
    if text := asking.single(asked, "period"):
        start, _, end = text.partition(",")
    start, end = start or period.get("start"), end or period.get("end")
    first = asking.start_of("period", str(start) if start else None)
    return first, asking.end_of("period", str(end) if end else None)


def _told(
    patient: str,
    code: str,
    when: tuple[datetime | None, datetime | None, datetime],
    row: Any,
    wanted: list[str],
) -> dict[str, Any]:
    """An Observation whose components are the statistics."""
    system, bar, plain = code.rpartition("|")
    low, high, now = when
    period = {"start": instant(low)} if low is not None else {}
    period["end"] = instant((high or now).astimezone(UTC))
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{**({"system": system} if bar and system else {}), "code": plain}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectivePeriod": period,
        "component": [_component(name, row) for name in wanted],
    }


def _component(name: str, row: Any) -> dict[str, Any]:
    coded = {"code": {"coding": [{"system": SYSTEM, "code": name}]}}
    if name in _COUNTS:
        return {**coded, "valueQuantity": {"value": 0 if row is None else row[_COUNTS[name]]}}
    value = None if row is None or not row["numbers"] else _value(name, row)
    if value is None:
        absent = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
        reason = {"coding": [{"system": absent, "code": "unknown"}]}
        return {**coded, "dataAbsentReason": reason}
    sample = loads(row["sample"])
    unit = {key: sample[key] for key in ("unit", "system", "code") if key in sample}
    if name == "variance" or name in _SHAPES:
        unit = {}
    return {**coded, "valueQuantity": {"value": _rounded(value), **unit}}


def _value(name: str, row: Any) -> Decimal | None:
    if name in _SHAPES:
        value = _shape(name, row)
    elif name in _PLAIN:
        value = row[_PLAIN[name]]
    elif name == "4-dev":
        lower, upper = (row["shares"][list(_SHARES).index(n)] for n in ("4-lower", "4-upper"))
        value = upper - lower
    else:
        value = row["shares"][list(_SHARES).index(name)]
    return None if value is None else Decimal(str(value))


def _shape(name: str, row: Any) -> Decimal | None:
    """Skewness (G1) and excess kurtosis (G2) of a sample, as statistics programs give them.

    Joanes and Gill, "Comparing measures of sample skewness and kurtosis", 1998; none for fewer than
    three or four numbers, nor when all are equal.
    """
    n: Decimal = Decimal(row["numbers"])
    squares: Decimal = row["squares"]
    if n < (3 if name == "skew" else 4) or not squares:
        return None
    variance = squares / n
    if name == "skew":
        plain: Decimal = row["cubes"] / n / (variance * variance.sqrt())
        return plain * (n * (n - 1)).sqrt() / (n - 2)
    excess: Decimal = row["fourths"] / n / (variance * variance) - 3
    return ((n + 1) * excess + 6) * (n - 1) / ((n - 2) * (n - 3))


def _rounded(value: Decimal) -> Decimal:
    """Six decimals at most, and no zeros that say nothing."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -6:
        return value
    text = format(value.quantize(_DIGITS, ROUND_HALF_EVEN), "f").rstrip("0").rstrip(".")
    return Decimal(text or "0")


OPERATIONS = (
    Operation(
        "stats",
        frozenset({"type"}),
        frozenset({"Observation"}),
        serve,
        "http://hl7.org/fhir/OperationDefinition/Observation-stats",
    ),
)
