"""Which resources do both validators judge, and what did the independent one say?

`python -m tests.fhir.verdicts` asks the oracle (see `tests/fhir/oracle.py`) about every example and
its mutations and writes its verdicts to `oracle_verdicts.json`: facts, no content. The ordinary
test run compares with that file; the long run asks the oracle again.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.fhir import french, mutations, oracle

from liane.base.errors import Invalid
from liane.base.safe_archive import untar_gz
from liane.fhir import json as fhir_json
from liane.fhir.profiles.catalogue import Catalogue, from_resources
from liane.fhir.validation import examine

Json = dict[str, Any]

HERE = Path(__file__).parent
RECORD = HERE / "oracle_verdicts.json"
ROOT = HERE.parents[1]
LARGEST_MUTATED_BYTES = 40_000
ROUNDS = 2


class Case(NamedTuple):
    """One resource to judge: its file, what was done to it, and the round."""

    file: str
    kind: str
    round: int
    resource: Json
    profiles: tuple[str, ...]

    @property
    def id(self) -> str:
        return f"{self.file}#{self.kind}/{self.round}"


def shared() -> Path:
    """The folder of public test input."""
    return Path(os.environ.get("LIANE_SHARED_DATA", ROOT.parent / "shared" / "data"))


def packages() -> list[Path]:
    return sorted((shared() / "fhir-fr-core/packages").glob("*.tgz"))


def catalogue() -> Catalogue:
    """R4 and FR Core."""
    found = []
    for path in packages():
        for member in untar_gz(path.read_bytes()):
            folder, _, file = member.name.rpartition("/")
            if folder == "package" and file.endswith(".json") and not file.startswith("."):
                found.append(fhir_json.loads(member.content))
    return from_resources(found)


def cases(every: int = 1) -> Iterator[Case]:
    """Every case, or those of one file in `every`."""
    files = [
        *sorted((shared() / "fhir-r4-examples").glob("*.json")),
        *sorted((shared() / "fhir-fr-core/2.2.0-json").glob("*.json")),
    ]
    for path in files[::every]:
        try:
            resource = fhir_json.loads(path.read_bytes())
        except Invalid:
            continue
        if "resourceType" not in resource:
            continue
        profiles = _taken_profiles(resource) if "fr-core" in str(path.parent) else ()
        yield Case(path.name, "as-is", 0, resource, profiles)
        if path.stat().st_size > LARGEST_MUTATED_BYTES:
            continue
        for kind in mutations.KINDS:
            for number in range(1 if kind == "slice" and not profiles else ROUNDS):
                changed = mutations.mutated(resource, kind, f"{path.name}/{number}")
                if changed is not None:
                    yield Case(path.name, kind, number, changed, profiles)
    if packages():
        yield from french_cases()


def french_cases() -> Iterator[Case]:
    """An invented patient of FR Core, changed in one slice after another."""
    for number, change in enumerate(french.CHANGES):
        resource = french.patient()
        change(resource)
        yield Case("french-patient", "slice", number, resource, (french.PROFILE,))


def _taken_profiles(resource: Json) -> tuple[str, ...]:
    """The profiles a resource declares, to be asked of both validators in the request: the oracle
    stumbles over its own version when it meets them in the resource.
    """
    meta = resource.get("meta", {})
    profiles = tuple(url.partition("|")[0] for url in meta.pop("profile", ()))
    if not meta:
        resource.pop("meta", None)
    return profiles


def ours(case: Case, known: Catalogue) -> bool:
    """Our verdict, by the severities of the standard."""
    found = examine(case.resource, catalogue=known, profiles=case.profiles).findings
    return not any(one.severity in ("error", "fatal") for one in found)


def theirs(chosen: list[Case]) -> dict[str, oracle.Verdict]:
    """What the oracle says of these cases."""
    asked = [oracle.Case(one.id, fhir_json.dumps(one.resource), one.profiles) for one in chosen]
    return dict(oracle.ask(asked, packages()))


def digest() -> str:
    """Changes when the mutations do: recorded verdicts are then of other resources."""
    made = b"".join((HERE / name).read_bytes() for name in ("mutations.py", "french.py"))
    return hashlib.sha256(made).hexdigest()[:16]


def record(verdicts: dict[str, oracle.Verdict]) -> None:
    """Write the verdicts down, by file: `as-is/0 1`."""
    by_file: dict[str, str] = {}
    for id_, verdict in verdicts.items():
        file, _, what = id_.rpartition("#")
        said = "?" if verdict.valid is None else int(verdict.valid)
        by_file[file] = f"{by_file.get(file, '')} {what}={said}".strip()
    told = {"oracle": "HAPI FHIR 8.8.1", "mutations": digest(), "verdicts": by_file}
    RECORD.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", "utf-8")


def recorded() -> dict[str, bool | None]:
    """The verdicts of the file; None where the oracle could not tell. Raises AssertionError when the mutations have changed since."""
    told = json.loads(RECORD.read_text("utf-8"))
    assert told["mutations"] == digest(), "run: python -m tests.fhir.verdicts"
    found: dict[str, bool | None] = {}
    for file, text in told["verdicts"].items():
        for one in text.split():
            what, _, valid = one.partition("=")
            found[f"{file}#{what}"] = None if valid == "?" else valid == "1"
    return found


if __name__ == "__main__":
    why = oracle.missing()
    if why is not None:
        sys.exit(why)
    answers = theirs(list(cases()))
    record(answers)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        lines = [
            json.dumps({"id": i, "valid": v.valid, "issues": v.issues}) for i, v in answers.items()
        ]
        (folder / "verdicts.ndjson").write_text("\n".join(lines), "utf-8")
    print(f"{len(answers)} verdicts")
