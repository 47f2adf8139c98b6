"""Is a value of a type that the profile allows, and does it keep the profiles named for it?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from liane.fhir.profiles.catalogue import Catalogue
from liane.fhir.profiles.findings import finding, wrong_target, wrong_type
from liane.fhir.profiles.pointing import pointed_type
from liane.fhir.profiles.structures import Type
from liane.fhir.profiles.tree import Node
from liane.fhir.profiles.visit import Visit

if TYPE_CHECKING:
    from liane.fhir.profiles.checking import Item

Check = Callable[["Item", Visit], None]
_ANY = frozenset({"Resource", "DomainResource", "Element", "BackboneElement", "Any"})


def of(node: Node, catalogue: Catalogue) -> list[Check]:
    """The checks that the types of a node ask for."""
    types = node.types or ()
    codes = frozenset(one.code for one in types)
    found: list[Check] = []
    if node.name.endswith("[x]"):
        found.append(_is_one_of(codes))
    elif codes and not codes & _ANY and all(_is_resource(code) for code in codes):
        found.append(_is_resource_of(codes))
    profiled = [one for one in types if one.profiles and one.code != "Extension"]
    if profiled:
        found.append(_keeps(profiled, [one.code for one in types if not one.profiles]))
    pointing = [one for one in types if one.code == "Reference" and one.targets]
    if pointing and len(pointing) == len([one for one in types if one.code == "Reference"]):
        found.append(_points(pointing, catalogue))
    return found


def _is_resource(code: str) -> bool:
    from liane.fhir import definitions

    return code in definitions.types()


def _is_one_of(codes: frozenset[str]) -> Check:
    allowed = ", ".join(sorted(codes))

    def check(item: Item, visit: Visit) -> None:
        if item.type is not None and item.type not in codes:
            visit.issues.append(wrong_type(item.path, item.type, allowed))

    return check


def _is_resource_of(codes: frozenset[str]) -> Check:
    allowed = ", ".join(sorted(codes))

    def check(item: Item, visit: Visit) -> None:
        type_ = item.value.get("resourceType") if type(item.value) is dict else None
        if type_ is not None and type_ not in codes:
            visit.issues.append(wrong_type(item.path, str(type_), allowed))

    return check


def _keeps(profiled: list[Type], free: list[str]) -> Check:
    """The value keeps one of the profiles named for its type."""

    def check(item: Item, visit: Visit) -> None:
        from liane.fhir.profiles.checking import conforms, profile_check

        type_ = item.type
        if type(item.value) is not dict:
            return
        if "resourceType" in item.value:
            type_ = item.value["resourceType"]
        if type_ in free:
            return
        named = [
            url
            for one in profiled
            if type_ is None or one.code in (type_, "Resource") or len(profiled) == 1
            for url in one.profiles
        ]
        if len(named) == 1:
            one = profile_check(named[0], visit.catalogue)
            if one is not None:
                one(item.value, item.path, visit)
            return
        answers = [conforms(url, item.value, item.path, visit) for url in named]
        if answers and not any(answer is not False for answer in answers):
            visit.issues.append(_none_kept(item.path, named))

    return check


def _points(pointing: list[Type], catalogue: Catalogue) -> Check:
    """The reference points to a type, and where it can be followed to a profile, allowed here."""
    targets = [url for one in pointing for url in one.targets]
    types = {url: catalogue.type_of(url) or "" for url in targets}
    names = frozenset(types.values())
    allowed = ", ".join(sorted(names))

    def check(item: Item, visit: Visit) -> None:
        from liane.fhir.profiles.checking import conforms

        pointed = pointed_type(item.value, visit)
        if pointed is None or names & _ANY or "" in names:
            return
        if pointed not in names:
            visit.issues.append(wrong_target(f"{item.path}.reference", pointed, allowed))
            return
        found = visit.resolve(item.value.get("reference") or "")
        asked = [url for url in targets if types[url] == pointed]
        if found is None or not asked or any(url.endswith(f"/{pointed}") for url in asked):
            return
        if all(conforms(url, found, item.path, visit) is False for url in asked):
            visit.issues.append(_none_kept(f"{item.path}.reference", asked))

    return check


def _none_kept(path: str, urls: list[str]) -> Any:
    named = ", ".join(urls)[:300]
    return finding(
        "profile",
        "profile",
        path,
        f"aucun de ces profils n’est respecté : {named}",
        f"none of these profiles is kept: {named}",
        code="invariant",
    )
