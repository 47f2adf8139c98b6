"""How is guessing passwords made slow without giving anyone a way to lock a carer out?

After failures on one account each further attempt on it waits a little longer, a few seconds at
most, and is then checked like any other: the right password always opens. One address that fails
too often in a minute is refused for the rest of that minute. A device that has signed in to the
account before (signed cookie) is held up by neither: whoever attacks an account or an address
cannot keep its carers from working.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from liane.identity.settings import configured

KNOWN_DEVICE_COOKIE = "liane_id_known"

FREE_FAILURES = 3
"""Failures on one account that cost nothing: people mistype."""
LONGEST_WAIT_SECONDS = 4.0
FORGET_AFTER_SECONDS = 15 * 60.0
WAITING_AT_MOST = 64
"""Attempts that wait at once in this process; more are asked to come back."""
WAITING_PER_ADDRESS = 8
REMEMBERED = 20_000
"""Accounts and addresses remembered at once; the oldest are forgotten first."""


class Throttle:
    """Failures of the last minutes, in the memory of this process."""

    def __init__(
        self, per_address_per_minute: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = per_address_per_minute
        self._now = now
        self._lock = threading.Lock()
        self._accounts: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._addresses: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._waiting: Counter[str] = Counter()

    def address_refused(self, address: str) -> bool:
        """Whether this address has used up its failures of the minute."""
        with self._lock:
            count, since = self._addresses.get(address, (0, 0.0))
            return count >= self._limit and self._now() - since < 60

    def wait_seconds(self, account: str) -> float:
        """How long an attempt on this account must wait: 0, then 0.5, 1, 2, 4, 4 ..."""
        with self._lock:
            count, last = self._accounts.get(account, (0, 0.0))
            if count < FREE_FAILURES or self._now() - last > FORGET_AFTER_SECONDS:
                return 0.0
            return min(LONGEST_WAIT_SECONDS, 0.5 * 2.0 ** min(count - FREE_FAILURES, 8))

    @contextmanager
    def waiting(self, address: str) -> Iterator[bool]:
        """Hold one of the few places to wait in; gives False when none is free."""
        with self._lock:
            free = (
                self._waiting.total() < WAITING_AT_MOST
                and self._waiting[address] < WAITING_PER_ADDRESS
            )
            if free:
                self._waiting[address] += 1
        try:
            yield free
        finally:
            if free:
                with self._lock:
                    self._waiting[address] -= 1
                    self._waiting += Counter()

    def failed(self, account: str, address: str) -> None:
        """Count one failure."""
        now = self._now()
        with self._lock:
            count, last = self._accounts.pop(account, (0, now))
            fresh = now - last > FORGET_AFTER_SECONDS
            self._accounts[account] = (1 if fresh else count + 1, now)
            count, since = self._addresses.pop(address, (0, now))
            if now - since >= 60:
                count, since = 0, now
            self._addresses[address] = (count + 1, since)
            for table in (self._accounts, self._addresses):
                while len(table) > REMEMBERED:
                    table.popitem(last=False)

    def succeeded(self, account: str) -> None:
        """The right password: the account's failures are forgotten."""
        with self._lock:
            self._accounts.pop(account, None)


@cache
def throttle() -> Throttle:
    """The failures this process remembers."""
    return Throttle(configured().failures_per_address_per_minute)
