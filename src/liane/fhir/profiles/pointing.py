"""May a reference point where it points?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from liane.fhir import definitions
from liane.fhir.profiles.findings import finding, wrong_target
from liane.fhir.profiles.visit import Pointer, Visit
from liane.fhir.references import parse

Check = Callable[[Any, str, Visit], None]


def reference_check(value: Any, path: str, visit: Visit) -> None:
    """A reference inside the resource points to something that is there (R4 `ref-1`)."""
    literal = value.get("reference")
    if type(literal) is not str:
        return
    if literal[:1] == "#":
        if literal != "#" and visit.resolve(literal) is None:
            visit.issues.append(
                finding(
                    "invariant",
                    "ref-1",
                    f"{path}.reference",
                    f"aucune ressource contenue ne porte l’identifiant {literal[1:65]}",
                    f"no contained resource has the id {literal[1:65]}",
                    code="invariant",
                )
            )
        return
    pointed = parse(literal)
    if pointed.local and pointed.type is not None and pointed.id is not None:
        visit.pointers.append(Pointer(f"{path}.reference", pointed.type, pointed.id))


def pointed_type(value: Any, visit: Visit) -> str | None:
    """The resource type a reference names or resolves to; None when it cannot be told."""
    literal = value.get("reference") if type(value) is dict else None
    if type(literal) is str:
        found = visit.resolve(literal)
        if found is not None:
            type_ = found.get("resourceType")
            return type_ if type(type_) is str else None
        named = parse(literal).type
        if named is not None:
            return named if named in definitions.types() else None
    type_ = value.get("type") if type(value) is dict else None
    return type_ if type(type_) is str and type_ in definitions.types() else None


def target_check(targets: frozenset[str]) -> Check:
    """A check that a Reference points to one of these types."""
    allowed = ", ".join(sorted(targets))

    def check(value: Any, path: str, visit: Visit) -> None:
        pointed = pointed_type(value, visit)
        if pointed is not None and pointed not in targets:
            visit.issues.append(wrong_target(f"{path}.reference", pointed, allowed))

    return check
