"""How do packages of definitions (FHIR implementation guides) enter the record, and leave it?

A package is a `.tgz` file with conformance resources in `package/` and a `package.json` that names
it. Its resources stand in the record as any other, readable under `/fhir`; each process sees them
within a second (`liane.store.conformance`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from liane.access import writes as door
from liane.access.actor import SYSTEM
from liane.base.errors import Invalid, NotFound
from liane.base.ids import is_fhir_id
from liane.base.safe_archive import untar_gz
from liane.fhir import definitions
from liane.fhir import json as fhir_json
from liane.fhir.profiles.catalogue import from_resources
from liane.store import Database, Tx
from liane.store.resources import Write
from liane.store.sql import queries
from liane.store.versions import whole_milliseconds

Q = queries("liane.store.conformance", "conformance.sql")

Json = dict[str, Any]

LIMIT_PACKED_BYTES = 64 * 1024 * 1024
LIMIT_BYTES = 512 * 1024 * 1024
LIMIT_MEMBERS = 20_000
AT_ONCE = 50
TYPES = frozenset(
    {"StructureDefinition", "ValueSet", "CodeSystem", "ConceptMap", "NamingSystem",
     "SearchParameter", "OperationDefinition", "CapabilityStatement", "ImplementationGuide",
     "Questionnaire"}
)  # fmt: skip
"""The resource types a package brings; its examples and its other files stay outside."""
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,100}")
_ACTOR = SYSTEM("packages")


@dataclass(frozen=True, slots=True)
class Package:
    """One package file, read and checked."""

    name: str
    version: str
    title: str
    canonical: str
    sha256: bytes
    resources: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """One loaded package, for a list."""

    name: str
    version: str
    title: str
    count: int


def read_package(data: bytes) -> Package:
    """Open a package file within limits. Raises `Invalid` saying what is wrong with it."""
    if len(data) > LIMIT_PACKED_BYTES:
        raise _refused(
            f"il dépasse {LIMIT_PACKED_BYTES} octets", f"it is larger than {LIMIT_PACKED_BYTES}"
        )
    card: Json | None = None
    resources: list[Json] = []
    for member in untar_gz(data, limit_bytes=LIMIT_BYTES, members=LIMIT_MEMBERS):
        folder, _, file = member.name.removeprefix("./").rpartition("/")
        if folder != "package" or not file.endswith(".json") or file.startswith("."):
            continue
        content = fhir_json.loads(member.content.removeprefix(b"\xef\xbb\xbf"))
        if file == "package.json":
            card = content
        elif content.get("resourceType") in TYPES and isinstance(content.get("url"), str):
            resources.append(content)
    return _checked(card, resources, hashlib.sha256(data).digest())


def _checked(card: Json | None, resources: list[Json], sha256: bytes) -> Package:
    if card is None:
        raise _refused("package/package.json manque", "package/package.json is missing")
    name, version = str(card.get("name", "")), str(card.get("version", ""))
    if not _NAME.fullmatch(name) or not _NAME.fullmatch(version):
        raise _refused("son nom ou sa version manque", "its name or version is missing")
    releases = card.get("fhirVersions") or card.get("fhir-version-list") or []
    if releases and not any(str(one).startswith("4.0") for one in releases):
        told = ", ".join(map(str, releases))[:100]
        raise _refused(f"il est fait pour FHIR {told}, pas 4.0", f"it is for FHIR {told}, not 4.0")
    if not resources:
        raise _refused("il n’apporte aucune définition", "it brings no definition")
    from_resources(resources)  # raises for a structure that cannot be read
    title = str(card.get("title", name))[:200]
    canonical = str(card.get("canonical", ""))[:200]
    return Package(name, version, title, canonical, sha256, tuple(resources))


def _refused(fr: str, en: str) -> Invalid:
    return Invalid(
        "package.refused",
        f"Ce paquet de définitions est refusé : {fr}.",
        f"This package of definitions is refused: {en}.",
    )


async def add_package(database: Database, data: bytes) -> tuple[Package, int]:
    """Load a package; gives it and how many of its resources are new or changed.

    All of it is written in one transaction, or nothing. Loading it again changes nothing.
    """
    package = read_package(data)
    async with database.transaction() as tx:
        taken = await _ids(tx, package.resources)
        changed, now = 0, whole_milliseconds(tx.now)
        for start in range(0, len(package.resources), AT_ONCE):
            pairs = list(zip(package.resources, taken, strict=True))[start : start + AT_ONCE]
            writes = [Write({**resource, "id": id_}, id=id_) for resource, id_ in pairs]
            reason = f"package {package.name}"
            versions = await door.apply(tx, _ACTOR, writes, reason=reason)
            changed += sum(version.updated == now for version in versions)
        contents = [
            f"{resource['resourceType']}/{id_}"
            for resource, id_ in zip(package.resources, taken, strict=True)
        ]
        await tx.execute(
            Q.keep_package,
            tx.tenant,
            package.name,
            package.version,
            package.title,
            package.canonical,
            package.sha256,
            tx.now,
            contents,
        )
    return package, changed


async def _ids(tx: Tx, resources: Sequence[Json]) -> list[str]:
    """The id of each resource: its own, unless another definition stands there already."""
    wanted = [_own_id(resource) for resource in resources]
    types = [str(resource["resourceType"]) for resource in resources]
    rows = await tx.fetch(Q.places, tx.tenant, types, wanted)
    for row in rows:
        place = row["n"] - 1
        if fhir_json.loads(row["body"]).get("url") != resources[place]["url"]:
            wanted[place] = _id_of_url(resources[place])
    seen: set[tuple[str, str]] = set()
    for place, type_ in enumerate(types):
        if (type_, wanted[place]) in seen:
            wanted[place] = _id_of_url(resources[place])
        seen.add((type_, wanted[place]))
    return wanted


def _own_id(resource: Json) -> str:
    id_ = resource.get("id")
    return id_ if isinstance(id_, str) and is_fhir_id(id_) else _id_of_url(resource)


def _id_of_url(resource: Json) -> str:
    told = f"{resource['url']}|{resource.get('version', '')}"
    return hashlib.sha256(told.encode()).hexdigest()[:40]


async def list_packages(database: Database) -> list[Listed]:
    """The packages loaded, by name and version."""
    async with database.reading() as tx:
        rows = await tx.fetch(Q.packages, tx.tenant)
    return [Listed(row["name"], row["version"], row["title"], row["count"]) for row in rows]


async def remove_package(database: Database, name: str, version: str | None = None) -> int:
    """Take a package out; what another package brought too stays. Gives how many resources went.

    Raises `NotFound`, and `Invalid` when several versions are loaded and none is named.
    """
    async with database.transaction() as tx:
        rows = await tx.fetch(Q.package_contents, tx.tenant, name)
        found = [row for row in rows if version is None or row["version"] == version]
        if not found:
            raise NotFound(
                "package.unknown",
                f"Le paquet {name} n’est pas chargé.",
                f"The package {name} is not loaded.",
                "Voir : liane package list",
                "See: liane package list",
            )
        if len(found) > 1:
            told = ", ".join(row["version"] for row in found)
            raise Invalid(
                "package.versions",
                f"Plusieurs versions de {name} sont chargées : {told}.",
                f"Several versions of {name} are loaded: {told}.",
                f"Nommer l’une d’elles : {name}@{found[0]['version']}",
                f"Name one of them: {name}@{found[0]['version']}",
            )
        return await _remove(tx, found[0])


async def _remove(tx: Tx, row: Any) -> int:
    contents = list(row["contents"])
    shared = await tx.fetch(Q.shared, tx.tenant, row["name"], row["version"], contents)
    kept = {one[0] for one in shared}
    gone = [reference.partition("/") for reference in contents if reference not in kept]
    writes = [
        Write({"resourceType": type_, "id": id_}, id=id_, deletes=True)
        for type_, _, id_ in gone
        if type_ in definitions.types()
    ]
    for start in range(0, len(writes), AT_ONCE):
        reason = f"package {row['name']} removed"
        await door.apply(tx, _ACTOR, writes[start : start + AT_ONCE], reason=reason)
    await tx.execute(Q.drop_package, tx.tenant, row["name"], row["version"])
    return len(writes)
