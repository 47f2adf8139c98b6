"""How does one criterion become conditions on rows, and which index can lead to them?

Reading uses the same keys as writing (`liane.store.keys`), so what is filed is what is found.
"""

from __future__ import annotations

from collections.abc import Callable

from liane.fhir.definitions import SearchParameter
from liane.store.search import amounts, pointers, texts, tokens
from liane.store.search.asking import Asking
from liane.store.search.intervals import updated_test
from liane.store.search.model import Criterion
from liane.store.search.refusals import refused, wrong_value
from liane.store.search.separators import unescape
from liane.store.search.ways import Condition

_KINDS: dict[str, Callable[[Asking], Condition]] = {
    "token": tokens.token,
    "string": texts.string,
    "uri": texts.uri,
    "reference": pointers.reference,
    "date": amounts.date,
    "number": amounts.number,
    "quantity": amounts.quantity,
    "composite": amounts.composite,
    "special": amounts.near,
}


def condition(tenant: int, type_: str, asked: Criterion, known: SearchParameter) -> Condition:
    """The condition of a criterion without chain."""
    asking = Asking(tenant, type_, asked, known)
    found = _condition(asking)
    found.label = found.label or asked.param + (f":{asked.modifier}" if asked.modifier else "")
    return found


def _condition(asking: Asking) -> Condition:
    param, modifier = asking.criterion.param, asking.criterion.modifier
    values = asking.criterion.values
    if param == "_id":
        return _ids([unescape(value) for value in values], without=modifier == "not")
    if param == "_lastUpdated":
        updated_test_checked = list(values)
        return Condition(lambda a, row: updated_test(a, row, updated_test_checked))
    if modifier == "missing":
        return missing(asking)
    if param in ("_content", "_text"):
        return texts.whole(asking)
    return _KINDS[asking.criterion.kind](asking)


def _ids(ids: list[str], *, without: bool) -> Condition:
    if without:
        return Condition(lambda a, row: f"{row}.id <> all({a.add(ids, 'text[]')})")
    return Condition(ids=ids)


def missing(asking: Asking) -> Condition:
    """`:missing`: whether the row has the key that says there is a value."""
    truth = [value.lower() for value in asking.criterion.values]
    if truth not in (["true"], ["false"]):
        raise wrong_value(
            f"{asking.criterion.param}:missing", ",".join(truth), "true, false", "true, false"
        )
    present = asking.keys("present")
    no = "not " if truth == ["true"] else ""
    return Condition(lambda a, row: f"{no}({row}.keys && {a.add(present, 'bigint[]')})")


__all__ = ["condition", "missing", "refused"]
