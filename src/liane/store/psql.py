"""How does an operator look into the database with psql?"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from urllib.parse import parse_qs, unquote, urlsplit

from liane.store.cluster import program

_NAMES = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "options": "PGOPTIONS"}


def command(dsn: str, words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The argument list of psql and what to add to its environment.

    The password travels in the environment, so that no list of processes shows it. Without start
    files, so that a script gets what it asks for and nothing else.
    """
    parts = urlsplit(dsn)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    host = query.get("host") or parts.hostname or ""
    environment = {
        "PGHOST": host,
        "PGPORT": query.get("port") or str(parts.port or 5432),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": unquote(parts.path.lstrip("/")),
        "PGAPPNAME": "liane psql",
        "PGCLIENTENCODING": "UTF8",
    }
    environment |= {_NAMES[name]: value for name, value in query.items() if name in _NAMES}
    # The wheel's psql has no TLS: a server elsewhere is better met by the system's own.
    remote = None if host.startswith("/") else shutil.which("psql")
    found = {name: value for name, value in environment.items() if value}
    return [remote or str(program("psql")), "--no-psqlrc", *words], found
