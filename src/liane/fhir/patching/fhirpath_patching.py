"""What is a resource after a FHIRPath Patch? (R4, fhirpatch.html)"""

from __future__ import annotations

import copy
from typing import Any

from liane.fhir import fhirpath
from liane.fhir.fhirpath.model import Member, shape
from liane.fhir.fhirpath.nodes import Node, node_of
from liane.fhir.patching import slots
from liane.fhir.patching.parameters import Operation, Value, operations, value_of
from liane.fhir.patching.refusals import identity, inapplicable, malformed, require_same
from liane.fhir.patching.slots import Pair

LIMIT_DEPTH = 30
LIMIT_STEPS = 500_000
"""Of all paths of a patch together, and of the items of the lists they change."""


class _Target:
    """The resource being patched, and how much may still be looked at."""

    def __init__(self, resource: dict[str, Any]) -> None:
        self.resource = resource
        self._left = LIMIT_STEPS

    def found(self, operation: Operation, text: str) -> list[Any]:
        """The items that a path leads to."""
        env = fhirpath.environment(self.resource, locating=True, steps=self._left)
        try:
            found = fhirpath.compile(text).run(env)
        except fhirpath.Wrong as problem:
            raise malformed(operation.index, operation.path, problem.fr, problem.en) from None
        self._left = env.left
        return found

    def pairs(self, holder: dict[str, Any], member: Member, operation: Operation) -> list[Pair]:
        """The values of a member with their shadows."""
        found = slots.read(holder, member)
        self._left -= len(found)
        if self._left < 0:
            raise inapplicable(
                operation.index, operation.path, "le patch coûte trop", "the patch costs too much"
            )
        return found


