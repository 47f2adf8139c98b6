"""Does an extension keep its own definition, where it has one?

An extension that nobody here knows is allowed (R4 extensibility); one that is known must stand
where its definition allows it and hold what it says.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from liane.base.errors import LianeError
from liane.fhir import fhirpath
from liane.fhir.fhirpath.nodes import Node
from liane.fhir.profiles.findings import Finding, finding
from liane.fhir.profiles.structures import Structure
from liane.fhir.profiles.visit import Visit

Check = Callable[[Any, str, Visit], None]

_INDEX = re.compile(r"\[\d+\]")
_PARENT = re.compile(r"(?:\.(?:modifierExtension|extension)\[\d+\])+$")
_FAMILY = {
    "Quantity": ("Age", "Count", "Distance", "Duration", "MoneyQuantity", "SimpleQuantity"),
}
_NOT_DOMAIN = frozenset({"Bundle", "Binary", "Parameters"})


def check_at(place: str, *, modifier: bool, type_: str = "") -> Check:
    """A check of the extensions that stand at `place` (a table, or an element of `type_`)."""

    def check(value: Any, path: str, visit: Visit) -> None:
        if not visit.thorough:
            return
        url = value.get("url") if type(value) is dict else None
        if type(url) is not str:
            return
        if "/" not in url and ":" not in url:
            # A part of a complex extension: its parent's definition speaks of it.
            if place != "Extension":
                visit.issues.append(_relative(path, url))
            return
        structure = visit.catalogue.structure(url)
        if structure is None:
            if modifier:
                visit.issues.append(_unknown_modifier(path, url))
            return
        if structure.type != "Extension":
            visit.issues.append(_no_extension(path, url))
            return
        allowed = not structure.contexts or _allowed(structure, place, type_, path, visit)
        if not allowed or not _rules_kept(structure, value, path, visit):
            visit.issues.append(_not_here(path, structure))
        _conform(value, path, visit, structure)

    return check


def _conform(value: Any, path: str, visit: Visit, structure: Structure) -> None:
    from liane.fhir.profiles.checking import profile_check

    check = profile_check(structure.url, visit.catalogue)
    if check is None:
        return
    before = len(visit.issues)
    check(value, path, visit)
    for index in range(before, len(visit.issues)):
        visit.issues[index] = _as_extension(visit.issues[index])


def _as_extension(one: Finding) -> Finding:
    from dataclasses import replace

    return replace(one, kind="extension") if one.kind == "profile" else one


def _allowed(structure: Structure, place: str, type_: str, path: str, visit: Visit) -> bool:
    names = _names(place, type_) | _names_of_path(path, visit)
    for kind, expression in structure.contexts:
        if kind == "extension":
            if _parent_url(path, visit) == expression.partition("#")[0]:
                return True
        elif kind == "fhirpath":
            if _fhirpath_names(expression) & names or ("." not in expression and "(" in expression):
                return True
        elif expression in names or expression.replace("[x]", "") in names:
            return True
    return False


@cache
def _names(place: str, type_: str) -> frozenset[str]:
    """Every name under which a definition may speak of this place."""
    names = {place, "Element", "*", place.replace("[x]", "")}
    if type_:
        names.add(type_)
    root = place.partition(".")[0]
    if "." not in place:
        names |= {general for general, special in _FAMILY.items() if place in special}
        from liane.fhir import definitions

        if root in definitions.types():
            names |= {"Resource"} | (set() if root in _NOT_DOMAIN else {"DomainResource"})
    return frozenset(names)


def _names_of_path(path: str, visit: Visit) -> frozenset[str]:
    """The path from the resource: `Patient.name.family` for an extension of a family name."""
    inside = _INDEX.sub("", _PARENT.sub("", path)[len(visit.path) :])
    type_ = str(visit.resource.get("resourceType"))
    full = f"{type_}{inside}"
    head, _, last = full.rpartition(".")
    choice = re.sub(r"[A-Z][A-Za-z0-9]*$", "", last)
    return frozenset({full, f"{head}.{choice}[x]", f"{head}.{choice}"})


def _fhirpath_names(expression: str) -> frozenset[str]:
    return frozenset(part.strip() for part in expression.split("|"))


def _parent_url(path: str, visit: Visit) -> str | None:
    """The URL of the extension that this one is a part of."""
    inside = path[len(visit.path) :].rpartition(".")[0]
    node: Any = visit.resource
    for step in re.findall(r"\.?([A-Za-z_]+)(?:\[(\d+)\])?", inside):
        name, index = step
        node = node.get(name) if type(node) is dict else None
        if index and type(node) is list and int(index) < len(node):
            node = node[int(index)]
    url = node.get("url") if type(node) is dict else None
    return url if type(url) is str else None


def _rules_kept(structure: Structure, value: Any, path: str, visit: Visit) -> bool:
    """The context invariants, asked of the element that carries the extension."""
    if not structure.context_rules:
        return True
    holder = _holder(path, visit)
    if holder is None:
        return True
    for expression in structure.context_rules:
        try:
            test = fhirpath.compile(expression)
            if not test.test(
                holder,
                resource=visit.resource,
                root=visit.root,
                variables={"extension": value},
            ):
                return False
        except LianeError:
            continue
    return True


def _holder(path: str, visit: Visit) -> Any:
    inside = path[len(visit.path) :].rpartition(".")[0]
    node: Any = visit.resource
    table: str | None = str(visit.resource.get("resourceType"))
    from liane.fhir.fhirpath.model import shape

    for name, index in re.findall(r"\.([A-Za-z]+)(?:\[(\d+)\])?", inside):
        member = shape(table).keyed.get(name)
        if member is None or type(node) is not dict:
            return None
        node = node.get(name)
        table = member[1].type
        if index and type(node) is list:
            node = node[int(index)] if int(index) < len(node) else None
    return Node(node, table) if type(node) is dict else None


def _unknown_modifier(path: str, url: str) -> Finding:
    return finding(
        "extension",
        "modifier",
        path,
        f"extension modificatrice inconnue : {url[:200]}",
        f"unknown modifier extension: {url[:200]}",
        code="extension",
        severity="warning",
    )


def _relative(path: str, url: str) -> Finding:
    return finding(
        "extension",
        "url",
        f"{path}.url",
        f"l’adresse d’une extension est absolue : {url[:100]}",
        f"the address of an extension is absolute: {url[:100]}",
        code="value",
    )


def _no_extension(path: str, url: str) -> Finding:
    return finding(
        "extension",
        "url",
        f"{path}.url",
        f"{url[:200]} n’est pas la définition d’une extension",
        f"{url[:200]} is not the definition of an extension",
        code="extension",
    )


def _not_here(path: str, structure: Structure) -> Finding:
    places = ", ".join(expression for _, expression in structure.contexts)[:200]
    return finding(
        "extension",
        "context",
        path,
        f"l’extension {structure.url} n’est pas permise ici ({places})",
        f"the extension {structure.url} is not allowed here ({places})",
        code="extension",
    )
