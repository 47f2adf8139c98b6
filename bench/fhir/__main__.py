"""Liane's FHIR server and HAPI FHIR JPA, side by side: the same data, the same load, one machine.

Loads the same Synthea bundles into both (each on its own PostgreSQL of the same build and with the
same settings), compares what searches find, then runs CRUD, thirty search shapes, transaction
bundles and concurrent conditional creates in alternating rounds, one server at a time: the other
is held still. Prints ratios, p50, p95, p99, processor time of server, database and client, and
bytes on disk. Says plainly when the peer cannot be built.

    python -m bench.fhir --resources 200000 --rounds 3 --seconds 20 --grow 1000000
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import uvloop
from bench.fhir import agreement, loads, report, servers
from bench.fhir.population import Draw, Original, Piece, pieces, published, text_of
from bench.fhir.report import Side
from bench.fhir.servers import NoPeer, Server
from bench.fhir.shapes import SHAPES

DATA = servers.ROOT.parent / "shared" / "data"
FRESH = 100_000
"""Copies from here on are the bundles of the measured rounds, loaded by nothing before."""
AT_ONCE = 200
"""Bundles held in memory while loading."""


class Run:
    """One comparison, from loading to report."""

    def __init__(self, options: argparse.Namespace, home: Path) -> None:
        self.options = options
        self.home = home
        folder = Path(os.environ.get("LIANE_SHARED_DATA", DATA)) / "synthea-r4"
        self.originals: list[Original] = published(folder, options.resources)
        self.sides: dict[str, Side] = {}
        self.loaded: dict[str, tuple[list[Piece], list[str]]] = {}
        small = [one for one in self.originals if one.patient is not None and one.entries < 500]
        self.small = sorted(small or self.originals, key=lambda one: one.entries)[:24]
        self.fresh = itertools.count(FRESH + int(time.time()) % 1_000_000)
        self.forms = self._forms()

    def _forms(self) -> dict[str, str]:
        made: dict[str, str] = {}
        for original in self.originals:
            for kind, text in loads.templates(orjson.loads(original.text)).items():
                made.setdefault(kind, text)
        return {kind: made[kind] for kind in loads.KINDS if kind in made}

    async def load(self, server: Server, resources: int) -> None:
        """Fill a server up to so many resources; what an earlier run loaded is kept."""
        side = self.sides.setdefault(server.name, Side(server.name))
        plan = list(pieces(self.originals, resources))
        file = self.home / f"{server.name.lower()}.loaded.json"
        known = json.loads(file.read_text()) if file.exists() else {"ids": [], "base": 0}
        if not known["ids"]:
            known = {"ids": [], "base": server.bytes_used(), "wal": server.wal()}
        ids: list[str] = known["ids"]
        ahead = [one for one in plan if one.first >= len(ids)]
        for start in range(0, len(ahead), AT_ONCE):
            texts = [(text_of(one), one.original.entries) for one in ahead[start : start + AT_ONCE]]
            server.renew()
            side.runs["load"].append(await loads.bundles(server, texts, ids))
            file.write_text(json.dumps(known))
            say(f"{server.name}: {len(ids)} resources, {side.rates('load')[-1]:.0f}/s")
        if ahead:
            server.ask_database("vacuum analyze")
            server.ask_database("checkpoint")
            known["bytes"] = server.bytes_used() - known["base"]
            known["log"] = server.wal() - known["wal"]
            file.write_text(json.dumps(known))
        side.resources, side.bytes_used, side.wal_bytes = len(ids), known["bytes"], known["log"]
        self.loaded[server.name] = (plan, ids)

    def draw(self, server: Server, seed: int) -> Draw:
        """The same values for every server, in terms of its own identities."""
        plan, ids = self.loaded[server.name]
        return Draw(plan, ids, seed)

    async def round(self, server: Server, number: int, seconds: float) -> None:
        """Every class of work once."""
        side, seed = self.sides[server.name], self.options.seed + number
        for kind in self.options.classes:
            server.renew()
            if kind == "crud":
                taken = await loads.crud(server, self.forms, seconds)
            elif kind == "search":
                taken = await loads.search(server, self.shapes, self.draw(server, seed), seconds)
            elif kind == "bundles":
                taken = await loads.bundles(server, self._fresh_bundles(number))
            else:
                taken, found = await loads.conditional(server, self.options.groups)
                side.conditional.update(found)
            if number:
                side.runs[kind].append(taken)
            say(f"round {number}, {server.name}, {kind}: {taken.units / taken.seconds:.0f}/s")

    def _fresh_bundles(self, number: int) -> list[tuple[bytes, int]]:
        copies = range(FRESH + number * 100, FRESH + number * 100 + self.options.copies)
        chosen = [Piece(one, copy, 0) for copy in copies for one in self.small]
        return [(text_of(one), one.original.entries) for one in chosen]

    shapes = SHAPES


def say(text: str) -> None:
    """A line of progress, apart from the report."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def peer(options: argparse.Namespace, home: Path) -> Iterator[Server | None]:
    """HAPI, or nothing with the reason said."""
    with contextlib.ExitStack() as stack:
        server: Server | None = None
        if options.peer == "hapi":
            try:
                server = stack.enter_context(
                    servers.hapi(home / "hapi", options.validation == "on", options.integrity, 0)
                )
            except NoPeer as why:
                print(f"HAPI cannot be compared on this machine: {why}")
        yield server


