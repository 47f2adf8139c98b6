"""Does this change of a resource concern this subscription? (pure: no clock, no database)"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from liane.fhir.extraction import Extracted, extract
from liane.gateways.subscriptions.comparing import parts_hold, value_holds
from liane.gateways.subscriptions.model import Action, Criteria, Test, Topic, Trigger, Wish


class Subject:
    """One version of a resource, with its search values read once."""

    def __init__(self, resource: dict[str, Any]) -> None:
        self.resource = resource

    @cached_property
    def values(self) -> Extracted:
        """Everything of it that a filter can be about."""
        return extract(self.resource)


@dataclass(frozen=True, slots=True)
class Happening:
    """One change: what it was, before and after (None: there was none)."""

    action: Action
    type: str
    current: Subject | None
    previous: Subject | None

    @property
    def subject(self) -> Subject | None:
        """What filters look at: the new version, or the last one of what was deleted."""
        return self.current or self.previous


PathTest = Callable[[str, Happening], bool]
"""Decides a FHIRPath test over %previous and %current."""


def concerns(
    wish: Wish, topic: Topic | None, happening: Happening, path_test: PathTest | None = None
) -> bool:
    """Whether the change is an event of the topic and passes every filter that applies to it."""
    if wish.plain is not None:
        return wish.plain.type == happening.type and holds(wish.plain, happening.subject)
    if topic is None or not any(fires(one, happening, path_test) for one in topic.triggers):
        return False
    applying = (one for one in wish.filters if one.type == happening.type)
    return all(holds(one, happening.subject) for one in applying)


def fires(trigger: Trigger, happening: Happening, path_test: PathTest | None = None) -> bool:
    """http://hl7.org/fhir/R5/subscriptiontopic.html: the resource trigger"""
    if trigger.type != happening.type or happening.action not in trigger.actions:
        return False
    if trigger.path and not (path_test is not None and path_test(trigger.path, happening)):
        return False
    results = []
    if trigger.previous is not None:
        if happening.action == "create" or happening.previous is None:
            results.append(trigger.on_create)
        else:
            results.append(holds(trigger.previous, happening.previous))
    if trigger.current is not None:
        gone = happening.current is None
        results.append(trigger.on_delete if gone else holds(trigger.current, happening.current))
    if not results:
        return True
    return all(results) if trigger.both else any(results)


def holds(criteria: Criteria, subject: Subject | None) -> bool:
    """Whether the resource passes all tests."""
    return subject is not None and all(_passes(test, subject) for test in criteria.tests)


def _passes(test: Test, subject: Subject) -> bool:
    found = list(_values(test, subject))
    if test.modifier == "missing":
        return any((value.lower() == "true") != bool(found) for value in test.values)
    if test.kind == "composite":
        return any(parts_hold(one.parts, value) for one in found for value in test.values)
    modifier = "" if test.modifier == "not" else test.modifier
    hit = any(value_holds(one, modifier, value) for one in found for value in test.values)
    return not hit if test.modifier == "not" else hit


def _values(test: Test, subject: Subject) -> Iterable[Any]:
    if test.param == "_id":
        from liane.fhir.search_values import Token

        return [Token("_id", None, str(subject.resource.get("id", "")))]
    values = subject.values
    if test.param == "_lastUpdated":
        from liane.fhir.dates import interval
        from liane.fhir.search_values import Span

        text = subject.resource.get("meta", {}).get("lastUpdated")
        return [Span("_lastUpdated", *interval(text))] if text else []
    if test.kind == "composite":
        return [one for one in values.composites if one.param == test.param]
    return [one for one in values.values() if one.param == test.param]
