"""Does a resource keep what R4 says of its type, beyond the structure that was checked before?

One walk, driven by closures that are built from the definitions when a type is first met: codes
under their bindings, targets of references, invariants, extensions that have a definition, and
the profiles a resource says it keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from liane.base.ids import is_fhir_id
from liane.fhir import definitions
from liane.fhir.profiles import bundles, codings, contained, extensions, primitives, rules
from liane.fhir.profiles import catalogue as catalogues
from liane.fhir.profiles.binding import code_check
from liane.fhir.profiles.canonicals import check_canonical
from liane.fhir.profiles.findings import Finding, finding
from liane.fhir.profiles.pointing import reference_check
from liane.fhir.profiles.structures import Element, Type, without_version
from liane.fhir.profiles.visit import Entries, Visit

Json = dict[str, Any]
Check = Callable[[Any, str, Visit], None]

LIMIT_DEPTH = 40


def check_resource(resource: Json, path: str, visit: Visit) -> None:
    """Check one resource: the outermost, a contained one or one in a Bundle."""
    type_ = resource.get("resourceType")
    if type(type_) is not str or visit.depth > LIMIT_DEPTH:
        return
    id_ = resource.get("id")
    if id_ is not None and not is_fhir_id(id_):
        visit.issues.append(_wrong_id(path))
    if type_ == "Bundle":
        visit.entries = Entries(resource)
    object_check(type_)(resource, path, visit)
    if "contained" in resource:
        contained.check(resource, path, visit)
    for url in declared(resource) if visit.thorough else ():
        check_declared(resource, url, path, visit)


def check_declared(resource: Json, url: str, path: str, visit: Visit) -> None:
    """Check a profile that the resource, or the request, names."""
    from liane.fhir.profiles.checking import profile_check

    if url.startswith(catalogues.CORE) and url[len(catalogues.CORE) :] in definitions.types():
        return
    check = profile_check(url, visit.catalogue)
    if check is not None:
        check(resource, path, visit)
        return
    visit.issues.append(
        finding(
            "unknown-profile",
            "profile",
            f"{path}.meta.profile",
            f"profil inconnu, non vérifié : {url[:200]}",
            f"unknown profile, not checked: {url[:200]}",
            code="not-found",
            severity="warning",
            profile=url,
        )
    )


def _nothing_in(path: str) -> Finding:
    return finding(
        "structure",
        "ele-1",
        path,
        "un élément porte une valeur ou des éléments",
        "an element has a value or children",
        code="structure",
    )


def _wrong_id(path: str) -> Finding:
    return finding(
        "type",
        "id",
        f"{path}.id",
        "un identifiant de ressource ne contient que A-Z, a-z, 0-9, « - » et « . »",
        "a resource id holds only A-Z, a-z, 0-9, '-' and '.', at most 64 of them",
        code="value",
    )


@cache
def object_check(table: str) -> Check:
    """The check of an object that `table` describes (`Observation`, `Observation.component`)."""
    plan = _Plan(table)
    own = rules.of_object(table)
    own = (*own, *_BY_HAND.get(table, ()))

    def check(value: Any, path: str, visit: Visit) -> None:
        if type(value) is not dict:
            return
        if not value or (len(value) == 1 and "id" in value):
            visit.issues.append(_nothing_in(path))
            return
        for rule in own:
            rule(value, path, visit)
        steps = plan.steps
        for key, child in value.items():
            step = steps.get(key)
            if step is None:
                continue
            if type(child) is list:
                for index, item in enumerate(child):
                    if item is not None:
                        step(item, f"{path}.{key}[{index}]", visit)
            else:
                step(child, f"{path}.{key}", visit)

    return check


_BY_HAND: Mapping[str, tuple[Check, ...]] = {
    "Coding": (codings.check_coding,),
    "CodeableConcept": (codings.check_concept,),
    "ConceptMap.group": (codings.check_map_group,),
    "Bundle": (bundles.check,),
    "Reference": (reference_check,),
    **dict.fromkeys(
        ("Quantity", "Age", "Count", "Distance", "Duration"), (codings.check_quantity,)
    ),
}


class _Plan:
    """The keys of a table that have something to check; filled when first used.

    Types refer to one another in circles, so nothing may be built before somebody asks.
    """

    def __init__(self, table: str) -> None:
        self._table = table
        self._steps: dict[str, Check] | None = None

    @property
    def steps(self) -> dict[str, Check]:
        if self._steps is None:
            self._steps = _steps(self._table)
        return self._steps


def _steps(table: str) -> dict[str, Check]:
    found: dict[str, Check] = {}
    for name, element in elements(table).items():
        for type_ in element.types or ():
            key = name
            if name.endswith("[x]"):
                key = f"{name[:-3]}{type_.code[0].upper()}{type_.code[1:]}"
            checks = _checks(table, name, element, type_)
            if checks:
                found[key] = _all(checks)
            if type_.code[0].islower():
                found[f"_{key}"] = _shadow(f"{table}.{name}", type_.code)
        if element.content:
            found[name] = _later(element.content)
    return found


def _all(checks: list[Check]) -> Check:
    if len(checks) == 1:
        return checks[0]

    def check(value: Any, path: str, visit: Visit) -> None:
        for one in checks:
            one(value, path, visit)

    return check


def _later(table: str) -> Check:
    def check(value: Any, path: str, visit: Visit) -> None:
        object_check(table)(value, path, visit)

    return check


def _checks(table: str, name: str, element: Element, type_: Type) -> list[Check]:
    """What to check of one value of the element `table.name` when it is of `type_`."""
    place = f"{table}.{name}"
    checks: list[Check] = []
    if type_.code == "Resource":
        return [_nested(is_contained=name == "contained")]
    if type_.code == "Extension":
        modifier = name == "modifierExtension"
        checks.append(extensions.check_at(table, modifier=modifier))
    if type_.code[0].isupper() or "." in type_.code:
        checks.append(_later(place if elements(place) else type_.code))
    primitive = primitives.check_of(type_.code)
    if primitive is not None:
        checks.append(primitive)
    if type_.code == "canonical":
        checks.append(check_canonical)
    if element.binding is not None:
        bound = code_check(type_.code, *element.binding)
        if bound is not None:
            checks.append(bound)
    if type_.code == "Reference" and type_.targets:
        checks.append(reference_check_of(type_))
    checks += rules.of_element(place, type_)
    return checks


def reference_check_of(type_: Type) -> Check:
    """A check of what a Reference may point to."""
    from liane.fhir.profiles.pointing import target_check

    names = [url.rpartition("/")[2] for url in type_.targets]
    if "Resource" in names:
        return lambda _value, _path, _visit: None
    return target_check(frozenset(names) & frozenset(definitions.types()))


def _nested(*, is_contained: bool) -> Check:
    def check(value: Any, path: str, visit: Visit) -> None:
        if type(value) is dict:
            check_resource(value, path, visit.into(value, path, contained=is_contained))

    return check


def _shadow(place: str, type_: str) -> Check:
    """The `id` and `extension` of a primitive, under the key with the underscore."""
    at_place = extensions.check_at(place, modifier=False, type_=type_)

    def check(value: Any, path: str, visit: Visit) -> None:
        if type(value) is not dict:
            return
        if not value:
            visit.issues.append(_nothing_in(path))
        for index, one in enumerate(value.get("extension", ())):
            where = f"{path.replace('._', '.')}.extension[{index}]"
            at_place(one, where, visit)
            object_check("Extension")(one, where, visit)

    return check


@cache
def elements(table: str) -> Mapping[str, Element]:
    """The elements directly below `table`, by name; empty for a primitive type."""
    return _tables(table.partition(".")[0]).get(table, {})


@cache
def _tables(type_: str) -> Mapping[str, Mapping[str, Element]]:
    structure = catalogues.built_in().structure(catalogues.CORE + type_)
    tables: dict[str, dict[str, Element]] = {}
    if structure is None:
        return tables
    for element in structure.elements:
        parent, _, name = element.id.rpartition(".")
        if parent:
            tables.setdefault(parent, {})[name] = element
    return tables


def declared(resource: Json) -> list[str]:
    """The profiles a resource says it keeps."""
    meta = resource.get("meta")
    if type(meta) is not dict:
        return []
    return [without_version(url) for url in meta.get("profile", ()) if type(url) is str]
