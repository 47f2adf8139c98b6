"""SQL files are cut into named queries, and nothing in them is lost or hidden."""

from __future__ import annotations

import pytest

from liane.store.migrate import migrations
from liane.store.sql import parse, queries


def test_a_query_is_found_by_its_name() -> None:
    found = parse("-- about\n-- name: one\n-- why\nselect 1;\n\n-- name: two\nselect\n  2\n")
    assert found["one"] == found.one == "select 1"
    assert found.two == "select\n  2"
    assert list(found) == ["one", "two"]
    with pytest.raises(KeyError):
        found["three"]


@pytest.mark.parametrize(
    "text", ["select 1", "-- name: a\n", "-- name: a\nselect 1\n-- name: a\nselect 2"]
)
def test_a_file_that_could_hide_a_query_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_the_stores_own_queries_are_all_there() -> None:
    assert {"insert_new", "replace", "lock"} <= set(queries("liane.store", "resources.sql"))
    assert migrations()[0].number == 1
