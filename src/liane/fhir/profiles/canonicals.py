"""Is a canonical URL one that others can resolve? (R4 datatypes, `canonical`)"""

from __future__ import annotations

import re
from typing import Any

from liane.fhir.profiles.findings import Finding, finding
from liane.fhir.profiles.visit import Visit

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def check_canonical(value: Any, path: str, visit: Visit) -> None:
    """A canonical URL is absolute, or a fragment that names a contained resource."""
    if type(value) is not str or _ABSOLUTE.match(value):
        return
    if value[:1] == "#":
        if value != "#" and visit.resolve(value) is None:
            visit.issues.append(_nobody(value, path))
        return
    visit.issues.append(
        finding(
            "reference",
            "canonical",
            path,
            f"une URL canonique est absolue ou un fragment (#…) : {value[:100]}",
            f"a canonical URL is absolute or a fragment (#...): {value[:100]}",
            code="value",
        )
    )


def _nobody(value: str, path: str) -> Finding:
    return finding(
        "reference",
        "canonical",
        path,
        f"aucune ressource contenue ne porte l’identifiant {value[1:65]}",
        f"no contained resource has the id {value[1:65]}",
        code="not-found",
    )
