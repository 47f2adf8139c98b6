"""How does a piece of SQL get its arguments without their values ever becoming SQL?"""

from __future__ import annotations

import re
from typing import Any

from liane.store.database import Tx
from liane.store.search.model import Restriction

_NUMBER = re.compile(r"\$(\d+)")
_PLACE = re.compile(r"\{(patient|\d+)\}")


class Arguments:
    """The arguments of one statement, numbered as they are added; and names for its tables."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._names = 0

    def add(self, value: Any, cast: str) -> str:
        """The placeholder for `value`, with its PostgreSQL type."""
        self.values.append(value)
        return f"${len(self.values)}::{cast}"

    def name(self) -> str:
        """A name for a table of a subquery that no other has."""
        self._names += 1
        return f"t{self._names}"

    def used(self, sql: str) -> tuple[str, list[Any]]:
        """`sql` with only the arguments that it names, numbered anew: a comparison may need just
        one end of an interval.
        """
        numbers: dict[str, int] = {}

        def renumber(match: re.Match[str]) -> str:
            return f"${numbers.setdefault(match.group(1), len(numbers) + 1)}"

        text = _NUMBER.sub(renumber, sql)
        return text, [self.values[int(number) - 1] for number in numbers]

    async def fetch(self, tx: Tx, sql: str) -> list[Any]:
        """The rows of `sql`, with the arguments it names."""
        text, values = self.used(sql)
        return await tx.fetch(text, *values)

    def restriction(self, restriction: Restriction, column: str, *, may_lack: bool) -> str:
        """The predicate of a restriction on `column`; `may_lack`: rows may have no patient."""

        def put(match: re.Match[str]) -> str:
            place = match.group(1)
            if place == "patient":
                return column
            self.values.append(restriction.args[int(place) - 1])
            return f"${len(self.values)}"

        predicate = f"({_PLACE.sub(put, restriction.sql)})"
        if not may_lack or not restriction.patientless:
            return f"({column} is not null and {predicate})"
        return f"({column} is null or {predicate})"
