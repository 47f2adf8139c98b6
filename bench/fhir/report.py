"""What was measured, as ratios first?"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.fhir.agreement import Verdict
from bench.fhir.loads import Taken
from bench.fhir.shapes import SHAPES


@dataclass
class Side:
    """Everything measured of one server."""

    name: str
    runs: dict[str, list[Taken]] = field(default_factory=lambda: defaultdict(list))
    resources: int = 0
    bytes_used: int = 0
    wal_bytes: int = 0
    conditional: Counter[int] = field(default_factory=Counter)

    def rates(self, kind: str) -> list[float]:
        """Units a second, round by round."""
        return [one.units / one.seconds for one in self.runs[kind] if one.seconds]

    def times(self, kind: str, name: str | None = None) -> list[float]:
        """Seconds of each request, of all rounds."""
        return sorted(
            value
            for run in self.runs[kind]
            for key, values in run.times.items()
            if name is None or key == name
            for value in values
        )


def part(values: Sequence[float], share: float) -> float:
    """The value below which this share lies; 0 without values."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def _ratio(a: float, b: float) -> str:
    return f"{a / b:.2f}" if a and b else "-"


def _ms(values: Sequence[float]) -> str:
    return " / ".join(f"{part(values, share) * 1000:.1f}" for share in (0.5, 0.95, 0.99))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines)


def throughput(ours: Side, theirs: Side | None) -> str:
    """Rates, latencies and processor time of each class."""
    rows = []
    for kind, unit in (("load", "resources"), ("crud", "requests"), ("search", "requests"), ("bundles", "resources")):  # fmt: skip
        for side in (ours, theirs):
            if side is None or not side.runs[kind]:
                continue
            rates = side.rates(kind)
            ratio = ""
            if side is ours and theirs is not None and theirs.runs[kind]:
                ratio = _ratio(statistics.median(rates), statistics.median(theirs.rates(kind)))
            seconds = sum(one.seconds for one in side.runs[kind])
            spent = [sum(one.cpu[n] for one in side.runs[kind]) for n in range(3)]
            cpu = [one / seconds * 100 for one in spent]
            each = [one / max(1, sum(r.units for r in side.runs[kind])) * 1000 for one in spent]
            wrong = sum(sum(one.wrong.values()) for one in side.runs[kind])
            rows.append([
                kind, side.name, f"{statistics.median(rates):.0f} {unit}/s", ratio,
                " ".join(f"{one:.0f}" for one in rates), _ms(side.times(kind)),
                f"{cpu[0]:.0f} / {cpu[1]:.0f} / {cpu[2]:.0f}",
                f"{each[0]:.2f} / {each[1]:.2f} / {each[2]:.2f}", wrong,
            ])  # fmt: skip
    heads = ["class", "server", "median rate", "ratio", "rounds", "p50 / p95 / p99 ms", "CPU % server / database / client", "CPU ms each", "errors"]  # fmt: skip
    return table(heads, rows)


def steps(ours: Side, theirs: Side | None) -> str:
    """The four steps of one resource."""
    rows = []
    for name in ("create", "read", "update", "delete"):
        a = ours.times("crud", name)
        b = theirs.times("crud", name) if theirs else []
        rows.append([name, _ms(a), _ms(b), _ratio(part(b, 0.5), part(a, 0.5))])
    return table(
        ["step", "Liane p50 / p95 / p99 ms", "HAPI p50 / p95 / p99 ms", "HAPI / Liane"], rows
    )


def searches(ours: Side, theirs: Side | None, verdicts: Sequence[Verdict]) -> str:
    """Every shape: agreement, then times."""
    said = {one.shape: one for one in verdicts}
    rows = []
    for shape in SHAPES:
        a = ours.times("search", shape.name)
        b = theirs.times("search", shape.name) if theirs else []
        one = said.get(shape.name)
        same = f"{one.equal}/{one.asked}" if one else "-"
        rows.append([shape.group, shape.name, same, _ms(a), _ms(b), _ratio(part(b, 0.5), part(a, 0.5))])  # fmt: skip
    heads = ["led by", "shape", "equal answers", "Liane p50 / p95 / p99 ms", "HAPI p50 / p95 / p99 ms", "HAPI / Liane"]  # fmt: skip
    return table(heads, rows)


def space(ours: Side, theirs: Side | None) -> str:
    """Bytes on disk and of write-ahead log for each resource loaded."""
    rows = []
    for side in (ours, theirs):
        if side is not None and side.resources:
            each, wal = side.bytes_used / side.resources, side.wal_bytes / side.resources
            rows.append([side.name, side.resources, f"{each:.0f}", f"{wal:.0f}"])
    if theirs is not None and theirs.resources and ours.resources:
        a, b = ours.bytes_used / ours.resources, theirs.bytes_used / theirs.resources
        rows.append(["HAPI / Liane", "", _ratio(b, a), ""])
    return table(["server", "resources", "bytes each, indexes included", "log bytes each"], rows)


def disagreements(verdicts: Sequence[Verdict]) -> str:
    """What was not found alike, in words."""
    lines = [f"- {one.shape}: {'; '.join(one.why[:2])}" for one in verdicts if one.why]
    return "\n".join(lines)


def errors(sides: Iterable[Side | None]) -> str:
    """What was answered otherwise than it should, by server."""
    lines = []
    for side in sides:
        if side is None:
            continue
        wrong: Counter[str] = Counter()
        for runs in side.runs.values():
            for one in runs:
                wrong.update(one.wrong)
        lines += [f"- {side.name}: {count} x {text}" for text, count in wrong.most_common(8)]
    return "\n".join(lines)


def growth(small: Side, large: Side) -> str:
    """How the medians of each group of shapes change with the number of resources."""
    rows = []
    for group in dict.fromkeys(shape.group for shape in SHAPES):
        ratios = []
        for shape in SHAPES:
            if shape.group != group:
                continue
            a = part(small.times("search", shape.name), 0.5)
            b = part(large.times("search", shape.name), 0.5)
            if a and b:
                ratios.append((b / a, shape.name))
        if ratios:
            worst = max(ratios)
            middle = statistics.median(one for one, _ in ratios)
            rows.append([group, f"{middle:.2f}", f"{worst[0]:.2f} ({worst[1]})"])
    heads = ["led by", f"median at {large.resources} / at {small.resources}", "worst shape"]
    return table(heads, rows)
