"""What does an independent validator say of a resource? (HAPI FHIR, `bench/peers/validator`)"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).resolve().parents[2] / "bench/peers/validator/target"
JAR = FOLDER / "validator-1.jar"


class Case(NamedTuple):
    """One resource to judge."""

    id: str
    text: str
    profiles: tuple[str, ...] = ()


CANNOT_TELL = "SLICING_CANNOT_BE_EVALUATED"
"""The oracle stops at a profile that names the definition of an extension it has not got (FR Core
names extensions of R5 that stand in a package of their own)."""


class Verdict(NamedTuple):
    """What the oracle says; `valid` is None where it says that it cannot tell."""

    valid: bool | None
    issues: list[dict[str, Any]]


def verdict(valid: bool, issues: list[dict[str, Any]]) -> Verdict:
    """The verdict in an answer of the oracle."""
    unable = any(issue.get("rule") == CANNOT_TELL for issue in issues)
    return Verdict(None if unable else valid, issues)


def missing() -> str | None:
    """Why the oracle cannot be asked here; None when it can."""
    if shutil.which("java") is None:
        return "no Java on this machine"
    if not JAR.exists():
        return "the oracle is not built: cd bench/peers/validator && mvn package"
    return None


def ask(cases: Iterable[Case], packages: Sequence[Path] = ()) -> Iterator[tuple[str, Verdict]]:
    """The verdicts, in the order of the cases."""
    lines = [
        json.dumps({"id": case.id, "profiles": case.profiles, "resource": case.text})
        for case in cases
    ]
    done = subprocess.run(
        ["java", "-Xmx1500m", "-cp", f"{JAR}:{FOLDER}/lib/*", "oracle.Oracle", *map(str, packages)],
        input="\n".join(lines).encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        timeout=1800,
    )
    for line in done.stdout.splitlines():
        answer = json.loads(line)
        yield answer["id"], verdict(answer["valid"], answer["issues"])
