"""Which search values, which patient and which date does a resource carry?

The work is done by one generated function per resource type (see `tools/fhir_compiler`), so that
nothing is interpreted while a hospital writes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple, cast

from liane.base.errors import Invalid
from liane.fhir import definitions
from liane.fhir.dates import interval
from liane.fhir.search_values import (
    Amount,
    Composite,
    Extracted,
    Ref,
    Span,
    Text,
    Token,
    Uri,
)

__all__ = ["Amount", "Composite", "Extracted", "Ref", "Span", "Text", "Token", "Uri", "extract"]


class _Extractor(NamedTuple):
    extract: Callable[[dict[str, Any], Extracted], None]
    patient: tuple[str, ...]
    at: tuple[str, ...]


@cache
def _extractor(type_: str) -> _Extractor:
    known = definitions.resources().get(type_)
    if known is None:
        raise Invalid(
            "type-unknown",
            f"« {str(type_)[:64]} » n’est pas un type de ressource FHIR R4.",
            f"'{str(type_)[:64]}' is not a FHIR R4 resource type.",
        )
    module = import_module(f"liane.fhir.data.extractors.{type_}")
    return _Extractor(module.extract, tuple(known["patient"]), tuple(known["at"]))


def extract(resource: dict[str, Any]) -> Extracted:
    """All search values of `resource`, its patient and its main clinical date.

    Values may repeat. Raises `Invalid` when an element is not of the shape R4 gives it.
    """
    extractor = _extractor(resource.get("resourceType", ""))
    found = Extracted(resource)
    try:
        extractor.extract(resource, found)
        found.patient = _patient(resource, found, extractor.patient)
        found.at = _at(resource, found, extractor.at)
    except (AttributeError, TypeError, KeyError, ValueError, ArithmeticError) as problem:
        raise Invalid(
            "resource-unreadable",
            f"Un élément de cette ressource n’a pas la forme attendue ({problem}).",
            f"An element of this resource does not have the expected shape ({problem}).",
        ) from problem
    return found


def _patient(resource: dict[str, Any], found: Extracted, ties: tuple[str, ...]) -> str | None:
    """The patient whose compartment holds the resource (R4 CompartmentDefinition/patient)."""
    if resource["resourceType"] == "Patient":
        return cast("str | None", resource.get("id"))
    for tie in ties:
        for ref in found.references:
            if ref.param == tie and ref.type == "Patient" and ref.id is not None:
                return ref.id
    return None


def _at(resource: dict[str, Any], found: Extracted, order: tuple[str, ...]) -> datetime | None:
    for name in order:
        for span in found.dates:
            if span.param == name:
                return span.low or span.high
        value = resource.get(name)
        if type(value) is str:
            return interval(value)[0]
        if type(value) is dict and value.get("start"):
            return interval(value["start"])[0]
    return None
