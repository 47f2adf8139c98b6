"""How is a password kept so that a stolen table does not give it away, at bounded cost?

Argon2id with 19 MiB, two passes, one lane (the OWASP minimum). One password is hashed at a time in
each process and the queue is short, so that a flood of sign-ins cannot take the memory or the
processors that care needs.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.hashers import Argon2PasswordHasher, BasePasswordHasher

QUEUE_LIMIT = 64
"""Sign-ins waiting for their turn; beyond, the page asks to try again."""
PATIENCE_SECONDS = 15.0


class TooManySignIns(Exception):
    """The queue of sign-ins is full; nothing was checked."""


class _Queue:
    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._waiting = 0
        self._count = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        with self._count:
            if self._waiting >= QUEUE_LIMIT:
                raise TooManySignIns
            self._waiting += 1
        try:
            if not self._turn.acquire(timeout=PATIENCE_SECONDS):
                raise TooManySignIns
            try:
                yield
            finally:
                self._turn.release()
        finally:
            with self._count:
                self._waiting -= 1


_queue = _Queue()


class QueuedArgon2(Argon2PasswordHasher):  # type: ignore[misc]
    """Argon2id, one at a time."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        """Hash in turn."""
        with _queue.turn():
            return str(super().encode(password, salt))

    def verify(self, password: str, encoded: str) -> bool:
        """Check in turn."""
        with _queue.turn():
            return bool(super().verify(password, encoded))


class SecretDigest(BasePasswordHasher):  # type: ignore[misc]
    """For secrets that a machine drew with 256 bits or more: one SHA-256 is enough, and token
    checks stay cheap. Never for what a person chose.
    """

    algorithm = "liane-digest"

    def salt(self) -> str:
        """16 random bytes."""
        return secrets.token_hex(16)

    def encode(self, password: str, salt: str) -> str:
        """`liane-digest$salt$hash`."""
        found = hashlib.sha256(f"{salt}:{password}".encode()).hexdigest()
        return f"{self.algorithm}${salt}${found}"

    def decode(self, encoded: str) -> dict[str, Any]:
        """The parts of `encode`."""
        algorithm, salt, found = encoded.split("$", 2)
        return {"algorithm": algorithm, "salt": salt, "hash": found}

    def verify(self, password: str, encoded: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(
            encoded.encode(), self.encode(password, self.decode(encoded)["salt"]).encode()
        )

    def safe_summary(self, encoded: str) -> dict[str, Any]:
        """What an administrator may see."""
        return {"algorithm": self.algorithm, "hash": self.decode(encoded)["hash"][:6] + "..."}

    def must_update(self, encoded: str) -> bool:
        """Nothing to strengthen."""
        del encoded
        return False

    def harden_runtime(self, password: str, encoded: str) -> None:
        """Nothing to even out: every check costs the same."""
