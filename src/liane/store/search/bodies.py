"""Which values does a resource hold, when the database reads them from the text itself?

For questions that no index answers: sorting by any parameter, the words of a code, and chains
that lead from too many resources. Costs some 15 microseconds for each row, so it is only put to
rows that something else has led to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from liane.fhir.dates import ZONE
from liane.fhir.definitions import SearchParameter

_DATES = frozenset({"date", "dateTime", "instant"})
_QUANTITIES = frozenset(
    {"Quantity", "Age", "Duration", "Count", "Distance", "SimpleQuantity", "MoneyQuantity", "Money"}
)
_ZONE = f"'{ZONE.key}'"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _each(known: SearchParameter, row: str, expression: Callable[[str], list[str]]) -> str:
    """A query of `v`: for each place of the parameter, what the expressions make of `x`."""
    selects = []
    for path, kind, target in known.places:
        narrow = f" where x->>'reference' like '{target}/%'" if target else ""
        selects += [
            f"select {text} as v from jsonb_path_query(record.parsed({row}.body), "  # noqa: S608 - paths are ours
            f"{_literal(path)}::jsonpath) x{narrow}"
            for text in expression(kind)
        ]
    return " union all ".join(selects) or "select null::text as v where false"


def _below(path: str) -> str:
    """One value for each place below `x`; in a select list, so it may be none or many."""
    return f"jsonb_path_query(x, {_literal(path)}::jsonpath) #>> '{{}}'"


def reference_texts(known: SearchParameter, row: str) -> str:
    """A query of the references as written: `Patient/1`."""

    def expression(kind: str) -> list[str]:
        if kind == "Reference":
            return ["x->>'reference'"]
        if kind == "Resource":
            return ["(x->>'resourceType') || '/' || (x->>'id')"]
        return ["x #>> '{}'"]

    return _each(known, row, expression)


def referred_ids(known: SearchParameter, row: str, type_: str) -> str:
    """A query of the ids of the resources of a type that the row points to here."""
    pattern = rf"^{type_}/([A-Za-z0-9.-]{{1,64}})"
    return (
        f"select substring(v from '{pattern}') as id from ({reference_texts(known, row)}) q "  # noqa: S608
        f"where v like '{type_}/%'"
    )


def words(known: SearchParameter, row: str) -> str:
    """A query of the texts that people read beside a code or a reference."""

    def expression(kind: str) -> list[str]:
        match kind:
            case "CodeableConcept":
                return ["x->>'text'", _below('$."coding"."display"')]
            case "Coding" | "Reference":
                return ["x->>'display'"]
            case "Identifier":
                return ["x->'type'->>'text'"]
            case "ContactPoint":
                return ["x->>'value'"]
            case "code" | "string":
                return ["x #>> '{}'"]
        return []

    return _each(known, row, expression)


def codes(known: SearchParameter, row: str) -> str:
    """A query of the codes themselves."""
    return _each(known, row, _code)


def _code(kind: str) -> list[str]:
    match kind:
        case "CodeableConcept":
            return [_below('$."coding"."code"')]
        case "Coding":
            return ["x->>'code'"]
        case "Identifier" | "ContactPoint":
            return ["x->>'value'"]
        case "truth":
            return ["case when x = 'false'::jsonb then 'false' else 'true' end"]
    return ["x #>> '{}'"]


def plain(known: SearchParameter, row: str) -> str:
    """A query of values that are texts (URIs)."""
    return _each(known, row, lambda _kind: ["x #>> '{}'"])


def sort_value(known: SearchParameter, row: str, *, descending: bool) -> tuple[str, str]:
    """The value a list is sorted by, and its PostgreSQL type.

    Of several values the one that comes first in the order (R4 section 3.1.1.5.2).
    """
    best = "max" if descending else "min"
    match known.kind:
        case "date":
            values, cast = _each(known, row, _moments), "timestamptz"
        case "number" | "quantity":
            values, cast = _each(known, row, _numbers), "float8"
        case "string":
            values, cast = _each(known, row, _strings), "text"
        case "reference":
            values, cast = reference_texts(known, row), "text"
        case _:
            values, cast = codes(known, row), "text"
    collated = ' collate "C"' if cast == "text" else ""
    return f"(select {best}(v{collated}) from ({values}) q)", cast  # noqa: S608


def _instant(text: str) -> str:
    return f"record.instant_of({text}, {_ZONE}, false)"


def _moments(kind: str) -> list[str]:
    if kind in _DATES:
        return [_instant("x #>> '{}'")]
    if kind == "Period":
        return [_instant("coalesce(x->>'start', x->>'end')")]
    if kind == "Timing":
        return [_instant(_below('$."event"')), _instant("x->'repeat'->'boundsPeriod'->>'start'")]
    return []


def _numbers(kind: str) -> list[str]:
    if kind in _QUANTITIES:
        return ["(x->>'value')::float8"]
    if kind == "Range":
        return ["coalesce(x->'low'->>'value', x->'high'->>'value')::float8"]
    return ["(x #>> '{}')::float8"]


def _strings(kind: str) -> list[str]:
    if kind == "HumanName":
        parts = "concat_ws(' ', x->>'family', x->'given'->>0, x->'given'->>1)"
        return [f"record.folded(coalesce(nullif({parts}, ''), x->>'text'))"]
    if kind == "Address":
        parts = "concat_ws(' ', x->>'country', x->>'city', x->'line'->>0)"
        return [f"record.folded(coalesce(nullif({parts}, ''), x->>'text'))"]
    if kind == "CodeableConcept":
        return [f"record.folded({text})" for text in ("x->>'text'", _below('$."coding"."display"'))]
    return ["record.folded(x #>> '{}')"]


def near(row: str, latitude: str, longitude: str) -> str:
    """Metres between the position of a Location and a point, on a round earth."""
    body = f"record.parsed({row}.body)"
    lat = f"radians(({body} #>> '{{position,latitude}}')::float8)"
    lon = f"radians(({body} #>> '{{position,longitude}}')::float8)"
    here_lat, here_lon = f"radians({latitude})", f"radians({longitude})"
    return (
        f"(12742017.6 * asin(least(1, sqrt(power(sin(({lat} - {here_lat}) / 2), 2) + "
        f"cos({lat}) * cos({here_lat}) * power(sin(({lon} - {here_lon}) / 2), 2)))))"
    )


def any_like(query: str, patterns: Iterable[str]) -> str:
    """Whether a value of the query is like one of the (already placed) patterns, folded."""
    tests = " or ".join(f"record.folded(v) like {pattern}" for pattern in patterns)
    return f"exists (select from ({query}) q where {tests})"
