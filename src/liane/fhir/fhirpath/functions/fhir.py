"""What do the functions that FHIR adds to FHIRPath answer? (FHIR R4, fhirpath.html#functions)"""

from __future__ import annotations

from typing import Any

from liane.fhir.fhirpath.errors import Wrong
from liane.fhir.fhirpath.functions.registry import Table, eager
from liane.fhir.fhirpath.functions.strings import text_of
from liane.fhir.fhirpath.model import known, within
from liane.fhir.fhirpath.nodes import Items, Node, make, named, system
from liane.fhir.fhirpath.scope import Scope, single

TABLE: Table = {}
_STRUCTURES = "http://hl7.org/fhir/StructureDefinition/"


@eager(TABLE, "extension", 1)
def extension(scope: Scope, focus: Items, url: Items) -> Items:
    """The extensions with that address."""
    wanted = text_of(scope, url)
    found: Items = []
    for item in focus:
        if type(item) is Node:
            named(item, "extension", found, locating=scope.env.locating)
    scope.env.spend(len(found))
    return [e for e in found if type(e.value) is dict and e.value.get("url") == wanted]


@eager(TABLE, "hasValue")
def has_value(_scope: Scope, focus: Items) -> Items:
    """Whether the focus is one primitive with a value."""
    if len(focus) != 1:
        return [False]
    item = focus[0]
    value = item.value if type(item) is Node else item
    return [value is not None and type(value) not in (dict, list)]


@eager(TABLE, "getValue")
def get_value(_scope: Scope, focus: Items) -> Items:
    """The value of the one primitive that the focus is."""
    value = system(focus[0]) if len(focus) == 1 else None
    return [] if value is None or type(value) is Node else [value]


@eager(TABLE, "resolve")
def resolve(scope: Scope, focus: Items) -> Items:
    """The resources that references point to: contained, in the same Bundle, or given."""
    out: Items = []
    for item in focus:
        reference = _address(item)
        if reference is None:
            continue
        found = _contained(scope, reference) if reference.startswith("#") else None
        if found is None:
            found = _in_bundle(scope, reference)
        if found is None and scope.env.resolve is not None and not reference.startswith("#"):
            found = scope.env.resolve(reference)
        if found is not None:
            out.append(make(found, "Resource"))
    scope.env.spend(len(out))
    return out


def _address(item: Any) -> str | None:
    value = item.value if type(item) is Node else item
    if type(value) is dict:
        value = value.get("reference")
    return value if type(value) is str else None


def _contained(scope: Scope, reference: str) -> dict[str, Any] | None:
    for holder in (*scope.env.resource, *scope.env.root):
        if type(holder) is not Node or type(holder.value) is not dict:
            continue
        if reference == "#":
            return holder.value
        for contained in holder.value.get("contained") or ():
            if type(contained) is dict and contained.get("id") == reference[1:]:
                return contained
    return None


def _in_bundle(scope: Scope, reference: str) -> dict[str, Any] | None:
    for holder in scope.env.root:
        if type(holder) is not Node or holder.type != "Bundle":
            continue
        entries = holder.value.get("entry") or ()
        scope.env.spend(len(entries))
        for entry in entries:
            resource = entry.get("resource") if type(entry) is dict else None
            if type(resource) is not dict:
                continue
            own = f"{resource.get('resourceType')}/{resource.get('id')}"
            if entry.get("fullUrl") == reference or own == reference:
                return resource
    return None


@eager(TABLE, "memberOf", 1)
def member_of(scope: Scope, focus: Items, value_set: Items) -> Items:
    """Whether a code is in a value set; nothing when the value set is not known."""
    url = text_of(scope, value_set)
    if len(focus) != 1 or url is None or scope.env.member_of is None:
        return []
    item = focus[0]
    value = item.value if type(item) is Node else item
    answers = [scope.env.member_of(url, system_, code) for system_, code in _codes(value) if code]
    if any(answers):
        return [True]
    return [] if None in answers else [False]


def _codes(value: Any) -> list[tuple[str | None, str | None]]:
    if type(value) is str:
        return [(None, value)]
    if type(value) is not dict:
        return []
    if "coding" in value:
        return [(coding.get("system"), coding.get("code")) for coding in value["coding"]]
    return [(value.get("system"), value.get("code"))]


@eager(TABLE, "subsumes", 1)
def subsumes(scope: Scope, focus: Items, other: Items) -> Items:
    """Whether the code here is the other one or stands above it; nothing when it is not known."""
    return _subsumption(scope, focus, other)


@eager(TABLE, "subsumedBy", 1)
def subsumed_by(scope: Scope, focus: Items, other: Items) -> Items:
    """Whether the code here is the other one or stands below it; nothing when it is not known."""
    return _subsumption(scope, other, focus)


def _subsumption(scope: Scope, above: Items, below: Items) -> Items:
    if len(above) != 1 or len(below) != 1:
        return []
    answers: list[bool | None] = []
    for system_, code in _codes(above[0].value if type(above[0]) is Node else above[0]):
        for system_below, narrower in _codes(
            below[0].value if type(below[0]) is Node else below[0]
        ):
            if not system_ or system_ != system_below or not code or not narrower:
                continue
            if code == narrower:
                return [True]
            ask = scope.env.subsumes
            answers.append(None if ask is None else ask(system_, code, narrower))
    if any(answers):
        return [True]
    return [False] if answers and None not in answers else []


@eager(TABLE, "conformsTo", 1)
def conforms_to(scope: Scope, focus: Items, profile: Items) -> Items:
    """Whether an element conforms to a profile; the types of R4 are known, others are asked for."""
    url = text_of(scope, profile)
    if not focus or url is None:
        return []
    item = focus[0]
    name = url.removeprefix(_STRUCTURES)
    if name != url and known(name):
        return [type(item) is Node and item.type is not None and within(item.type, name)]
    answer = scope.env.conforms(item, url) if scope.env.conforms is not None else None
    if answer is None:
        raise Wrong(f"profil « {url[:200]} » inconnu", f"unknown profile '{url[:200]}'")
    return [answer]


@eager(TABLE, "checkModifiers", 0, 20)
def check_modifiers(scope: Scope, focus: Items, *allowed: Items) -> Items:
    """The focus, unless it carries a modifier extension that is not among `allowed`."""
    urls = {text_of(scope, url) for url in allowed}
    for item in focus:
        if type(item) is not Node or type(item.value) is not dict:
            continue
        for modifier in item.value.get("modifierExtension") or ():
            if modifier.get("url") not in urls:
                url = str(modifier.get("url"))[:200]
                raise Wrong(f"extension modificatrice « {url} »", f"modifier extension '{url}'")
    return focus


@eager(TABLE, "htmlChecks")
def html_checks(_scope: Scope, focus: Items) -> Items:
    """Whether a narrative keeps the rules of FHIR (R4, narrative, txt-1)."""
    from liane.fhir.invariants import txt_1

    value = single(focus)
    return [] if value is None else [txt_1({"div": value}, "") is None]
