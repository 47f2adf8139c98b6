"""What does one `name=value` ask: which parameter, in which form, through which references?"""

from __future__ import annotations

from liane.fhir import definitions
from liane.store.search import known
from liane.store.search.model import Criterion
from liane.store.search.refusals import Unknown, refused, unknown, wrong_modifier
from liane.store.search.separators import split, unescape

MOST_VALUES = 500
MOST_HOPS = 6
_WHOLE = frozenset({"string", "uri", "date"})
"""Kinds whose values have no inner separators; the others cut at | or $ first."""


def criterion(
    type_: str, name: str, value: str, tenant: int | None = None, hops: int = 0
) -> Criterion:
    """`name=value` with its form, its chain of references or its reverse chain understood.

    Raises `Unknown` naming what is not understood and what would be.
    """
    if hops > MOST_HOPS:
        raise refused(
            f"Pas plus de {MOST_HOPS} références l'une après l'autre.",
            f"No more than {MOST_HOPS} references one after another.",
        )
    if name.startswith("_has:") or name == "_has":
        return _has(type_, name, value, tenant, hops)
    if "." in name:
        return _chained(type_, name, value, tenant, hops)
    if name == "_list":
        return Criterion("_list", "list", None, tuple(split(value, ",")))
    return simple(type_, name, value, tenant)


def simple(type_: str, name: str, value: str, tenant: int | None = None) -> Criterion:
    """A criterion about the resource itself."""
    param, _, modifier = name.partition(":")
    found = known.parameter(type_, param, tenant)
    if found is None:
        raise unknown(type_, name, known.names(type_, tenant))
    if modifier and modifier not in known.modifiers(found):
        raise wrong_modifier(type_, param, modifier, known.modifiers(found))
    values = tuple(split(value, ","))
    if len(values) > MOST_VALUES:
        raise refused(
            f"Pas plus de {MOST_VALUES} valeurs pour « {param} ».",
            f"No more than {MOST_VALUES} values for '{param}'.",
        )
    if found.kind in _WHOLE:
        values = tuple(unescape(one) for one in values)
    return Criterion(param, found.kind, modifier or None, values)


def _chained(type_: str, name: str, value: str, tenant: int | None, hops: int) -> Criterion:
    first, _, rest = name.partition(".")
    param, _, wanted = first.partition(":")
    pointers = _pointers(type_, tenant)
    if param not in pointers:
        raise unknown(type_, name, pointers)
    allowed = pointers[param] or definitions.types()
    if wanted and wanted not in allowed:
        raise wrong_modifier(type_, param, wanted, allowed)
    fitting = []
    problem: Unknown | None = None
    for target in (wanted,) if wanted else allowed:
        try:
            fitting.append((target, criterion(target, rest, value, tenant, hops + 1)))
        except Unknown as refusal:
            problem = problem or refusal
    if not fitting:
        raise problem or unknown(type_, name, pointers)
    return Criterion(param, "reference", None, (), tuple(fitting))


def _has(type_: str, name: str, value: str, tenant: int | None, hops: int) -> Criterion:
    parts = name.split(":", 3)
    if len(parts) != 4:
        raise unknown(type_, name, ["_has:Type:reference:parameter"])
    _, source, param, rest = parts
    if source not in definitions.resources():
        raise unknown("_has", source, definitions.types())
    pointers = _pointers(source, tenant)
    if param not in pointers:
        raise unknown(f"_has {source}", param, pointers)
    if pointers[param] and type_ not in pointers[param]:
        fitting = [one for one, targets in pointers.items() if not targets or type_ in targets]
        raise unknown(f"_has {source} -> {type_}", param, fitting)
    inner = criterion(source, rest, value, tenant, hops + 1)
    return Criterion(param, "reference", None, (), ((source, inner),), source)


def _pointers(type_: str, tenant: int | None) -> dict[str, tuple[str, ...]]:
    """The reference parameters of a type, with the types they may point to."""
    return {
        one.name: one.targets
        for one in known.parameters(type_, tenant).values()
        if one.kind == "reference"
    }
