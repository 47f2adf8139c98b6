"""Does a FHIRPath test over %previous and %current hold for this change?"""

from __future__ import annotations

from typing import Any

from liane.fhir import fhirpath
from liane.gateways.subscriptions.matching import Happening

STEPS = 20_000
"""A topic is tested with every change of its type: it must stay cheap."""


def check_path(path: str) -> None:
    """Raise `fhirpath.Wrong` for what cannot be read."""
    if path:
        fhirpath.compile(path)


def path_holds(path: str, happening: Happening) -> bool:
    """Evaluate a topic's fhirPathCriteria; an absent version is empty, and only true is true."""
    current = happening.current.resource if happening.current else None
    previous = happening.previous.resource if happening.previous else None
    variables: dict[str, Any] = {"current": current or [], "previous": previous or []}
    subject = current or previous
    return fhirpath.compile(path).evaluate(subject, variables=variables, steps=STEPS) == [True]
