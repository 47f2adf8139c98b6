"""Which node of an XML document does the selector of an XML Patch mean? (RFC 5261, section 4.1)

Selectors are a small part of XPath: child steps, each with predicates on its position, on an
attribute or on a child. They are walked here, step by step, so that their cost stays linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from lxml import etree
from lxml.etree import _Element as Element

LIMIT_CHARACTERS = 2_000
LIMIT_STEPS = 60
LIMIT_PREDICATES = 4

_STEP = re.compile(
    r"(?P<axis>/|//)?(?:(?P<attribute>@[\w:.-]+)|(?P<text>text\(\))|(?P<comment>comment\(\))"
    r"|(?P<name>[\w:.-]+|\*))(?P<predicates>(?:\[[^\[\]]*\])*)"
)
_PREDICATE = re.compile(r"\[([^\[\]]*)\]")
_EQUALS = re.compile(r"(?P<left>@?[\w:.-]+|\.)\s*=\s*(?:'(?P<one>[^']*)'|\"(?P<two>[^\"]*)\")")


class Selected(NamedTuple):
    """What a selector means: an element or comment, an attribute of it, or a text beside it."""

    kind: str
    """`element`, `attribute` or `text`."""
    element: Element
    name: str = ""
    """The attribute; for a text, empty when it stands first and `tail` when it follows."""


class BadSelector(ValueError):
    """The selector is not one of RFC 5261 that is understood here."""


def select(root: Element, selector: str, namespaces: Mapping[str | None, str]) -> list[Selected]:
    """Every node that the selector means, in the order of the document."""
    if len(selector) > LIMIT_CHARACTERS:
        raise BadSelector(selector[:60])
    steps = list(_steps(selector.strip()))
    if not steps or len(steps) > LIMIT_STEPS:
        raise BadSelector(selector[:60])
    # The document itself is no node of lxml: the first step is asked of the root alone.
    first, *rest = steps
    if first["name"] is None:
        raise BadSelector(selector[:60])
    found = _kept([Selected("element", root)] if _named(root, first["name"], namespaces) else [],
                  first["predicates"], namespaces)  # fmt: skip
    for step in rest:
        found = [
            child
            for parent in found
            if parent.kind == "element"
            for child in _kept(_children(parent.element, step, namespaces), step["predicates"],
                               namespaces)
        ]  # fmt: skip
    return found


def _steps(selector: str) -> Iterator[re.Match[str]]:
    at = 0
    while at < len(selector):
        match = _STEP.match(selector, at)
        if match is None or match["axis"] == "//" or (at and match["axis"] is None):
            raise BadSelector(selector[:60])
        yield match
        at = match.end()


def _children(
    parent: Element, step: re.Match[str], namespaces: Mapping[str | None, str]
) -> list[Selected]:
    if step["attribute"]:
        name = qualified(step["attribute"][1:], namespaces, attribute=True)
        return [Selected("attribute", parent, name)] if name in parent.attrib else []
    if step["text"]:
        texts = [Selected("text", parent)] if parent.text else []
        return texts + [Selected("text", child, "tail") for child in parent if child.tail]
    if step["comment"]:
        return [Selected("element", child) for child in parent if child.tag is etree.Comment]
    return [Selected("element", c) for c in parent if _named(c, step["name"], namespaces)]


def _named(element: Element, name: str, namespaces: Mapping[str | None, str]) -> bool:
    if not isinstance(element.tag, str):
        return False
    return name == "*" or element.tag == qualified(name, namespaces)


def qualified(name: str, namespaces: Mapping[str | None, str], *, attribute: bool = False) -> str:
    """`prefix:name` as lxml writes it; a name without prefix is in the default namespace."""
    prefix, colon, local = name.rpartition(":")
    if not colon:
        default = None if attribute else namespaces.get(None)
        return f"{{{default}}}{local}" if default else local
    if prefix not in namespaces:
        raise BadSelector(name[:60])
    return f"{{{namespaces[prefix]}}}{local}"


def _kept(
    nodes: list[Selected], predicates: str, namespaces: Mapping[str | None, str]
) -> list[Selected]:
    found = _PREDICATE.findall(predicates or "")
    if len(found) > LIMIT_PREDICATES:
        raise BadSelector(predicates[:60])
    for predicate in found:
        text = predicate.strip()
        if text.isascii() and text.isdecimal():
            position = int(text[:9])
            nodes = nodes[position - 1 : position] if position else []
            continue
        match = _EQUALS.fullmatch(text)
        if match is None:
            raise BadSelector(text[:60])
        wanted = match["one"] if match["one"] is not None else match["two"]
        nodes = [n for n in nodes if _equals(n.element, match["left"], wanted, namespaces)]
    return nodes


def _equals(element: Element, left: str, wanted: str, namespaces: Mapping[str | None, str]) -> bool:
    if left == ".":
        return "".join(element.itertext()) == wanted
    if left.startswith("@"):
        return bool(element.get(qualified(left[1:], namespaces, attribute=True)) == wanted)
    tag = qualified(left, namespaces)
    return any(child.tag == tag and "".join(child.itertext()) == wanted for child in element)
