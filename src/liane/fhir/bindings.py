"""Do the codes, ids and references of a resource stay within what R4 allows in that place?

One walk over the resource, driven by the compiled element tables. Run on resources whose
structure has been checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from liane.base.errors import Issue
from liane.base.ids import is_fhir_id
from liane.fhir import definitions, invariants
from liane.fhir.references import parse

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class _Step(NamedTuple):
    """What to check below one JSON key."""

    type: str
    table: str | None
    codes: Mapping[str, frozenset[str]] | None
    targets: frozenset[str]


def check(resource: dict[str, Any]) -> list[Issue]:
    """Issues of codes, ids, references and chosen invariants, contained resources included."""
    issues: list[Issue] = []
    _resource(resource, resource["resourceType"], issues)
    return issues


def _resource(resource: dict[str, Any], path: str, issues: list[Issue]) -> None:
    id_ = resource.get("id")
    if id_ is not None and not is_fhir_id(id_):
        issues.append(
            Issue(
                "error",
                "value",
                f"{path}.id",
                "un identifiant de ressource ne contient que A-Z, a-z, 0-9, « - » et « . »",
                "a resource id holds only A-Z, a-z, 0-9, '-' and '.', at most 64 of them",
            )
        )
    _object(resource, resource["resourceType"], path, issues)


def control_characters(node: Any, path: str) -> list[Issue]:
    """Texts that hold control characters (R4 datatypes, `string`)."""
    if type(node) is str:
        if node.isprintable() or not _CONTROL.search(node):
            return []
        fr, en = "caractère de contrôle interdit", "control characters are not allowed"
        return [Issue("error", "value", path, fr, en)]
    if type(node) is dict:
        return [
            i for key, child in node.items() for i in control_characters(child, f"{path}.{key}")
        ]
    if type(node) is list:
        return [i for child in node for i in control_characters(child, path)]
    return []


@cache
def _plan(table: str) -> Mapping[str, _Step]:
    """The keys of one table, choice elements spread out."""
    plan: dict[str, _Step] = {}
    for name, element in definitions.elements(table).items():
        codes = definitions.value_set(element.value_set) if element.value_set else None
        for type_, targets in element.types:
            key = name.replace("[x]", type_[0].upper() + type_[1:]) if "[x]" in name else name
            if codes is None and type_[0].islower():
                continue  # a primitive without a list of codes: nothing to check here
            backbone = f"{table}.{name}"
            below = backbone if definitions.elements(backbone) else type_
            plan[key] = _Step(type_, below, codes, frozenset(targets))
        if element.content:
            plan[name] = _Step("BackboneElement", element.content, None, frozenset())
    return plan


def _object(value: dict[str, Any], table: str, path: str, issues: list[Issue]) -> None:
    rules = invariants.RULES.get(table)
    if rules is not None:
        for rule in rules:
            issue = rule(value, path)
            if issue is not None:
                issues.append(issue)
    plan = _plan(table)
    for key, child in value.items():
        step = plan.get(key)
        if step is None:
            continue
        if type(child) is list:
            for index, item in enumerate(child):
                _value(item, step, (path, key, index), issues)
        else:
            _value(child, step, (path, key, None), issues)


def _value(
    value: Any, step: _Step, place: tuple[str, str, int | None], issues: list[Issue]
) -> None:
    kind = type(value)
    path, key, index = place
    if kind is dict:
        where = f"{path}.{key}" if index is None else f"{path}.{key}[{index}]"
        if "resourceType" in value and step.type == "Resource":
            _resource(value, where, issues)
            return
        _object(value, step.table or step.type, where, issues)
        if step.codes is not None:
            _coded(value, step, where, issues)
        if step.targets:
            _target(value, step.targets, where, issues)
    elif kind is str and not _is_listed(value, step.codes):
        issues.append(_wrong_code(f"{path}.{key}", value))


def _is_listed(code: str, codes: Mapping[str, frozenset[str]] | None) -> bool:
    return codes is None or any(code in members for members in codes.values())


def _coded(value: dict[str, Any], step: _Step, path: str, issues: list[Issue]) -> None:
    """A Coding, CodeableConcept or Quantity under a required binding."""
    codes = step.codes or {}
    if step.type == "CodeableConcept":
        codings = value.get("coding", [])
        if not codings or any(_is_member(coding, codes) for coding in codings):
            return
        issues.append(_wrong_code(path, str(codings[0].get("code"))))
    elif step.type == "Coding" and "code" in value and not _is_member(value, codes):
        issues.append(_wrong_code(path, str(value["code"])))


def _is_member(coding: dict[str, Any], codes: Mapping[str, frozenset[str]]) -> bool:
    system = coding.get("system")
    if system is None:
        return any(coding.get("code") in members for members in codes.values())
    return coding.get("code") in codes.get(system, ())


def _wrong_code(path: str, code: str) -> Issue:
    return Issue(
        "error",
        "code-invalid",
        path,
        f"le code « {code[:64]} » n’est pas dans la liste obligatoire de cet élément",
        f"the code '{code[:64]}' is not in the required value set of this element",
    )


def _target(value: dict[str, Any], targets: frozenset[str], path: str, issues: list[Issue]) -> None:
    literal = value.get("reference")
    pointed = parse(literal).type if literal is not None else None
    if pointed is None or pointed in targets or pointed not in definitions.types():
        return
    allowed = ", ".join(sorted(targets))
    issues.append(
        Issue(
            "error",
            "value",
            f"{path}.reference",
            f"une référence vers {pointed} n’est pas permise ici ({allowed})",
            f"a reference to {pointed} is not allowed here ({allowed})",
        )
    )
