"""Is this resource what R4 says it must be, and if not, where and why?

Two passes: `fhirkit` checks structure, cardinality and primitives; `bindings` and `invariants`
check what it does not: required codes, ids, targets of references, chosen rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import fhirkit

from liane.base.errors import Invalid, Issue
from liane.fhir.json import dump_bytes
from liane.fhir.profiles import policy, texts
from liane.fhir.profiles.base import check_declared, check_resource
from liane.fhir.profiles.catalogue import Catalogue, built_in
from liane.fhir.profiles.findings import Finding, Kind, finding
from liane.fhir.profiles.visit import Inside, Pointer, Question, Visit

__all__ = ["Finding", "Issue", "Report", "check", "examine", "validate"]

# What fhirkit says, in French and as an OperationOutcome code. First match wins.
_SENTENCES: tuple[tuple[str, str, str], ...] = (
    ("required element missing", "required", "élément obligatoire absent"),
    ("unknown element", "structure", "élément inconnu"),
    ("only one type may be given", "structure", "une seule forme de valeur est permise"),
    ("expected an array", "structure", "une liste est attendue"),
    ("expected a single value", "structure", "une seule valeur est attendue"),
    ("expected a string", "structure", "un texte est attendu"),
    ("expected a number", "structure", "un nombre est attendu"),
    ("expected a whole number", "structure", "un nombre entier est attendu"),
    ("expected true or false", "structure", "vrai ou faux est attendu"),
    ("expected an object", "structure", "un objet est attendu"),
    ("an empty array", "structure", "une liste vide n’est pas permise"),
    ("an empty string", "value", "un texte vide n’est pas permis"),
    ("null", "structure", "la valeur nulle n’est pas permise ici"),
    ("is not a FHIR R4 resource type", "structure", "type de ressource inconnu"),
    ("needs a resourceType", "structure", "le type de la ressource (resourceType) manque"),
    ("needs at least", "required", "trop peu de valeurs"),
    ("line up", "structure", "les deux listes doivent se correspondre"),
    ("is not a", "value", "valeur non valide"),
)


_ESCAPED = (b"\\u00", b"\\b", b"\\f")
"""How JSON text spells control characters (a cheap sign that the texts are worth looking at)."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, and what the definitions at hand cannot answer."""

    findings: list[Finding]
    questions: list[Question]
    """Codes for whoever has their code systems loaded."""
    pointers: list[Pointer]
    """References to resources of this server."""


def examine(
    resource: dict[str, Any],
    *,
    catalogue: Catalogue | None = None,
    profiles: Iterable[str] = (),
    thorough: bool = True,
) -> Report:
    """Check a resource against R4 and the profiles in `profiles`.

    `thorough`: also against the profiles it declares and the definitions of its extensions.
    """
    text = dump_bytes(resource)
    try:
        found = fhirkit.validate(text)
    except (fhirkit.ParseError, fhirkit.ValidationError) as problem:
        return Report([_finding("error", "", str(problem))], [], [])
    issues = [_finding(issue.severity, issue.path, issue.message) for issue in found]
    if any(issue.severity == "error" for issue in issues):
        # The second pass may rely on the shapes that the first one has checked.
        return Report(issues, [], [])
    type_ = resource["resourceType"]
    visit = Visit(
        catalogue or built_in(),
        resource,
        type_,
        resource,
        Inside(resource),
        issues=issues,
        thorough=thorough,
    )
    check_resource(resource, type_, visit)
    for url in profiles:
        check_declared(resource, url, type_, visit)
    if any(sign in text for sign in _ESCAPED):
        issues += texts.control_characters(resource, type_)
    return Report(issues, visit.questions, visit.pointers)


def validate(resource: dict[str, Any]) -> list[Finding]:
    """Every problem found, errors and warnings; empty when there is none."""
    return examine(resource).findings


def check(resource: dict[str, Any]) -> None:
    """Raise `Invalid`, carrying every issue, when something blocks by default."""
    issues = examine(resource, thorough=False).findings
    errors = policy.DEFAULT.blocking(issues)
    if errors:
        first = errors[0]
        raise Invalid(
            "resource-invalid",
            f"Ressource refusée : {first.path} : {first.fr}",
            f"Resource refused: {first.path}: {first.en}",
            "Corriger les points cités et envoyer de nouveau.",
            "Correct the points listed and send again.",
            issues=tuple(issues),
        )


def _finding(severity: str, path: str, message: str) -> Finding:
    known = ((code, french) for sign, code, french in _SENTENCES if sign in message)
    code, french = next(known, ("structure", "forme non valide"))
    detail = message.partition(" is not")[0] if message.startswith('"') else ""
    shown = f"{french} : {detail}" if detail else french
    kind: Kind = {"required": "cardinality", "value": "type"}.get(code, "structure")  # type: ignore[assignment]
    level = "warning" if severity == "warning" else "error"
    return finding(kind, "", path, shown, message, code=code, severity=level)  # type: ignore[arg-type]
