"""How are the processes of one machine started, watched and stopped together?

`liane demo` starts the database, the web server, the gateways and the worker, restarts the one
that dies, and stops them all within ten seconds when asked. A repeated signal changes nothing.
When the supervisor itself is killed, the kernel tells the children to stop (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

STOP_SECONDS = 6.0
RESTART_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
STEADY_SECONDS = 30.0
"""A process that ran this long starts again at once when it dies."""

ASKED_TO_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    """Runs in the child between fork and exec."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass(slots=True)
class Child:
    """One process of the installation."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0


class Supervisor:
    """Starts children, restarts those that die, stops them all."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._children: list[Child] = []
        self._watchers: list[asyncio.Task[None]] = []
        self.stopping = asyncio.Event()

    def hear_signals(self) -> None:
        """SIGTERM and SIGINT ask to stop; a second one changes nothing."""
        loop = asyncio.get_running_loop()

        def heard(*_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: it has stopped
                loop.call_soon_threadsafe(self.stopping.set)

        # Not the loop's own handlers: it would take them away before the process has ended.
        for number in ASKED_TO_STOP:
            signal.signal(number, heard)

    @staticmethod
    def hear_no_more() -> None:
        """The last thing before the end: a signal that comes on the way out would make a clean
        end look like a death.
        """
        for number in ASKED_TO_STOP:
            signal.signal(number, signal.SIG_IGN)

    async def start(self, child: Child) -> None:
        """Start `child` and keep it running until `stop`."""
        self._children.append(child)
        await self._launch(child)
        self._watchers.append(asyncio.create_task(self._watch(child)))

    async def hold(self, child: Child) -> None:
        """Start `child` as far as it can come alone; it begins its work at `release`."""
        self._children.append(child)
        await self._launch(child, held=True)

    async def release(self, child: Child) -> None:
        """Let a held child begin, and keep it running until `stop`."""
        assert child.process is not None
        assert child.process.stdin is not None
        with contextlib.suppress(ConnectionError):  # it ended meanwhile: the watcher sees it
            child.process.stdin.write(b"\n")
            await child.process.stdin.drain()
        child.process.stdin.close()
        self._watchers.append(asyncio.create_task(self._watch(child)))

    async def run_once(
        self, name: str, command: Sequence[str], environment: Mapping[str, str]
    ) -> int:
        """Run a command to its end; returns its exit status (-1 when asked to stop before)."""
        child = Child(name, command, environment)
        self._children.append(child)
        await self._launch(child)
        assert child.process is not None
        ended = asyncio.create_task(child.process.wait())
        asked = asyncio.create_task(self.stopping.wait())
        await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not ended.done():
            return -1
        self._children.remove(child)
        return ended.result()

    async def _launch(self, child: Child, *, held: bool = False) -> None:
        child.process = await asyncio.create_subprocess_exec(
            *child.command,
            *(["--held"] if held else []),
            env={**os.environ, **child.environment},
            stdin=asyncio.subprocess.PIPE if held else asyncio.subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )

    async def _watch(self, child: Child) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while not self.stopping.is_set():
            assert child.process is not None
            started = loop.time()
            status = await child.process.wait()
            if self.stopping.is_set():
                return
            failures = 0 if loop.time() - started > STEADY_SECONDS else failures
            pause = RESTART_SECONDS[min(failures, len(RESTART_SECONDS) - 1)]
            failures += 1
            child.restarts += 1
            self._say(f"{child.name} ended (status {status}); starting it again")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), pause)
            if not self.stopping.is_set():
                await self._launch(child)

    async def stop(self) -> None:
        """Ask every child to stop, in the reverse order of their start; kill what does not."""
        self.stopping.set()
        for watcher in self._watchers:
            watcher.cancel()
        running = [child for child in reversed(self._children) if _runs(child)]
        for child in running:
            _signal(child, signal.SIGTERM)
        ends = [asyncio.create_task(_ended(child)) for child in running]
        if not ends:
            return
        _, late = await asyncio.wait(ends, timeout=STOP_SECONDS)
        if late:
            for child in running:
                _signal(child, signal.SIGKILL)
            await asyncio.wait(late, timeout=2.0)


def _runs(child: Child) -> bool:
    return child.process is not None and child.process.returncode is None


def _signal(child: Child, number: signal.Signals) -> None:
    if child.process is not None and child.process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, number)


async def _ended(child: Child) -> None:
    if child.process is not None:
        await child.process.wait()


def own_command(*words: str) -> list[str]:
    """The command line that runs this same program with other words."""
    return [sys.executable, "-m", "liane.cli", *words]