def fhirpath_patch(resource: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """The patched copy of `resource`. Raises `PatchInvalid`, `PatchInapplicable`."""
    before = identity(resource)
    target = _Target(copy.deepcopy(resource))
    for operation in operations(parameters):
        _OPERATIONS[operation.type](target, operation)
        require_same(operation.index, operation.path, before, target.resource)
    # Only now, so that what is left empty for a moment keeps its place for the operations to come.
    slots.drop_empty(target.resource)
    return target.resource


def _found(target: _Target, operation: Operation, text: str) -> list[Node]:
    found = target.found(operation, text)
    nodes = [item for item in found if isinstance(item, Node)]
    if len(nodes) != len(found):
        raise inapplicable(
            operation.index,
            operation.path,
            "le chemin donne une valeur, pas un élément",
            "the path gives a value, not an element",
        )
    return nodes


def _one(target: _Target, operation: Operation) -> Node:
    nodes = _found(target, operation, operation.path)
    if len(nodes) == 1:
        return nodes[0]
    raise inapplicable(
        operation.index,
        operation.path,
        f"le chemin doit mener à un élément, il mène à {len(nodes)}",
        f"the path must lead to one element, it leads to {len(nodes)}",
    )


def _add(target: _Target, operation: Operation) -> None:
    node = _one(target, operation)
    value = operation.value
    assert value is not None
    member = slots.member_for(node, operation.name, value.type)
    if member is None:
        raise inapplicable(
            operation.index,
            operation.path,
            f"{node.type} n’a pas d’élément « {operation.name} » de ce type",
            f"{node.type} has no element '{operation.name}' of this type",
        )
    holder = slots.container(node)
    pairs = target.pairs(holder, member, operation)
    taken = any(slots.read(holder, other) for other in slots.choices(node, member))
    if taken and not member.many:
        raise inapplicable(
            operation.index,
            operation.path,
            f"« {operation.name} » a déjà une valeur : la remplacer (replace)",
            f"'{operation.name}' has a value already: replace it",
        )
    slots.write(holder, member, [*pairs, _pair(operation, value, member, 0)])


def _insert(target: _Target, operation: Operation) -> None:
    parent, member = _list(target, operation)
    holder = slots.container(parent)
    pairs = target.pairs(holder, member, operation)
    _require_place(operation, operation.at, len(pairs))
    assert operation.value is not None
    pairs.insert(operation.at, _pair(operation, operation.value, member, 0))
    slots.write(holder, member, pairs)


def _move(target: _Target, operation: Operation) -> None:
    parent, member = _list(target, operation)
    holder = slots.container(parent)
    pairs = target.pairs(holder, member, operation)
    _require_place(operation, operation.source, len(pairs) - 1)
    _require_place(operation, operation.destination, len(pairs) - 1)
    pairs.insert(operation.destination, pairs.pop(operation.source))
    slots.write(holder, member, pairs)


def _require_place(operation: Operation, position: int, last: int) -> None:
    if position > last:
        raise inapplicable(
            operation.index,
            operation.path,
            f"la position {position} dépasse la fin de la liste ({last})",
            f"position {position} is beyond the end of the list ({last})",
        )


def _list(target: _Target, operation: Operation) -> tuple[Node, Member]:
    """The parent and the member that the path of a list names; the list may be absent."""
    places = {
        (id(node.place.parent.value), node.place.key): node.place
        for node in _found(target, operation, operation.path)
        if node.place is not None
    }
    if len(places) == 1:
        place = next(iter(places.values()))
        parent, member = place.parent, shape(place.parent.type).keyed[place.key][1]
    else:
        above, _, name = operation.path.rpartition(".")
        parents = _found(target, operation, above) if above and not places else []
        found = slots.member_for(parents[0], name, None) if len(parents) == 1 else None
        if found is None:
            raise inapplicable(
                operation.index,
                operation.path,
                "le chemin doit mener à une liste",
                "the path must lead to one list",
            )
        parent, member = parents[0], found
    if not member.many:
        raise inapplicable(
            operation.index,
            operation.path,
            "cet élément ne se répète pas",
            "this element does not repeat",
        )
    return parent, member


def _delete(target: _Target, operation: Operation) -> None:
    nodes = _found(target, operation, operation.path)
    if not nodes:
        return
    node = nodes[0] if len(nodes) == 1 else _one(target, operation)
    if node.place is None:
        raise _whole(operation)
    parent, key, position = node.place
    holder = slots.container(parent)
    member = shape(parent.type).keyed[key][1]
    pairs = target.pairs(holder, member, operation)
    del pairs[position or 0]
    slots.write(holder, member, pairs)


def _replace(target: _Target, operation: Operation) -> None:
    node = _one(target, operation)
    value = operation.value
    assert value is not None
    if node.place is None:
        raise _whole(operation)
    parent, key, position = node.place
    holder = slots.container(parent)
    member = shape(parent.type).keyed[key][1]
    name = shape(parent.type).keyed[key][0]
    wanted = member if name == key else slots.member_for(parent, name, value.type)
    if wanted is None:
        raise inapplicable(
            operation.index,
            operation.path,
            f"« {name} » n’accepte pas ce type de valeur",
            f"'{name}' does not take this type of value",
        )
    pairs = target.pairs(holder, member, operation)
    pairs[position or 0] = _pair(operation, value, wanted, 0)
    if wanted.key != member.key:
        slots.write(holder, member, [])
    slots.write(holder, wanted, pairs)


def _whole(operation: Operation) -> Exception:
    return inapplicable(
        operation.index,
        operation.path,
        "une ressource entière ne se remplace pas par un patch",
        "a whole resource is not replaced by a patch",
    )


def _pair(operation: Operation, value: Value, member: Member, depth: int) -> Pair:
    if value.parts is None:
        return copy.deepcopy(value.json), copy.deepcopy(value.extra)
    return _anonymous(operation, value.parts, member.type, depth), None


def _anonymous(
    operation: Operation, parts: tuple[dict[str, Any], ...], type_: str, depth: int
) -> dict[str, Any]:
    """An element of an anonymous type, made of named parts."""
    if depth > LIMIT_DEPTH:
        raise malformed(operation.index, operation.path, "trop profond", "too deep")
    built: dict[str, Any] = {}
    node = node_of(built, type_)
    for part in parts:
        name = part.get("name") if isinstance(part, dict) else None
        value = value_of(operation.index, operation.path, part) if isinstance(name, str) else None
        member = slots.member_for(node, str(name), value.type) if value else None
        if value is None or member is None:
            raise inapplicable(
                operation.index,
                operation.path,
                f"{type_} n’a pas d’élément « {str(name)[:60]} » de ce type",
                f"{type_} has no element '{str(name)[:60]}' of this type",
            )
        pairs = [*slots.read(built, member), _pair(operation, value, member, depth + 1)]
        if len(pairs) > 1 and not member.many:
            raise inapplicable(
                operation.index,
                operation.path,
                f"« {name} » ne se répète pas",
                f"'{name}' does not repeat",
            )
        slots.write(built, member, pairs)
    return built


_OPERATIONS = {
    "add": _add,
    "insert": _insert,
    "delete": _delete,
    "replace": _replace,
    "move": _move,
}
