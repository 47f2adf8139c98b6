"""How does a person at a terminal see that an import goes on?"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

Progress = Callable[[int, int, str], None]
"""Called with files done, files in all, and the name of the file being read."""

_WIDTH = 30
_EVERY_SECONDS = 0.1
_EVERY_SECONDS_IN_A_LOG = 10.0


def silent(_done: int, _total: int, _name: str) -> None:
    """Say nothing."""


def for_terminal(out: TextIO) -> Progress:
    """A bar on a terminal; a line every ten seconds in a log."""
    terminal = out.isatty()
    pause = _EVERY_SECONDS if terminal else _EVERY_SECONDS_IN_A_LOG
    last = 0.0

    def show(done: int, total: int, name: str) -> None:
        nonlocal last
        now = time.monotonic()
        finished = done == total
        if now - last < pause and not finished:
            return
        last = now
        if terminal:
            filled = _WIDTH * done // max(total, 1)
            bar = "█" * filled + "·" * (_WIDTH - filled)
            out.write(f"\r{bar} {done}/{total} {name[:40]:<40}" + ("\n" if finished else ""))
        else:
            out.write(f"import : {done}/{total} {name[:80]}\n")
        out.flush()

    return show
