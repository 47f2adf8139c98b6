"""How is one edition of a nomenclature put in the place of the former one, and what changed?

A new edition is a new version of its code system; the former one stays and can still be asked by
its version. Codes that the new edition no longer has are kept as codes out of use, because records
use them. Loading the same files again changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from liane.access.actor import SYSTEM, Actor
from liane.base.errors import Invalid, LianeError, Unavailable
from liane.base.ids import stable_id
from liane.importing.progress import Progress, silent
from liane.importing.recognising import files_below
from liane.importing.terminology import bdpm, ccam, cim10, fhir, jdv, loinc
from liane.importing.terminology.nomenclature import Edition, Found, digest_of
from liane.rooms import record
from liane.store import Database, Tx
from liane.store.resources import Write
from liane.store.resources import read as read_resource
from liane.store.terminology.code_systems import Content
from liane.store.terminology.filling import former_concepts, number_of, replace_concepts

Reader = Callable[[list[Path], Edition], Found]
KINDS: Mapping[str, Reader] = {
    "cim10": cim10.read,
    "ccam": ccam.read,
    "bdpm": bdpm.read,
    "loinc": loinc.read,
    "jdv": jdv.read,
    "fhir": fhir.read,
}
FILES = "urn:liane:terminology-files"
"""System of the identifier that tells from which files (SHA-256) a code system was made."""
_GONE = {"valueCode": "retired"}
CHUNK = 100


@dataclass(slots=True)
class Loaded:
    """What became of one code system."""

    url: str
    version: str
    concepts: int = 0
    added: int = 0
    changed: int = 0
    withdrawn: int = 0
    known: bool = False
    """The same files had been loaded before."""


@dataclass(slots=True)
class Report:
    """What a loading did."""

    systems: list[Loaded] = field(default_factory=list)
    resources: int = 0
    unchanged: int = 0
    refused: list[str] = field(default_factory=list)

    def as_text(self) -> str:
        """For a person at a terminal."""
        lines = []
        for one in self.systems:
            name = f"{one.url}|{one.version}" if one.version else one.url
            lines.append(
                f"{name} : déjà chargé, rien n’a changé"
                if one.known
                else f"{name} : {one.concepts} codes ({one.added} ajoutés, {one.changed} modifiés, "
                f"{one.withdrawn} retirés)"
            )
        if self.resources or self.unchanged:
            lines.append(f"Ressources : {self.resources} écrites, {self.unchanged} inchangées")
        lines.append(f"Refusés : {len(self.refused)}")
        lines += [f"  {one}" for one in self.refused[:50]]
        return "\n".join(lines)


async def load(
    database: Database,
    kind: str,
    paths: Sequence[Path],
    edition: Edition | None = None,
    progress: Progress = silent,
) -> Report:
    """Load the files below `paths`.

    Raises `NotFound` for a path that does not exist, `Invalid` for an unknown kind, or for files
    that are not of that kind.
    """
    reader = KINDS.get(kind)
    if reader is None:
        known = ", ".join(KINDS)
        raise Invalid(
            "terminology.kind",
            f"« {kind[:40]} » n’est pas une nomenclature connue. Acceptées : {known}.",
            f"'{kind[:40]}' is not a nomenclature we know. Accepted: {known}.",
        )
    files = files_below(paths)
    if not files:
        raise Invalid("terminology.file", "Aucun fichier n’a été trouvé.", "No file was found.")
    progress(0, 1, files[0].name)
    found = await asyncio.to_thread(reader, files, edition or Edition())
    digest = await asyncio.to_thread(digest_of, files)
    report = Report(refused=found.refused)
    actor = SYSTEM("terminology")
    for content in found.systems:
        report.systems.append(await _system(database, actor, content, digest, progress))
    resources = _each_once(found.resources, report)
    for start in range(0, len(resources), CHUNK):
        progress(start, len(resources), kind)
        await _resources(database, actor, resources[start : start + CHUNK], report)
    progress(1, 1, "")
    return report


async def _system(
    database: Database, actor: Actor, content: Content, digest: str, progress: Progress
) -> Loaded:
    header = content.header
    id_ = stable_id("terminology", header.url, header.version)
    done = Loaded(header.url, header.version)
    async with database.transaction() as tx:
        there = await read_resource(tx, "CodeSystem", id_)
        if there is not None and not there.deleted and _made_of(there.resource) == digest:
            done.known = True
            done.concepts = int(there.resource.get("count", 0))
            return done
        await _compare(tx, content, done)
        resource = _resource(id_, content, digest)
        write = Write(resource, id=id_)
        await record.write_resources(tx, actor, [write], reason="terminology load")
        number = await number_of(tx, id_)
        total = len(content.concepts)

        def told(count: int) -> None:
            progress(min(count, total - 1), total, header.title or header.url)

        await replace_concepts(tx, number, content, loaded=True, told=told)
    done.concepts = len(content.concepts)
    return done


async def _compare(tx: Tx, content: Content, done: Loaded) -> None:
    """Count what changes, and keep the codes that the new edition leaves out."""
    former = await former_concepts(tx, content.header.url)
    present = {content.header.key(one.code): one for one in content.concepts}
    for key, old in former.items():
        new = present.get(key)
        if new is not None:
            done.changed += (new.display, new.inactive) != (old.display, old.inactive)
            continue
        kept = replace(old, id=len(content.concepts), definition="")
        if content.header.content != "fragment":
            done.withdrawn += not old.inactive
            kept = replace(kept, inactive=True, properties=_retired())
        content.concepts.append(kept)
    done.added = sum(key not in former for key in present)


def _retired() -> tuple[Any, ...]:
    from liane.store.terminology.concepts import Property

    return (Property("status", "retired", _GONE),)


def _made_of(resource: dict[str, Any]) -> str:
    for one in resource.get("identifier", []):
        if one.get("system") == FILES:
            return str(one.get("value", ""))
    return ""


def _resource(id_: str, content: Content, digest: str) -> dict[str, Any]:
    """The label of a loaded system; its concepts stand in the tables alone."""
    header = content.header
    kinds = {
        said.name: next(iter(said.shown)).removeprefix("value")
        for concept in content.concepts
        for said in concept.properties
    }
    resource: dict[str, Any] = {
        "resourceType": "CodeSystem",
        "id": id_,
        "url": header.url,
        "identifier": [{"system": FILES, "value": digest}],
        "version": header.version,
        "name": "".join(sign for sign in header.title if sign.isalnum()) or "CodeSystem",
        "title": header.title,
        "status": "active",
        "publisher": header.source,
        "caseSensitive": header.case_sensitive,
        "valueSet": header.value_set,
        "hierarchyMeaning": header.hierarchy,
        "content": "fragment" if header.content == "fragment" else "not-present",
        "count": len(content.concepts),
        "property": [
            {"code": name, "type": kind if kind == "Coding" else kind[0].lower() + kind[1:]}
            for name, kind in sorted(kinds.items())
        ],
    }
    return {name: value for name, value in resource.items() if value not in ("", [], None)}


def _each_once(resources: list[dict[str, Any]], report: Report) -> list[dict[str, Any]]:
    """The last of the resources that share an id; the others are told."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in resources:
        key = (one["resourceType"], one["id"])
        if key in found:
            name = found[key].get("name") or one["id"]
            report.refused.append(f"{one['resourceType']} {name} : en double / given twice")
        found[key] = one
    return list(found.values())


async def _resources(
    database: Database, actor: Actor, chunk: list[dict[str, Any]], report: Report
) -> None:
    """Write resources together; when one is refused, each by itself."""
    try:
        await _write(database, actor, chunk, report)
    except Unavailable:
        raise
    except LianeError:
        for one in chunk:
            try:
                await _write(database, actor, [one], report)
            except Unavailable:
                raise
            except LianeError as problem:
                name = one.get("name") or one.get("id")
                report.refused.append(f"{one['resourceType']} {name} : {problem.fr}")


async def _write(
    database: Database, actor: Actor, chunk: list[dict[str, Any]], report: Report
) -> None:
    writes = [Write(one, id=one["id"]) for one in chunk]
    async with database.transaction() as tx:
        versions = await record.write_resources(tx, actor, writes, reason="terminology load")
    fresh = sum(version.written is not None for version in versions)
    report.resources += fresh
    report.unchanged += len(versions) - fresh
