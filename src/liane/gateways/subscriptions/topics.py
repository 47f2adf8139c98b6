"""What can a program subscribe to? Built-in topics, and those written as Basic resources.

R4 has no SubscriptionTopic: the backport guide carries it in a Basic resource whose extensions
are the elements of the R5 one (`.../5.0/StructureDefinition/extension-SubscriptionTopic.url`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, cast

from liane.base.errors import LianeError
from liane.fhir import definitions
from liane.gateways.subscriptions.criteria import parse, refused
from liane.gateways.subscriptions.model import Action, Topic, Trigger
from liane.gateways.subscriptions.paths import check_path

Json = Mapping[str, Any]

OURS = "https://liane.example/fhir/SubscriptionTopic/"
CODE_SYSTEM = "http://hl7.org/fhir/fhir-types"
CODE = "SubscriptionTopic"
_EXTENSION = re.compile(
    r"http://hl7\.org/fhir/(?:4\.3|5\.0)/StructureDefinition/extension-SubscriptionTopic\.(\w+)"
)
_ACTIONS: tuple[Action, ...] = ("create", "update", "delete")
_ALL = frozenset({"*"})
MOST_TRIGGERS = 20

# name, title, what it tells, type, actions, test of the version before, test of the new one
_CLINICAL: tuple[tuple[str, str, str, str, str, str, str], ...] = (
    ("admission", "Admission", "A stay begins.",
     "Encounter", "create update", "status:not=in-progress", "status=in-progress"),
    ("discharge", "Discharge", "A stay ends.",
     "Encounter", "create update", "status:not=finished", "status=finished"),
    ("transfer", "Movement", "A stay under way changes.",
     "Encounter", "update", "status=in-progress", "status=in-progress"),
    ("document-filed", "Document filed", "A document is added to a record.",
     "DocumentReference", "create", "", "status=current"),
    ("prescription", "Prescription", "A medication is prescribed, changed or stopped.",
     "MedicationRequest", "create update delete", "", ""),
    ("order-placed", "Order placed", "An examination or a care is ordered.",
     "ServiceRequest", "create update", "status:not=active", "status=active"),
    ("appointment", "Appointment", "An appointment is made, moved or cancelled.",
     "Appointment", "create update delete", "", ""),
    ("identity", "Identity", "A person's identity is created, corrected or removed.",
     "Patient", "create update delete", "", ""),
)  # fmt: skip


_FAR_OUT = "interpretation.coding.where(code = 'HH' or code = 'LL' or code = 'AA').exists()"
_FINAL = "(%current.status = 'final' and %previous.where(status = 'final').empty())"
_CHANGED = "status = 'amended' or status = 'corrected' or status = 'appended'"

# What a search cannot say: name, title, what it tells, type, FHIRPath over both versions.
_BY_PATH: tuple[tuple[str, str, str, str, str], ...] = (
    ("report-issued", "Report issued", "A report becomes final, or a final one is changed.",
     "DiagnosticReport",
     f"{_FINAL} or %current.where({_CHANGED}).exists()"),
    ("result-critical", "Critical result", "A result far outside its limits is filed.",
     "Observation", f"%current.{_FAR_OUT} and (%previous.{_FAR_OUT}).not()"),
)  # fmt: skip


@cache
def clinical() -> tuple[Topic, ...]:
    """The topics with a clinical meaning."""
    return (*(_clinical(*line) for line in _CLINICAL), *(_by_path(*line) for line in _BY_PATH))


def _by_path(name: str, title: str, tells: str, type_: str, path: str) -> Topic:
    trigger = Trigger(type_, frozenset({"create", "update"}), path=path)
    return Topic(OURS + name, title, tells, (trigger,), {type_: _ALL})


def _clinical(
    name: str, title: str, tells: str, type_: str, actions: str, previous: str, current: str
) -> Topic:
    trigger = Trigger(
        type_,
        frozenset(cast("list[Action]", actions.split())),
        parse(previous, type_=type_) if previous else None,
        parse(current, type_=type_) if current else None,
        both=bool(previous and current),
    )
    return Topic(OURS + name, title, tells, (trigger,), {type_: _ALL})


def built_in(url: str) -> Topic | None:
    """One of our own topics: a clinical one, or `.../SubscriptionTopic/TYPE` for every change of
    the resources of a type.
    """
    name = url.removeprefix(OURS) if url.startswith(OURS) else ""
    if name in definitions.types():
        return Topic(url, name, f"Any change of {name}.", (Trigger(name),), {name: _ALL})
    return next((topic for topic in clinical() if topic.url == url), None)


def is_topic(resource: Json) -> bool:
    """Whether a Basic resource carries a topic."""
    codings = (resource.get("code") or {}).get("coding", [])
    return any(c.get("code") == CODE and c.get("system") in (None, CODE_SYSTEM) for c in codings)


def from_basic(resource: Json) -> Topic | None:
    """The topic that a Basic resource carries; None when it is retired.

    Raises `Invalid` naming what cannot be understood.
    """
    parts = list(_named(resource))
    one = {name: _value(extension) for name, extension in parts}
    url = str(one.get("url") or "")
    if not url or url.startswith(OURS):
        raise refused(
            "Basic.extension",
            "Un thème a une adresse (extension-SubscriptionTopic.url) qui n’est pas des nôtres.",
            "A topic has an address (extension-SubscriptionTopic.url) that is none of ours.",
        )
    if one.get("status") == "retired":
        return None
    triggers = tuple(_trigger(ext) for name, ext in parts if name == "resourceTrigger")
    if not 0 < len(triggers) <= MOST_TRIGGERS:
        raise refused(
            "Basic.extension",
            f"Un thème a de 1 à {MOST_TRIGGERS} resourceTrigger.",
            f"A topic has 1 to {MOST_TRIGGERS} resourceTrigger.",
        )
    return Topic(
        url,
        str(one.get("title") or url),
        str(one.get("description") or ""),
        triggers,
        _filters([ext for name, ext in parts if name == "canFilterBy"], triggers),
        tuple(_includes(ext for name, ext in parts if name == "notificationShape")),
    )


def _named(resource: Json) -> Iterable[tuple[str, Json]]:
    for extension in resource.get("extension", []):
        match = _EXTENSION.fullmatch(str(extension.get("url", "")))
        if match:
            yield match[1], extension


def _value(extension: Json) -> Any:
    return next((value for name, value in extension.items() if name.startswith("value")), None)


def _parts(extension: Json) -> list[tuple[str, Json]]:
    return [(str(one.get("url", "")), one) for one in extension.get("extension", [])]


def _trigger(extension: Json) -> Trigger:
    parts = _parts(extension)
    values = {name: _value(part) for name, part in parts}
    type_ = str(values.get("resource") or "").rsplit("/", 1)[-1]
    if type_ not in definitions.types():
        raise refused(
            "Basic.extension.resourceTrigger",
            f"« {type_[:60]} » n’est pas un type de ressource R4.",
            f"'{type_[:60]}' is not an R4 resource type.",
        )
    actions = frozenset(_value(part) for name, part in parts if name == "supportedInteraction")
    query = {
        name: _value(part)
        for outer, inner in parts
        if outer == "queryCriteria"
        for name, part in _parts(inner)
    }
    path = "" if query else _checked(str(values.get("fhirPathCriteria") or ""))
    return Trigger(
        type_,
        frozenset(a for a in _ACTIONS if not actions or a in actions),
        _query(query.get("previous"), type_),
        _query(query.get("current"), type_),
        query.get("resultForCreate") != "test-fails",
        query.get("resultForDelete") == "test-passes",
        query.get("requireBoth") is True,
        # With both, the query already says it; FHIRPath serves those who can say it no other way.
        path,
    )


def _checked(path: str) -> str:
    try:
        check_path(path)
    except LianeError as problem:
        raise refused("Basic.extension.fhirPathCriteria", problem.fr, problem.en) from problem
    return path


def _query(text: Any, type_: str) -> Any:
    return parse(str(text), type_=type_, path="Basic.extension.queryCriteria") if text else None


def _filters(extensions: list[Json], triggers: tuple[Trigger, ...]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for extension in extensions:
        values = {name: _value(part) for name, part in _parts(extension)}
        param = str(values.get("filterParameter") or "")
        named = str(values.get("resource") or "").rsplit("/", 1)[-1]
        for type_ in [named] if named else sorted({one.type for one in triggers}):
            found.setdefault(type_, set()).add(param)
    return {type_: frozenset(params) for type_, params in found.items()}


def _includes(extensions: Iterable[Json]) -> Iterable[str]:
    for extension in extensions:
        for name, part in _parts(extension):
            if name == "include":
                yield str(_value(part) or "")


def to_basic(topic: Topic) -> dict[str, Any]:
    """Our own topic, as a program would read one."""
    head = "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic."
    listed: list[dict[str, Any]] = [
        {"url": f"{head}url", "valueUri": topic.url},
        {"url": f"{head}title", "valueString": topic.title},
        {"url": f"{head}status", "valueCode": "active"},
        {"url": f"{head}description", "valueMarkdown": topic.description},
    ]
    for trigger in topic.triggers:
        parts: list[dict[str, Any]] = [{"url": "resource", "valueUri": trigger.type}]
        parts += [
            {"url": "supportedInteraction", "valueCode": action}
            for action in _ACTIONS
            if action in trigger.actions
        ]
        query: list[dict[str, Any]] = [
            {"url": name, "valueString": _shown(criteria)}
            for name, criteria in (("previous", trigger.previous), ("current", trigger.current))
            if criteria
        ]
        if query:
            query.append({"url": "requireBoth", "valueBoolean": trigger.both})
            parts.append({"url": "queryCriteria", "extension": query})
        if trigger.path:
            parts.append({"url": "fhirPathCriteria", "valueString": trigger.path})
        listed.append({"url": f"{head}resourceTrigger", "extension": parts})
    coding = {"system": CODE_SYSTEM, "code": CODE}
    return {"resourceType": "Basic", "extension": listed, "code": {"coding": [coding]}}


def _shown(criteria: Any) -> str:
    return "&".join(
        f"{test.param}{':' if test.modifier else ''}{test.modifier}={','.join(test.values)}"
        for test in criteria.tests
    )
