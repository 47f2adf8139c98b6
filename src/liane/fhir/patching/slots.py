"""How is one element of a resource put in, taken out or changed, with its JSON shadow?

In JSON a primitive stands under its name and its extensions under `_name`, position by position
in lists. Here both are one pair.
"""

from __future__ import annotations

from typing import Any

from liane.fhir.fhirpath.model import PRIMITIVES, Member, shape
from liane.fhir.fhirpath.nodes import Node

Pair = tuple[Any, Any]


def member_for(node: Node, name: str, value_type: str | None) -> Member | None:
    """The member `name` (`value`, `valueQuantity`) that takes a value of that type."""
    members = shape(node.type)
    found = members.named.get(name)
    if isinstance(found, Member):
        return found
    if found is not None:
        for member in found.values():
            if member.type == value_type:
                return member
        return None
    keyed = members.keyed.get(name)
    return keyed[1] if keyed else None


def choices(node: Node, member: Member) -> list[Member]:
    """All the members that exclude one another with this one; itself when it is no choice."""
    members = shape(node.type)
    found = members.named.get(members.keyed[member.key][0])
    return [member] if found is None or isinstance(found, Member) else list(found.values())


def container(node: Node) -> dict[str, Any]:
    """The JSON object that holds the children of a node: for a primitive, its shadow."""
    if isinstance(node.value, dict):
        return node.value
    if not isinstance(node.extra, dict):
        node.extra = {}
        if node.place is not None:
            parent, key, position = node.place
            holder = container(parent)
            if position is None:
                holder[f"_{key}"] = node.extra
            else:
                extras = holder.setdefault(f"_{key}", [])
                extras += [None] * (position + 1 - len(extras))
                extras[position] = node.extra
    extra: dict[str, Any] = node.extra
    return extra


def read(holder: dict[str, Any], member: Member) -> list[Pair]:
    """The values of a member with their shadows."""
    value = holder.get(member.key)
    extra = holder.get(member.shadow) if member.type in PRIMITIVES else None
    if isinstance(value, list) or isinstance(extra, list):
        values = value if isinstance(value, list) else []
        extras = extra if isinstance(extra, list) else []
        length = max(len(values), len(extras))
        values = values + [None] * (length - len(values))
        extras = extras + [None] * (length - len(extras))
        return list(zip(values, extras, strict=True))
    return [] if value is None and extra is None else [(value, extra)]


def write(holder: dict[str, Any], member: Member, pairs: list[Pair]) -> None:
    """Put the values of a member back as JSON wants them; none at all takes it away."""
    values = [value for value, _ in pairs]
    extras = [extra or None for _, extra in pairs]
    for key, items in ((member.key, values), (member.shadow, extras)):
        if all(item is None for item in items):
            holder.pop(key, None)
        else:
            holder[key] = items if member.many else items[0]


def drop_empty(value: Any) -> Any:
    """Take away, in place, objects and lists that have become empty: JSON of FHIR has none."""
    if isinstance(value, dict):
        for key in list(value):
            child = _without_empty(value[key], shadow=key.startswith("_"))
            if child in ({}, []):
                del value[key]
            else:
                value[key] = child
    return value


def _without_empty(value: Any, *, shadow: bool) -> Any:
    if not isinstance(value, list):
        return drop_empty(value)
    items = [drop_empty(item) for item in value]
    if not shadow:
        return [item for item in items if item != {}]
    kept = [item or None for item in items]
    return kept if any(kept) else []
