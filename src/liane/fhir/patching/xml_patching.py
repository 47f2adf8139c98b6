"""What is a resource after an XML Patch? (RFC 5261; R4 http, patch)"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, cast

from lxml import etree
from lxml.etree import _Element as Element

from liane.base import safe_xml
from liane.fhir import xml
from liane.fhir.patching.refusals import (
    LIMIT_OPERATIONS,
    identity,
    inapplicable,
    malformed,
    require_same,
    too_many,
)
from liane.fhir.patching.xml_selecting import BadSelector, Selected, qualified, select

LIMIT_BYTES = 4 * 1024 * 1024
FHIR = "http://hl7.org/fhir"
LIMIT_LOOKS = 2_000_000
"""Elements of the document times operations of the patch."""
_PREFIXES = {"f": FHIR, "h": "http://www.w3.org/1999/xhtml"}
_ACTIONS = ("add", "replace", "remove")


def xml_patch(resource: dict[str, Any], patch: bytes) -> dict[str, Any]:
    """The patched copy of `resource`; the patch works on its XML form.

    Raises `PatchInvalid`, `PatchInapplicable`, and `Invalid` when the outcome is no resource.
    """
    before = identity(resource)
    target = safe_xml.parse(xml.dumps(resource))
    patched = apply(target, safe_xml.parse(patch, limit_bytes=LIMIT_BYTES))
    result = xml.loads(etree.tostring(patched))
    require_same(0, "", before, result)
    return result


def apply(target: Element | None, patch: Element) -> Element:
    """The document `target` changed by the operations of `patch`, one after the other."""
    if target is None:
        raise inapplicable(0, "", "il n’y a pas de document", "there is no document")
    operations = [child for child in patch if isinstance(child.tag, str)]
    if not operations:
        raise malformed(0, "", "le patch ne contient pas d’opération", "the patch has no operation")
    if len(operations) > LIMIT_OPERATIONS:
        raise too_many(len(operations))
    if sum(1 for _ in target.iter()) * len(operations) > LIMIT_LOOKS:
        raise inapplicable(
            0,
            "",
            "trop d’opérations pour un document de cette taille : envoyer un JSON Patch",
            "too many operations for a document of this size: send a JSON Patch",
        )
    for index, operation in enumerate(operations):
        target = _applied(index, target, operation)
    return target


def _applied(index: int, target: Element, operation: Element) -> Element:
    action = etree.QName(operation).localname
    selector = operation.get("sel") or ""
    if action not in _ACTIONS or not selector:
        raise malformed(
            index,
            selector,
            "add, replace ou remove avec un attribut « sel » est attendu",
            "add, replace or remove with a 'sel' attribute is expected",
        )
    namespaces = {**_PREFIXES, **operation.nsmap}
    try:
        found = select(target, selector, namespaces)
    except BadSelector as problem:
        raise malformed(
            index,
            selector,
            f"sélecteur non accepté (« {problem} »)",
            f"selector not accepted ('{problem}')",
        ) from None
    if len(found) != 1:
        raise inapplicable(
            index,
            selector,
            f"le sélecteur doit désigner un nœud, il en désigne {len(found)}",
            f"the selector must mean one node, it means {len(found)}",
        )
    if action == "add":
        return _add(index, target, operation, found[0], namespaces)
    return (
        _replace(index, target, operation, found[0])
        if action == "replace"
        else (_remove(index, target, selector, found[0]))
    )


def _add(
    index: int,
    target: Element,
    operation: Element,
    place: Selected,
    namespaces: Mapping[str | None, str],
) -> Element:
    selector = operation.get("sel") or ""
    if place.kind != "element":
        raise inapplicable(index, selector, "un élément est attendu", "an element is expected")
    kind = operation.get("type") or ""
    if kind.startswith("@"):
        place.element.set(qualified(kind[1:], namespaces, attribute=True), operation.text or "")
        return target
    if kind.startswith("namespace::"):
        return _declared(target, place.element, kind.removeprefix("namespace::"), operation)
    position = operation.get("pos") or "append"
    if position in ("before", "after") and place.element.getparent() is None:
        raise inapplicable(index, selector, "la racine est seule", "the root stands alone")
    new = [copy.deepcopy(child) for child in operation]
    text = operation.text or ""
    match position:
        case "append":
            _append(place.element, text, new)
        case "prepend":
            _prepend(place.element, text, new)
        case "before" | "after":
            _beside(place.element, text, new, after=position == "after")
        case _:
            raise malformed(index, selector, "pos inconnu", "unknown pos")
    return target


def _append(parent: Element, text: str, new: list[Element]) -> None:
    if text:
        if len(parent):
            parent[-1].tail = (parent[-1].tail or "") + text
        else:
            parent.text = (parent.text or "") + text
    parent.extend(new)


def _prepend(parent: Element, text: str, new: list[Element]) -> None:
    before, parent.text = parent.text or "", text or None
    for position, child in enumerate(new):
        parent.insert(position, child)
    if new:
        new[-1].tail = (new[-1].tail or "") + before
    else:
        parent.text = text + before


def _beside(sibling: Element, text: str, new: list[Element], *, after: bool) -> None:
    parent = cast("Element", sibling.getparent())
    position = parent.index(sibling)
    if after:
        tail, sibling.tail = sibling.tail or "", text or None
        last = sibling
        for offset, child in enumerate(new):
            parent.insert(position + 1 + offset, child)
            last = child
        last.tail = (last.tail or "") + tail
        return
    for offset, child in enumerate(new):
        parent.insert(position + offset, child)
    if text:
        if position:
            parent[position - 1].tail = (parent[position - 1].tail or "") + text
        else:
            parent.text = (parent.text or "") + text


def _declared(target: Element, element: Element, prefix: str, operation: Element) -> Element:
    """The document with one more namespace declaration: lxml wants a new element for it."""
    names = {**element.nsmap, prefix: operation.text or ""}
    new = etree.Element(element.tag, dict(element.attrib), nsmap=names)
    new.text, new.tail = element.text, element.tail
    new.extend(list(element))
    parent = element.getparent()
    if parent is None:
        return new
    parent.replace(element, new)
    return target


def _replace(index: int, target: Element, operation: Element, place: Selected) -> Element:
    if place.kind == "attribute":
        place.element.set(place.name, operation.text or "")
        return target
    if place.kind == "text":
        _set_text(place, operation.text or "")
        return target
    new = [copy.deepcopy(child) for child in operation]
    if len(new) != 1:
        raise malformed(
            index,
            operation.get("sel") or "",
            "un seul nœud en remplace un autre",
            "one node replaces another",
        )
    new[0].tail = place.element.tail
    parent = place.element.getparent()
    if parent is None:
        return new[0]
    parent.replace(place.element, new[0])
    return target


def _set_text(place: Selected, text: str | None) -> None:
    if place.name == "tail":
        place.element.tail = text
    else:
        place.element.text = text


def _remove(index: int, target: Element, selector: str, place: Selected) -> Element:
    if place.kind == "attribute":
        del place.element.attrib[place.name]
    elif place.kind == "text":
        _set_text(place, None)
    else:
        parent = place.element.getparent()
        if parent is None:
            raise inapplicable(
                index, selector, "la racine ne s’enlève pas", "the root is not removed"
            )
        _keep_tail(parent, place.element)
        parent.remove(place.element)
    return target


def _keep_tail(parent: Element, element: Element) -> None:
    """Text that follows a removed element stays, behind what stood before it."""
    if not element.tail:
        return
    before = element.getprevious()
    if before is None:
        parent.text = (parent.text or "") + element.tail
    else:
        before.tail = (before.tail or "") + element.tail
    element.tail = None
