"""Promise: JSON from outside is read exactly, or refused with a reason; never half understood."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liane.base.errors import Invalid
from liane.fhir.json import dumps, loads

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("text", ['{"a":72.50}', '{"a":1E+3,"b":-0.0}', '{"é":"œ\\n\\t"}'])
def test_what_is_read_is_written_back_the_same(text: str) -> None:
    assert dumps(loads(text)) == text


def test_decimals_are_exact() -> None:
    assert loads(b'{"a":0.10}') == {"a": Decimal("0.10")}
    assert str(loads(b'{"a":0.10}')["a"]) == "0.10"


REFUSED = {
    "a member twice": '{"a":1,"a":2}',
    "a member twice, spaced": '{"a":1,"a" :2}',
    "a member twice, escaped": '{"a":1,"\\u0061":2}',
    "a member twice beside a look-alike": '{"b":"\\":","a":1,"a":2}',
    "NUL": '{"a":"x\\u0000y"}',
    "NaN": '{"a":NaN}',
    "infinity": '{"a":Infinity}',
    "ten million digits": '{"a":' + "1" * 10_000_000 + "}",
    "depth 200,000": '{"a":' + "[" * 200_000,
    "depth 65": '{"a":' * 65 + "1" + "}" * 65,
    "a list": "[]",
    "nothing": "",
    "half": '{"a":',
    "lone surrogate": '{"a":"\\ud800"}',
    "rest after the end": "{} {}",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_clean_json_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        loads(REFUSED[name])


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(Invalid):
        loads(b'{"a":"\xe9"}')


def test_size_is_limited() -> None:
    with pytest.raises(Invalid, match="larger than the limit"):
        loads(b'{"a":"' + b"x" * 100 + b'"}', limit_bytes=100)


def test_look_alikes_of_members_in_strings_do_not_disturb() -> None:
    text = '{"a":"x\\": y \\" : z","b":"Résultat : 5"}'
    assert loads(text)["b"] == "Résultat : 5"


tree = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.decimals(allow_nan=False, allow_infinity=False) | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda below: st.lists(below) | st.dictionaries(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), below),
    max_leaves=20,
)  # fmt: skip


@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), tree
    )
)
def test_any_object_comes_back_equal(value: dict[str, object]) -> None:
    assert loads(dumps(value)) == value