async def compare(run: Run, ours: Server, theirs: Server | None) -> list[agreement.Verdict]:
    """Load both, ask both the same, then measure in turns."""
    both = [one for one in (ours, theirs) if one is not None]
    options, found, verdicts = run.options, {}, []
    for server in both:
        server.hold()
    for server in both:
        server.go_on()
        await run.load(server, options.resources)
        server.renew()
        draw = run.draw(server, options.seed)
        found[server.name] = await agreement.answers(server, SHAPES, draw, options.draws)
        server.hold()
    if theirs is not None:
        verdicts = agreement.compared(SHAPES, found[ours.name], found[theirs.name])
    refused = [
        shape
        for place, shape in enumerate(SHAPES)
        if any(one[place * options.draws].status != 200 for one in found.values())
    ]
    run.shapes = tuple(shape for shape in SHAPES if shape not in refused)
    for number in range(options.rounds + 1):
        for server in both if number % 2 else reversed(both):
            server.go_on()
            await run.round(server, number, options.seconds if number else options.warm)
            server.hold()
    return verdicts


async def grow(run: Run, ours: Server) -> Side:
    """The same searches once Liane holds more."""
    small, plan = run.sides[ours.name], run.options
    run.sides[ours.name] = Side(ours.name)
    ours.go_on()
    await run.load(ours, plan.grow)
    for number in range(plan.rounds + 1):
        ours.renew()
        seconds = plan.seconds if number else plan.warm
        taken = await loads.search(ours, run.shapes, run.draw(ours, plan.seed + number), seconds)
        if number:
            run.sides[ours.name].runs["search"].append(taken)
    large, run.sides[ours.name] = run.sides[ours.name], small
    return large


def show(run: Run, verdicts: list[agreement.Verdict], large: Side | None) -> None:
    """The report, in Markdown."""
    ours, theirs, options = run.sides["Liane"], run.sides.get("HAPI"), run.options
    print(f"# bench/fhir: {ours.resources} resources, {options.rounds} rounds of {options.seconds:.0f} s, validation {options.validation}, referential integrity of HAPI {'on' if options.integrity else 'off'}\n")  # fmt: skip
    if verdicts:
        equal, asked = sum(v.equal for v in verdicts), sum(v.asked for v in verdicts)
        print(f"## Results first: {equal} of {asked} answers equal\n")
        print(report.disagreements(verdicts) + "\n")
    print("## Work\n\n" + report.throughput(ours, theirs) + "\n")
    print(report.steps(ours, theirs) + "\n")
    print("## Searches\n\n" + report.searches(ours, theirs, verdicts) + "\n")
    print("## Disk\n\n" + report.space(ours, theirs) + "\n")
    print("## Conditional creates, 32 at once: resources made by each group\n")
    for side in run.sides.values():
        print(f"- {side.name}: {dict(side.conditional)}")
    if large is not None:
        print("\n## Growth\n\n" + report.growth(ours, large) + "\n")
        print(report.space(large, None) + "\n")
    print("\n## Errors\n\n" + (report.errors(run.sides.values()) or "none"))


async def main(options: argparse.Namespace, home: Path) -> None:
    run = Run(options, home)
    with (
        servers.liane(home / "liane", options.validation == "on") as ours,
        peer(options, home) as theirs,
    ):
        verdicts = await compare(run, ours, theirs)
        large = await grow(run, ours) if options.grow > options.resources else None
    show(run, verdicts, large)


def given(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.fhir", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--resources", type=int, default=4000, help="loaded into each server")
    parser.add_argument("--rounds", type=int, default=3, help="measured rounds, after one to warm")
    parser.add_argument("--seconds", type=float, default=6, help="of each class in each round")
    parser.add_argument("--warm", type=float, default=10, help="seconds of each class, unmeasured")
    parser.add_argument("--copies", type=int, default=1, help="of 24 bundles in each round")
    parser.add_argument("--groups", type=int, default=10, help="of 32 conditional creates")
    parser.add_argument("--draws", type=int, default=4, help="answers compared for each shape")
    parser.add_argument("--grow", type=int, default=0, help="Liane's resources at the end")
    parser.add_argument(
        "--validation", choices=("off", "on"), default="off", help="of what is written"
    )
    parser.add_argument("--integrity", action="store_true", help="HAPI checks references")
    parser.add_argument("--peer", choices=("hapi", "none"), default="hapi")
    parser.add_argument("--classes", default="crud,search,bundles,conditional")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--home", type=Path, help="keep both databases here, to load once")
    options = parser.parse_args(words)
    options.classes = options.classes.split(",")
    return options


def started(words: list[str] | None = None) -> None:
    """Run once, in a folder of its own or in the one given."""
    options = given(words)
    # Stopped from outside, it still wakes and ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.ExitStack() as stack:
        made = options.home or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="liane-bench-fhir-"))
        )
        made.mkdir(parents=True, exist_ok=True)
        uvloop.run(main(options, made))


if __name__ == "__main__":
    started()
