"""What does an expression walk over: how is JSON seen as typed FHIR elements?"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from liane.fhir import definitions
from liane.fhir.fhirpath.errors import Wrong
from liane.fhir.fhirpath.model import PRIMITIVES, Member, shape, within
from liane.fhir.fhirpath.quantities import Quantity
from liane.fhir.fhirpath.temporal import Moment, date_of, datetime_of, time_of

LIMIT_EXPONENT = 400
Items = list[Any]
"""A collection: FHIR elements as `Node`, values of FHIRPath itself as Python values."""


class Place(NamedTuple):
    """Where an element stands: its parent, its JSON key there, its position in a list."""

    parent: Node
    key: str
    position: int | None


class Node:
    """One FHIR element. `value` is its JSON; `extra` the `id` and `extension` of a primitive."""

    __slots__ = ("extra", "place", "type", "value")

    def __init__(
        self, value: Any, type_: str | None, extra: Any = None, place: Place | None = None
    ) -> None:
        self.value = value
        self.type = type_
        self.extra = extra
        self.place = place

    def __repr__(self) -> str:
        return f"Node({self.type}: {self.value!r})"


def node_of(value: Any, type_: str | None = None) -> Any:
    """`value` as something to walk over; a resource says its type itself."""
    if type(value) is Node:
        return value
    if type(value) is dict:
        return Node(value, resource_type(value) or type_)
    return value if type_ is None else Node(value, type_)


def resource_type(value: dict[str, Any]) -> str | None:
    """The type that a resource states, if R4 has it; a stranger may state anything."""
    name = value.get("resourceType")
    return name if type(name) is str and name in definitions.resources() else None


def make(value: Any, type_: str | None, extra: Any = None, place: Place | None = None) -> Node:
    """A node; an element of type Resource takes the type it states, if R4 has it."""
    if type_ == "Resource" and type(value) is dict:
        type_ = resource_type(value)
    return Node(value, type_, extra, place)


def named(node: Node, name: str, out: Items, *, locating: bool = False) -> bool:
    """Add the children called `name` to `out`; False when the type has no such member."""
    value = node.value
    member = shape(node.type).named.get(name)
    if member is None:
        return _untyped(node, name, out, locating=locating)
    if type(value) is not dict:
        value = node.extra
        if type(value) is not dict:
            return True
    if type(member) is Member:
        _take(node, value, member, out, locating=locating)
        return True
    members: Any = member
    for key in value:
        if key in members:
            _take(node, value, members[key], out, locating=locating)
        elif key[:1] == "_" and key[1:] in members and key[1:] not in value:
            _take(node, value, members[key[1:]], out, locating=locating)
    return True


def quick(node: Node, member: Member, out: Items) -> bool:
    """As `named`, for the usual case; False when it is another one and nothing was added."""
    value = node.value
    if type(value) is not dict:
        return False
    child = value.get(member.key)
    if member.shadow in value:
        return False
    if child is None:
        return True
    if type(child) is list:
        if None in child:
            return False
        type_ = member.type
        out += [Node(one, type_) for one in child]
    else:
        out.append(Node(child, member.type))
    return True


def keyed(node: Node, key: str) -> Items | None:
    """The children under a JSON key (`valueQuantity`); None when the type has no such key."""
    entry = shape(node.type).keyed.get(key)
    if entry is None:
        return None
    out: Items = []
    value = node.value if type(node.value) is dict else node.extra
    if type(value) is dict:
        _take(node, value, entry[1], out, locating=False)
    return out


def _take(node: Node, value: Any, member: Member, out: Items, *, locating: bool) -> None:
    child = value.get(member.key)
    extra = value.get(member.shadow) if member.type in PRIMITIVES else None
    if child is None and extra is None:
        return
    if type(child) is list or type(extra) is list:
        children = child if type(child) is list else []
        extras = extra if type(extra) is list else []
        for i in range(max(len(children), len(extras))):
            one = children[i] if i < len(children) else None
            other = extras[i] if i < len(extras) else None
            if one is not None or other is not None:
                place = Place(node, member.key, i) if locating else None
                out.append(make(one, member.type, other, place))
        return
    place = Place(node, member.key, None) if locating else None
    out.append(make(child, member.type, extra, place))


def _untyped(node: Node, name: str, out: Items, *, locating: bool) -> bool:
    """A member that the definitions do not know: as JSON has it, where the type is unknown."""
    if node.type is not None and shape(node.type).named:
        return False
    if type(node.value) is dict and name in node.value:
        member = Member(name, f"_{name}", "", False)
        before = len(out)
        _take(node, node.value, member, out, locating=locating)
        for child in out[before:]:
            child.type = None
    return True


def children(node: Node, *, locating: bool = False) -> Iterator[tuple[str, Node]]:
    """Every child with its FHIRPath name, in the order JSON has them."""
    value = node.value if type(node.value) is dict else node.extra
    if type(value) is not dict:
        return
    keyed = shape(node.type).keyed
    for key in value:
        plain = key[1:] if key[:1] == "_" else key
        if plain != key and plain in value:
            continue
        entry = keyed.get(plain)
        found: Items = []
        if entry is not None:
            _take(node, value, entry[1], found, locating=locating)
            name = entry[0]
        elif plain == "resourceType":
            continue
        else:
            name = plain
            _untyped(node, plain, found, locating=locating)
        for child in found:
            yield name, child


def system(item: Any) -> Any:
    """The FHIRPath value of an item: a Node stays one where there is no such value.

    A primitive without a value gives None. Raises `Wrong` for a date that is none.
    """
    if type(item) is not Node:
        return item
    value, type_ = item.value, item.type
    if type(value) is dict:
        return _quantity(item) if type_ is not None and within(type_, "Quantity") else item
    if value is None:
        return None
    if type(value) is str:
        return _text(value, type_)
    if type(value) is bool:
        return value
    return _number(value, type_)


def _number(value: Any, type_: str | None) -> Any:
    """A number within reach: one with thousands of digits would take memory without end."""
    if type_ == "decimal" or type(value) is float:
        value = Decimal(repr(value)) if type(value) is float else Decimal(value)
    if type(value) is Decimal:
        if not value.is_finite() or (value and abs(value.adjusted()) > LIMIT_EXPONENT):
            raise Wrong("nombre hors de portée", "a number out of range")
    elif type(value) is int and abs(value) > 10**LIMIT_EXPONENT:
        raise Wrong("nombre hors de portée", "a number out of range")
    return value


def _text(value: str, type_: str | None) -> Any:
    if type_ == "date":
        return _moment(date_of, value)
    if type_ in ("dateTime", "instant"):
        return _moment(datetime_of, value)
    if type_ == "time":
        return _moment(time_of, value)
    return value


def _moment(read: Any, value: str) -> Moment | str:
    try:
        moment: Moment = read(value)
    except Wrong:
        return value
    return moment


def _quantity(item: Node) -> Any:
    value = item.value.get("value")
    if type(value) is not Decimal and type(value) is not int and type(value) is not float:
        return item
    return Quantity(
        _number(value, "decimal"), item.value.get("code") or item.value.get("unit") or "1"
    )


def plain(item: Any) -> Any:
    """What a caller outside gets: the JSON of an element, or the value itself."""
    return item.value if type(item) is Node else item


def type_name(item: Any) -> tuple[str, str]:
    """Namespace and name of the type of an item."""
    if type(item) is Node:
        if item.type is None:
            return "FHIR", "Element"
        return "FHIR", "BackboneElement" if "." in item.type else item.type
    for kind, name in _SYSTEM_NAMES:
        if type(item) is kind:
            return "System", name
    return "System", item.kind if type(item) is Moment else "Any"


_SYSTEM_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "Boolean"),
    (str, "String"),
    (int, "Integer"),
    (Decimal, "Decimal"),
    (Quantity, "Quantity"),
)
