"""Which search parameters are there for a type, and which forms do they have?"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from liane.fhir import definitions
from liane.fhir.definitions import SearchParameter

RESULT_PARAMETERS = (
    "_sort", "_count", "_total", "_summary", "_elements", "_include", "_revinclude", "_contained",
    "_containedType", "_cursor", "_format", "_pretty",
)  # fmt: skip
SPECIAL = ("_has", "_filter", "_list", "_type")
_NOT_A_CRITERION = frozenset({"_query"})

_MODIFIERS: dict[str, frozenset[str]] = {
    "token": frozenset({"not", "missing", "text", "code-text", "in", "not-in", "above", "below"}),
    "string": frozenset({"exact", "contains", "missing"}),
    "reference": frozenset({"missing", "identifier", "text", "above", "below"}),
    "uri": frozenset({"missing", "above", "below"}),
    "date": frozenset({"missing"}),
    "number": frozenset({"missing"}),
    "quantity": frozenset({"missing"}),
    "composite": frozenset({"missing"}),
    "special": frozenset({"missing"}),
}
_OF_THE_ROW = frozenset({"_id", "_lastUpdated"})
_WHOLE_TEXT = frozenset({"_text", "_content"})

_CUSTOM: dict[int, Mapping[str, Mapping[str, SearchParameter]]] = {}
"""Per tenant and type: the custom parameters whose index is complete."""


def set_custom(tenant: int, active: Mapping[str, Mapping[str, SearchParameter]]) -> None:
    """From now on these custom parameters may be asked."""
    _CUSTOM[tenant] = active


def parameters(type_: str, tenant: int | None = None) -> Mapping[str, SearchParameter]:
    """The parameters of a type by name, those of the establishment included."""
    standard = definitions.search_parameters(type_)
    custom = {} if tenant is None else _CUSTOM.get(tenant, {}).get(type_, {})
    if not custom:
        return standard
    return MappingProxyType({**custom, **standard})


def parameter(type_: str, name: str, tenant: int | None = None) -> SearchParameter | None:
    """One parameter that can be a criterion; None when there is none of that name."""
    if name in _NOT_A_CRITERION:
        return None
    return parameters(type_, tenant).get(name)


def names(type_: str, tenant: int | None = None) -> list[str]:
    """Everything that may stand before `=` for the type, without forms."""
    criteria = set(parameters(type_, tenant)) - _NOT_A_CRITERION
    return [*sorted(criteria), *SPECIAL, *RESULT_PARAMETERS]


def modifiers(known: SearchParameter) -> frozenset[str]:
    """The forms of a parameter (`:exact`, ...), the types of a reference included."""
    if known.name in _OF_THE_ROW or known.name in _WHOLE_TEXT:
        return frozenset({"not"}) if known.name == "_id" else frozenset()
    allowed = _MODIFIERS[known.kind]
    if known.kind == "token" and any(kind == "Identifier" for _, kind, _ in known.places):
        allowed |= {"of-type"}
    if known.kind == "reference":
        allowed |= frozenset(known.targets or definitions.types())
    return allowed
