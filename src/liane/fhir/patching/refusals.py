"""How does a patch that cannot be applied say which operation, where, and why?"""

from __future__ import annotations

from typing import Any

from liane.base.errors import Invalid, Issue

LIMIT_OPERATIONS = 1_000
LIMIT_SHOWN = 200


class PatchInvalid(Invalid):
    """The patch itself is not well formed (400)."""


class PatchInapplicable(Invalid):
    """The patch is understood, but this resource does not let it be applied (422)."""

    http_status = 422


def malformed(index: int, path: str, fr: str, en: str) -> PatchInvalid:
    """Operation `index` (the first is 0) is not an operation."""
    return PatchInvalid(
        "fhir.patch", *_sentences(index, path, fr, en), issues=_issue(index, path, fr, en)
    )


def inapplicable(index: int, path: str, fr: str, en: str) -> PatchInapplicable:
    """Operation `index` finds nothing to work on, or something it may not change."""
    return PatchInapplicable(
        "fhir.patch-inapplicable",
        *_sentences(index, path, fr, en),
        issues=_issue(index, path, fr, en, "processing"),
    )


def too_many(count: int) -> PatchInvalid:
    """More operations than one patch may have."""
    return PatchInvalid(
        "fhir.patch",
        f"Ce patch a {count} opérations ; {LIMIT_OPERATIONS} au plus sont acceptées.",
        f"This patch has {count} operations; at most {LIMIT_OPERATIONS} are accepted.",
    )


def _sentences(index: int, path: str, fr: str, en: str) -> tuple[str, str]:
    shown = f" ({path[:LIMIT_SHOWN]})" if path else ""
    return f"Opération {index + 1}{shown} : {fr}.", f"Operation {index + 1}{shown}: {en}."


def _issue(index: int, path: str, fr: str, en: str, code: str = "invalid") -> tuple[Issue, ...]:
    french, english = _sentences(index, path, fr, en)
    return (Issue("error", code, "", french, english),)


def identity(resource: dict[str, Any]) -> tuple[Any, Any, Any]:
    """What a patch never changes: the type, the id and the version."""
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    return resource.get("resourceType"), resource.get("id"), version


def require_same(index: int, path: str, before: tuple[Any, Any, Any], resource: Any) -> None:
    """Raise unless the resource is still the one it was."""
    if not isinstance(resource, dict) or identity(resource) != before:
        raise inapplicable(
            index,
            path,
            "resourceType, id et meta.versionId ne changent pas par un patch",
            "resourceType, id and meta.versionId are not changed by a patch",
        )
