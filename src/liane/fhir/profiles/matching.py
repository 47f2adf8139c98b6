"""Is a value the fixed one, does it fit a pattern, and how are both shown to a reader?"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from liane.fhir.json import dumps

_NUMBERS = (int, float, Decimal)


def equal(value: Any, expected: Any) -> bool:
    """`fixed[x]`: the value is exactly this one (R4 elementdefinition)."""
    if type(expected) is dict:
        return (
            type(value) is dict
            and value.keys() == expected.keys()
            and all(equal(value[key], one) for key, one in expected.items())
        )
    if type(expected) is list:
        return (
            type(value) is list
            and len(value) == len(expected)
            and all(equal(one, other) for one, other in zip(value, expected, strict=True))
        )
    return _same(value, expected)


def fits(value: Any, pattern: Any) -> bool:
    """`pattern[x]`: the value holds at least this; each item of a list once, in any order."""
    if type(pattern) is dict:
        return type(value) is dict and all(
            key in value and fits(value[key], one) for key, one in pattern.items()
        )
    if type(pattern) is list:
        return type(value) is list and all(
            any(fits(item, one) for item in value) for one in pattern
        )
    return _same(value, pattern)


def _same(value: Any, expected: Any) -> bool:
    if isinstance(value, _NUMBERS) and not isinstance(value, bool):
        try:
            # Decimals of stored definitions are kept as texts.
            return Decimal(str(value)) == Decimal(str(expected))
        except InvalidOperation:
            return False
    return bool(type(value) is type(expected) and value == expected)


def shown(expected: Any) -> str:
    """The expected value in a message."""
    return expected if type(expected) is str else dumps(expected)
