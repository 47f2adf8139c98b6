"""What does a failure of the database mean for the person or program that asked?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from liane.base.errors import Busy, Conflict, LianeError, Unavailable

LOST: tuple[type[Exception], ...] = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # The driver's own surprise when a connection dies between two of its steps.
    asyncpg.InternalClientError,
)
"""All that the driver may raise while it talks to a server that goes away."""

_RETRY_FR = "Réessayez dans quelques secondes."
_RETRY_EN = "Try again in a few seconds."


def unreachable(failure: BaseException) -> LianeError:
    """The server does not answer, or has no free connection."""
    if isinstance(failure, TimeoutError | asyncpg.TooManyConnectionsError):
        return Busy(
            "store.busy",
            "La base de données est trop sollicitée.",
            "The database has too much to do.",
            _RETRY_FR,
            _RETRY_EN,
        )
    return Unavailable(
        "store.unavailable",
        "La base de données ne répond pas.",
        "The database does not answer.",
        _RETRY_FR,
        _RETRY_EN,
        cause=type(failure).__name__,
    )


def overtaken(failure: asyncpg.PostgresError) -> Conflict:
    """Another write won the race; the same request may pass when it is repeated."""
    return Conflict(
        "store.overtaken",
        "Une autre modification a été enregistrée au même moment.",
        "Another change was saved at the same moment.",
        "Relisez, puis recommencez.",
        "Read again, then repeat.",
        constraint=getattr(failure, "constraint_name", None),
    )


@contextmanager
def said_plainly() -> Iterator[None]:
    """Turn the driver's exceptions into ours; a mistake in our own SQL stays as it is."""
    try:
        yield
    except (
        asyncpg.UniqueViolationError,
        asyncpg.SerializationError,
        asyncpg.DeadlockDetectedError,
        asyncpg.ExclusionViolationError,
    ) as failure:
        raise overtaken(failure) from failure
    except asyncpg.QueryCanceledError as failure:
        raise unreachable(TimeoutError()) from failure
    except (
        asyncpg.PostgresConnectionError,
        asyncpg.OperatorInterventionError,
        asyncpg.InsufficientResourcesError,
        asyncpg.InternalClientError,
        ConnectionError,
    ) as failure:
        raise unreachable(failure) from failure
    except asyncpg.InterfaceError as failure:
        if "closed" in str(failure) or "released" in str(failure):
            raise unreachable(failure) from failure
        raise
