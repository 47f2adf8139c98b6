"""Which rows have a date, a number, an amount or several values together?

R4 sections 3.1.1.4.5 to 3.1.1.4.15. Amounts in UCUM units are compared in the canonical unit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from liane.fhir import definitions, ucum
from liane.store.keys import folded_text
from liane.store.search import bodies
from liane.store.search.asking import Asking
from liane.store.search.intervals import (
    Hashes,
    asked_number,
    date_rows,
    date_test,
    moments_of,
    number_rows,
    prefix_and_rest,
)
from liane.store.search.refusals import wrong_value
from liane.store.search.separators import split, unescape
from liane.store.search.sqltext import Arguments
from liane.store.search.texts import begins
from liane.store.search.tokens import system_and_code
from liane.store.search.ways import TENANT, Condition, Way, any_of, hashed_condition, hasher

EARTH_DEGREE_METRES = 111_194.9
_DISTANCES = {
    "km": 1000.0, "m": 1.0, "[mi_us]": 1609.347, "[mi_i]": 1609.344, "mi": 1609.344,
    "[ft_i]": 0.3048, "cm": 0.01,
}  # fmt: skip


def date(asking: Asking) -> Condition:
    """One date criterion."""
    return dates(asking.tenant, asking.type, asking.criterion.param, [asking.criterion.values])


def dates(tenant: int, type_: str, param: str, groups: Sequence[Sequence[str]]) -> Condition:
    """One date parameter asked once or several times (one group of values for each time).

    The main date of a type is the column `at`, so rows already at hand are tested by one look
    into the index instead of a scan of all dates.
    """
    hashed = hasher(tenant, type_, param)
    hashes = ([hashed("short")], [hashed("long")])
    date_rows(Arguments(), hashes, groups, param)  # refuses what is no date before anything runs
    found = Condition(
        None, lambda a: date_rows(a, hashes, groups, param), exact_way=True, label=param
    )
    if definitions.resources()[type_]["at"][:1] == [param]:
        found.test = lambda a, row: date_test(a, row, hashes, groups, param)
        lows, highs = zip(*(moments_of(values, param) for values in groups), strict=True)
        found.moments = (
            max((low for low in lows if low is not None), default=None),
            min((high for high in highs if high is not None), default=None),
        )
        far: Hashes = ([], hashes[1])
        found.long_way = lambda a: date_rows(a, far, groups, param)
    return found


def number(asking: Asking) -> Condition:
    """A number, with the precision that its digits imply."""
    param, values = asking.criterion.param, asking.criterion.values
    hashes = (asking.keys("n"), asking.keys("n-range"))
    number_rows(Arguments(), hashes, values, param)
    return Condition(None, lambda a: number_rows(a, hashes, values, param))


def quantity(asking: Asking) -> Condition:
    """`5.4`, `5.4||mg` or `5.4|system|code`."""
    return any_of([_amount(asking, value) for value in asking.criterion.values])


def _amount(asking: Asking, written: str, code: str | None = None) -> Condition:
    """One amount, or under a code of its own (`code`) in a composite."""
    param = asking.criterion.param
    text, system, unit = [*(unescape(part) for part in split(written, "|")), "", ""][:3]
    asked_number(text, param)
    plain, measured = ("n", "q") if code is None else ("cn", "cq")
    within = () if code is None else (code,)

    def rows(form: str, *parts: str, scale: Callable[[Decimal], Decimal] | None = None) -> Way:
        hashes: Hashes = (
            asking.keys(form, *within, *parts),
            asking.keys(f"{form}-range", *within, *parts),
        )
        return lambda a: number_rows(a, hashes, [text], param, scale)

    if not unit:
        return Condition(None, rows(plain))
    own = hasher_of_units(asking, code)
    if system not in ("", ucum.SYSTEM):
        kept = hashed_condition(own(system, unit), None)
        return Condition(kept.test, rows(measured, unit))
    known = ucum.unit(unit)
    if known is not None:
        canonical = Condition(None, rows(measured, f"={known.base}", scale=known.of))
        if system:
            return canonical
        return any_of([canonical, Condition(None, rows(measured, unit))])
    if system:
        return Condition(hashed_condition(own(system, unit), None).test, rows(measured, unit))
    read = Condition(hashed_condition(own(None, unit), None).test, rows(plain))
    return any_of([Condition(None, rows(measured, unit)), read])


def hasher_of_units(asking: Asking, code: str | None) -> Callable[[str | None, str], list[int]]:
    """The keys that say in which unit an amount is."""
    if code is None:
        return lambda system, unit: asking.keys("unit", system, unit)
    return lambda system, unit: asking.keys("cu", code, system, unit)


def composite(asking: Asking) -> Condition:
    """Values that stand together: each part as its own kind, joined by `$`."""
    parts = asking.known.components
    found = []
    for value in asking.criterion.values:
        pieces = split(value, "$")
        if len(pieces) != len(parts):
            named = "$".join(part.name for part in parts)
            raise wrong_value(asking.criterion.param, value, named, named)
        found.append(_together(asking, pieces))
    return found[0] if len(found) == 1 else any_of(found)


def _together(asking: Asking, pieces: list[str]) -> Condition:
    kinds = [part.kind for part in asking.known.components]
    system, code = system_and_code(pieces[0])
    if code is None:
        raise wrong_value(asking.criterion.param, pieces[0], "un code", "a code")
    second = _second(asking, code, system, kinds[1:], pieces[1:])
    if system == "" or kinds[1:] == ["token"]:
        return second
    qualified = asking.keys("sc", system, code)

    def test(a: Arguments, row: str) -> str:
        keyed = f"{row}.keys && {a.add(qualified, 'bigint[]')}"
        return keyed if second.test is None else f"({keyed}) and {second.test(a, row)}"

    if second.test is None and second.way is not None:
        inner = second.way
        return Condition(lambda a, row: f"{test(a, row)} and {row}.rid in ({inner(a)})", inner)
    return Condition(test, second.way)


def _second(
    asking: Asking, code: str, system: str | None, kinds: list[str], pieces: list[str]
) -> Condition:
    match kinds:
        case ["number", "number"]:
            return _coordinates(asking, code, pieces)
        case ["quantity"] | ["number"]:
            return _amount(asking, pieces[0], code)
        case ["token"]:
            return _two_tokens(asking, system, code, pieces[0])
        case ["date"]:
            hashes = (asking.keys("cshort", code), asking.keys("clong", code))
            groups = [[unescape(pieces[0])]]
            date_rows(Arguments(), hashes, groups, asking.criterion.param)
            return Condition(None, lambda a: date_rows(a, hashes, groups))
        case ["string"]:
            return _text(asking, code, unescape(pieces[0]))
    return _pointed(asking, code, unescape(pieces[0]))


def _two_tokens(asking: Asking, system: str | None, code: str, value: str) -> Condition:
    second_system, second = system_and_code(value)
    if second is None:
        raise wrong_value(asking.criterion.param, value, "un code", "a code")
    leading = asking.keys("cc", code, second)
    exact = asking.keys("scsc", system or None, code, second_system or None, second)
    return hashed_condition(exact, leading)


def _text(asking: Asking, code: str, value: str) -> Condition:
    hashes, folded = asking.keys("ct", code), folded_text(value)
    if not folded:
        raise wrong_value(asking.criterion.param, value, "un texte", "a text")

    def way(a: Arguments) -> str:
        return (
            f"select rid from record.ix_text where tenant = {TENANT} and "  # noqa: S608
            f"h = any({a.add(hashes, 'bigint[]')}) and {begins(a, 'value', folded)}"
        )

    return Condition(None, way)


def _pointed(asking: Asking, code: str, value: str) -> Condition:
    type_, _, id_ = value.rpartition("/")
    types = [type_] if type_ else list(asking.known.targets or definitions.types())
    hashes = [h for one in types for h in asking.keys("cr", code, one, id_)]
    return hashed_condition(hashes, hashes)


def _coordinates(asking: Asking, code: str, pieces: list[str]) -> Condition:
    """Where a stretch begins and where it ends, both numbers (MolecularSequence)."""
    hashes = asking.keys("cnn", code)
    param = asking.criterion.param
    asked = [(prefix_and_rest(piece)[0], asked_number(unescape(piece), param)) for piece in pieces]

    def way(a: Arguments) -> str:
        tests = [f"h = any({a.add(hashes, 'bigint[]')})"]
        for column, (prefix, (_, low, high, exact)) in zip(("low", "high"), asked, strict=True):
            first, last, here = (a.add(float(n), "float8") for n in (low, high, exact))
            tests.append(
                {
                    "gt": f"{column} > {here}", "sa": f"{column} > {here}",
                    "lt": f"{column} < {here}", "eb": f"{column} < {here}",
                    "ge": f"{column} >= {here}", "le": f"{column} <= {here}",
                    "ne": f"({column} < {first} or {column} >= {last})",
                }.get(prefix, f"({column} >= {first} and {column} < {last})")
            )  # fmt: skip
        return f"select rid from record.ix_number where {' and '.join(tests)}"  # noqa: S608

    return Condition(None, way)


def near(asking: Asking) -> Condition:
    """`near` on Location: within a distance of a point, 50 km unless told (R4 location-search)."""
    places = [_place(asking, value) for value in asking.criterion.values]
    return any_of(places) if len(places) > 1 else places[0]


def _place(asking: Asking, value: str) -> Condition:
    parts = [unescape(part) for part in split(value, "|")]
    try:
        latitude, longitude = float(parts[0]), float(parts[1])
        distance = float(parts[2]) if len(parts) > 2 and parts[2] else 50.0
        metres = distance * _DISTANCES[parts[3] if len(parts) > 3 and parts[3] else "km"]
        sensible = abs(latitude) <= 90 and abs(longitude) <= 180 and 0 < metres < 2.1e7
    except (ValueError, IndexError, KeyError):
        sensible = False
    if not sensible:
        form = f"latitude|longitude|distance|{','.join(_DISTANCES)}"
        raise wrong_value("near", value, form, form)
    hashes = asking.keys("latitude")
    away = metres / EARTH_DEGREE_METRES * 1.01

    def way(a: Arguments) -> str:
        low, high = a.add(latitude - away, "float8"), a.add(latitude + away, "float8")
        return (
            f"select rid from record.ix_number where h = any({a.add(hashes, 'bigint[]')}) "  # noqa: S608
            f"and low between {low} and {high}"
        )

    def test(a: Arguments, row: str) -> str:
        here = bodies.near(row, a.add(latitude, "float8"), a.add(longitude, "float8"))
        return f"{here} <= {a.add(metres, 'float8')}"

    return Condition(test, way)
