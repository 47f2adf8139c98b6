"""Is this resource what R4 says it must be, and if not, where and why?"""

from __future__ import annotations

from typing import Any

import fhirkit

from liane.base.errors import Issue
from liane.fhir.json import dump_bytes

__all__ = ["Issue", "validate"]


def validate(resource: dict[str, Any]) -> list[Issue]:
    """Every problem found, errors and warnings; empty when there is none."""
    try:
        found = fhirkit.validate(dump_bytes(resource))
    except (fhirkit.ParseError, fhirkit.ValidationError) as problem:
        return [Issue("error", "structure", "", str(problem), str(problem))]
    return [
        Issue(issue.severity, "structure", issue.path, issue.message, issue.message)
        for issue in found
    ]
