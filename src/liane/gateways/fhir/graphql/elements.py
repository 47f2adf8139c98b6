"""Which elements does a field of a resource or datatype mean, and which of them are kept?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from liane.fhir import fhirpath
from liane.fhir.fhirpath.model import Member, shape
from liane.fhir.fhirpath.nodes import Items, Node, keyed, make, named
from liane.gateways.fhir.graphql.fields import Field
from liane.gateways.fhir.graphql.limits import Budget
from liane.gateways.fhir.graphql.refusals import wrong

_LIST_ARGUMENTS = frozenset({"fhirpath", "_offset", "_count"})


def children(node: Node, field: Field) -> tuple[Items, bool]:
    """The elements, and whether the definitions say there may be several.

    Raises `Invalid` for a field that the type does not have.
    """
    name = field.name
    if name.startswith("_"):
        return _shadows(node, name[1:])
    members = shape(node.type)
    member = members.named.get(name)
    if member is not None:
        out: Items = []
        named(node, name, out)
        return out, isinstance(member, Member) and member.many
    found = keyed(node, name)
    if found is None:
        raise unknown(node.type, name)
    return found, members.keyed[name][1].many


def is_choice(node: Node, field: Field) -> bool:
    """Whether the field is a choice of types (`value`), some of them plain values."""
    return isinstance(shape(node.type).named.get(field.name), Mapping)


def _shadows(node: Node, name: str) -> tuple[Items, bool]:
    """`_birthDate`: the id and the extensions of a primitive."""
    entry = shape(node.type).keyed.get(name)
    found = keyed(node, name)
    if entry is None or found is None:
        raise unknown(node.type, f"_{name}")
    kept = [make(child.extra, "Element") for child in found if child.extra is not None]
    return kept, entry[1].many


def unknown(type_: str | None, name: str) -> Exception:
    """The refusal of a field that the type does not have."""
    known = ", ".join(sorted(shape(type_).keyed)[:60])
    return wrong(
        f"{type_} n’a pas de champ « {name[:60]} » ; champs connus : {known}",
        f"{type_} has no field '{name[:60]}'; known fields: {known}",
    )


def plain_value(name: str) -> Exception:
    """The refusal of fields below a primitive."""
    return wrong(
        f"« {name} » est une valeur simple (pour ses extensions : _{name})",
        f"'{name}' is a plain value (for its extensions: _{name})",
    )


def kept(node: Node, found: Items, field: Field, budget: Budget) -> Items:
    """The elements that the arguments of the field keep."""
    arguments = field.arguments
    budget.value(1 + len(found))
    for name, value in arguments.items():
        if name not in _LIST_ARGUMENTS:
            found = [child for child in found if _equals(child, name, value)]
    expression = arguments.get("fhirpath")
    if expression is not None:
        found = _where(node, found, expression, budget)
    offset = _number(arguments, "_offset", 0)
    count = _number(arguments, "_count", len(found))
    return found[offset : offset + count]


def _equals(child: Node, name: str, value: Any) -> bool:
    """Whether an element of the child has that value."""
    out = keyed(child, name)
    if out is None:
        out = []
        if not named(child, name, out) or shape(child.type).named.get(name) is None:
            raise unknown(child.type, name)
    wanted = value if isinstance(value, list) else [value]
    return any(_text(item.value) in map(_text, wanted) for item in out)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _where(node: Node, found: Items, expression: Any, budget: Budget) -> Items:
    path = compiled(expression)
    out: Items = []
    for child in found:
        answer = evaluated(path, child, node, budget)
        if answer and answer[0] is True:
            out.append(child)
    return out


def compiled(expression: Any) -> fhirpath.Path:
    """A FHIRPath expression of an argument."""
    if not isinstance(expression, str):
        raise wrong("fhirpath: est un texte", "fhirpath: is a text")
    return fhirpath.compile(expression)


def evaluated(path: fhirpath.Path, child: Node, resource: Node, budget: Budget) -> list[Any]:
    """The answer of an expression, paid for from what the request has left."""
    answer, steps = path.counted(child, resource=resource, steps=max(0, budget.steps))
    budget.steps -= steps
    return answer


def _number(arguments: dict[str, Any], name: str, default: int) -> int:
    value = arguments.get(name, default)
    text = str(value)
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise wrong(f"{name} est un entier positif", f"{name} is a positive integer")
    return int(text)
