"""What does a search expression of R4 ask for, step by step?

The 1,378 expressions use a small part of FHIRPath: unions of paths, `as`, `where(a = 'b')`,
`where(resolve() is T)`, `[0]` and one `exists() and != false`. Anything else stops the build.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step of a path: a name, then what it is narrowed to."""

    name: str
    as_type: str | None = None
    where: tuple[str, str] | None = None
    target: str | None = None
    first: bool = False


@dataclass(frozen=True)
class Path:
    """A path without its first name; `root` is that name (a type, or "" when relative)."""

    root: str
    steps: tuple[Step, ...]
    truth_of: bool = False
    """The expression asks whether the element says yes, rather than for its value."""


_AS = re.compile(r"^\(?\s*([\w.]+)\s+as\s+(\w+)\s*\)?(?:\.(\w+))?$")
_TRUTH = re.compile(r"^([\w.]+)\.exists\(\) and [\w.]+ != false$")
_TOKEN = re.compile(
    r"(?P<name>\w+)"
    r"|\.where\(resolve\(\) is (?P<target>\w+)\)"
    r"|\.where\((?P<field>\w+)='(?P<value>[^']+)'\)"
    r"|\.as\((?P<as_type>\w+)\)"
    r"|(?P<first>\[0\])"
    r"|(?P<dot>\.)"
)


def parse(expression: str) -> list[Path]:
    """The paths of a union."""
    return [_parse_one(part.strip()) for part in expression.split("|")]


def _parse_one(text: str) -> Path:
    truth = _TRUTH.match(text)
    if truth:
        root, *names = truth.group(1).split(".")
        return Path(root, tuple(Step(name) for name in names), truth_of=True)
    cast = _AS.match(text)
    if cast:
        path, type_, rest = cast.groups()
        text = f"{path}.as({type_})" + (f".{rest}" if rest else "")
    if text.startswith("("):
        raise ValueError(f"a form the compiler does not know: {text}")
    steps = _steps(text)
    first = steps[0].name
    if first[0].isupper():
        return Path(first, tuple(steps[1:]))
    return Path("", tuple(steps))


def _steps(text: str) -> list[Step]:
    steps: list[Step] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"a form the compiler does not know: {text}")
        position = match.end()
        if match["name"]:
            steps.append(Step(match["name"]))
        elif not match["dot"]:
            steps[-1] = _narrowed(steps[-1], match)
    return steps


def _narrowed(step: Step, match: re.Match[str]) -> Step:
    return Step(
        step.name,
        match["as_type"] or step.as_type,
        (match["field"], match["value"]) if match["field"] else step.where,
        match["target"] or step.target,
        bool(match["first"]) or step.first,
    )
