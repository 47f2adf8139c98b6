"""Which invariants of R4 apply at a place, and how is each of them checked?

The published FHIRPath of each rule is compiled when its type is first met. Rules that hold for
nearly every resource, or that FHIRPath cannot say well, are written by hand in
`liane.fhir.invariants`; a few published rules are wrong and repaired here, each with its reason.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

from liane.base.errors import LianeError
from liane.fhir import fhirpath, invariants
from liane.fhir.fhirpath.nodes import Node
from liane.fhir.fhirpath.scope import truth
from liane.fhir.profiles import catalogue as catalogues
from liane.fhir.profiles.findings import broken
from liane.fhir.profiles.structures import COMMON_RULES, Rule, Type
from liane.fhir.profiles.visit import Visit

Check = Callable[[Any, str, Visit], None]

log = logging.getLogger(__name__)

REPAIRED: dict[str, str] = {
    # Published as `start <= end`, which is unknown where the precisions differ: by hand.
    # R4 asks for a code of type `problem-list-item`; a CodeableConcept never equals a text.
    "con-3": (
        "clinicalStatus.exists() or verificationStatus.coding.where(code = 'entered-in-error')"
        ".exists() or category.coding.where(code = 'problem-list-item').empty()"
    ),
    # `answer is Boolean` names the type of FHIRPath, the answer has the type of FHIR.
    "que-7": "operator = 'exists' implies (answer is boolean)",
}
"""By key, the expression used instead of the published one."""


@cache
def _of_type(type_: str) -> dict[str, tuple[Rule, ...]]:
    structure = catalogues.built_in().structure(catalogues.CORE + type_)
    if structure is None:
        return {}
    return {element.id: element.rules for element in structure.elements if element.rules}


def published(place: str) -> tuple[Rule, ...]:
    """The rules that R4 states at an element, `Patient` or `Patient.contact`."""
    return _of_type(place.partition(".")[0]).get(place, ())


def of_object(table: str) -> tuple[Check, ...]:
    """The rules of a type or backbone element, about the object itself."""
    by_hand = invariants.RULES.get(table, ())
    done = invariants.COVERED
    found: list[Check] = [_adapted(rule) for rule in by_hand]
    found += [
        checked(rule, table)
        for rule in published(table)
        if (table, rule.key) not in done and rule.key not in COMMON_RULES
    ]
    return tuple(found)


def of_element(place: str, type_: Type) -> list[Check]:
    """The rules that an element adds to those of its type (`Organization.telecom`)."""
    from liane.fhir.profiles.base import elements

    if elements(place):
        return []  # a backbone element: `of_object` has them
    done = invariants.COVERED
    return [
        checked(rule, type_.code)
        for rule in published(place)
        if (place, rule.key) not in done and rule.key not in COMMON_RULES
    ]


def _adapted(rule: invariants.Rule) -> Check:
    def check(value: Any, path: str, visit: Visit) -> None:
        issue = rule(value, path)
        if issue is not None:
            visit.issues.append(issue)

    return check


Typed = Callable[[Any, str, Visit, "str | None"], None]


def checked(rule: Rule, type_: str | None) -> Check:
    """A check by the rule's FHIRPath; a rule that cannot be compiled is logged and passed over."""
    typed = typed_check(rule.key, rule, REPAIRED.get(rule.key, rule.expression))
    return lambda value, path, visit: typed(value, path, visit, type_)


def typed_check(key: str, rule: Rule, expression: str) -> Typed:
    """As `checked`, for an element whose type is only known with its value."""
    try:
        path_ = fhirpath.compile(expression)
    except LianeError as problem:
        log.warning("the rule %s is not checked: %s", key, problem)
        return _nothing

    def check(value: Any, path: str, visit: Visit, type_: str | None) -> None:
        type_here = value.get("resourceType", type_) if type(value) is dict else type_
        node = Node(value, type_here)
        try:
            kept = truth(
                path_.nodes(
                    node,
                    resource=visit.resource,
                    root=visit.root,
                    resolve=visit.resolve,
                    member_of=visit.catalogue.terms.member,
                )
            )
        except LianeError:
            # What cannot be evaluated (a type the rule did not foresee) is not a broken rule.
            return
        if not kept:
            visit.issues.append(broken(key, path, rule.human, severity=rule.severity))

    return check


def _nothing(_value: Any, _path: str, _visit: Visit, _type: str | None) -> None:
    """Nothing to check."""
