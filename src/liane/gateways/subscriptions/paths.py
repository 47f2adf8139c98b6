"""Does a FHIRPath test over %previous and %current hold for this change?"""

from __future__ import annotations

from typing import Any

from liane.gateways.subscriptions.matching import Happening


def path_holds(path: str, happening: Happening) -> bool:
    """Evaluate a topic's fhirPathCriteria; an absent version is empty."""
    from liane.fhir import fhirpath

    current = happening.current.resource if happening.current else {}
    previous = happening.previous.resource if happening.previous else {}
    variables: dict[str, Any] = {"current": current or [], "previous": previous or []}
    return bool(fhirpath.compile(path).test(current or previous, variables=variables))
