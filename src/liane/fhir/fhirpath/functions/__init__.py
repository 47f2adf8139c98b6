"""Which functions does an expression know? (FHIRPath N1, section 5; FHIR R4, fhirpath.html)"""

from __future__ import annotations

from types import MappingProxyType

from liane.fhir.fhirpath import typing_rules
from liane.fhir.fhirpath.functions import (
    boundaries,
    collections,
    conversions,
    fhir,
    iterating,
    numbers,
    patterns,
    strings,
)
from liane.fhir.fhirpath.functions.registry import Function

FUNCTIONS: MappingProxyType[str, Function] = MappingProxyType(
    {
        **collections.TABLE,
        **iterating.TABLE,
        **strings.TABLE,
        **patterns.TABLE,
        **numbers.TABLE,
        **conversions.TABLE,
        **boundaries.TABLE,
        **fhir.TABLE,
        "is": Function("type", 1, 1, typing_rules.is_function),
        "as": Function("type", 1, 1, typing_rules.as_function),
        "ofType": Function("type", 1, 1, typing_rules.of_type_only),
    }
)
