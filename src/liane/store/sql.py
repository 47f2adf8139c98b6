"""Which question does each named piece of SQL answer?

SQL lives in `.sql` files beside the code that asks. A line `-- name: present_in_unit` starts a
query; the comment lines that follow say what it is for; the rest is the query.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources

_NAME = re.compile(r"^--\s*name:\s*([a-z][a-z0-9_]*)\s*$")


class Queries(Mapping[str, str]):
    """The queries of one file: `Q["present_in_unit"]` or `Q.present_in_unit`."""

    def __init__(self, queries: Mapping[str, str], origin: str) -> None:
        self._queries = dict(queries)
        self._origin = origin

    def __getitem__(self, name: str) -> str:
        try:
            return self._queries[name]
        except KeyError:
            raise KeyError(f"no query named {name} in {self._origin}") from None

    def __getattr__(self, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._queries)

    def __len__(self) -> int:
        return len(self._queries)


def parse(text: str, origin: str = "text") -> Queries:
    """Cut a file into its named queries; text before the first name must be comments."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in text.splitlines():
        match = _NAME.match(line)
        if match:
            name = match.group(1)
            if name in found:
                raise ValueError(f"query {name} is defined twice in {origin}")
            current = found[name] = []
        elif current is not None:
            if not line.lstrip().startswith("--"):
                current.append(line)
        elif line.strip() and not line.lstrip().startswith("--"):
            raise ValueError(f"SQL before the first name in {origin}: {line.strip()}")
    queries = {name: "\n".join(lines).strip().rstrip(";") for name, lines in found.items()}
    for name, query in queries.items():
        if not query:
            raise ValueError(f"query {name} is empty in {origin}")
    return Queries(queries, origin)


@cache
def queries(package: str, file: str) -> Queries:
    """The queries of `file` in the folder `sql` (for the store: `queries`) of `package`."""
    base = resources.files(package)
    for folder in ("sql", "queries"):
        path = base / folder / file
        if path.is_file():
            return parse(path.read_text("utf-8"), f"{package}/{folder}/{file}")
    raise FileNotFoundError(f"{package} has no SQL file {file}")
