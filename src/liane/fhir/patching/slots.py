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


def drop_empty(node: Node | None) -> None:
    """Take away objects that have become empty, upwards: JSON of FHIR has none."""
    while node is not None and node.place is not None:
        held = node.value if isinstance(node.value, dict) else node.extra
        if held or (node.value is not None and not isinstance(node.value, dict)):
            return
        parent, key, position = node.place
        holder = container(parent)
        member = shape(parent.type).keyed[key][1]
        pairs = read(holder, member)
        del pairs[position or 0]
        write(holder, member, pairs)
        node = parent
