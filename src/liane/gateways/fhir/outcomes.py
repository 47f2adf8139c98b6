"""How does a refusal read in FHIR: which status, which OperationOutcome?"""

from __future__ import annotations

import logging

from litestar.exceptions import HTTPException

from liane.base.errors import Fault, Invalid, Issue, LianeError, NotFound
from liane.fhir.json import dumps

log = logging.getLogger("liane.gateways.fhir")

# Where R4 (http) wants another status than the kind of error suggests.
_STATUS = {
    "store.version-mismatch": 412,
    "fhir.precondition": 412,
    "fhir.several-matches": 412,
    "record.invalid": 422,
    "resource-invalid": 422,
    "resource-unreadable": 422,
    "fhir.gone": 410,
    "fhir.contended": 409,
    "fhir.not-acceptable": 406,
    "fhir.media-type": 415,
    "fhir.too-large": 413,
    "fhir.too-many-elements": 413,
    "json-too-large": 413,
    "archive-too-large": 413,
    "archive-ratio": 413,
    "fhir.method": 405,
    "type-unknown": 404,
}
MOST_ISSUES = 100
"""Findings that one answer tells; who has more to correct learns the number."""
_CODES = {410: "deleted", 412: "conflict", 406: "not-supported", 415: "not-supported"}


def status_of(error: LianeError) -> int:
    """The HTTP status of a refusal."""
    return _STATUS.get(error.code, error.http_status)


def outcome(error: LianeError, language: str) -> str:
    """The OperationOutcome text of a refusal, in the reader's language."""
    issues: tuple[Issue, ...] = getattr(error, "issues", ())
    entry = error.details.get("entry")
    where = "" if entry is None else f"Bundle.entry[{entry}]"
    entries: list[dict[str, object]]
    if issues:
        entries = [shown_issue(issue, language, where) for issue in issues[:MOST_ISSUES]]
        entries += _left_out(len(issues) - MOST_ISSUES, language)
    else:
        sentence = " ".join(filter(None, (error.message(language), error.advice(language))))
        code = _CODES.get(status_of(error), error.fhir_code)
        entries = [
            {
                "severity": "error",
                "code": code,
                "details": {"text": error.code},
                "diagnostics": sentence,
                **_expression(where, ""),
            }
        ]
    return dumps({"resourceType": "OperationOutcome", "issue": entries})


def shown_issue(issue: Issue, language: str, entry: str = "") -> dict[str, object]:
    """One finding as an issue of an OperationOutcome."""
    return {
        "severity": issue.severity,
        "code": issue.code,
        "diagnostics": f"{issue.path}: {issue.en if language == 'en' else issue.fr}",
        **_expression(entry, issue.path),
    }


def _left_out(count: int, language: str) -> list[dict[str, object]]:
    if count <= 0:
        return []
    text = f"and {count} more" if language == "en" else f"et {count} autres"
    return [{"severity": "error", "code": "too-costly", "diagnostics": text}]


def _expression(entry: str, path: str) -> dict[str, object]:
    """Where it is wrong, as FHIRPath; in a Bundle, the entry first."""
    if not entry:
        return {"expression": [path]} if path else {}
    return {"expression": [f"{entry}.resource.{path.partition('.')[2]}" if path else entry]}


def as_liane_error(problem: Exception) -> LianeError:
    """Any exception as a refusal; our own mistakes are logged and never shown."""
    if isinstance(problem, LianeError):
        return problem
    if isinstance(problem, HTTPException) and problem.status_code < 500:
        if problem.status_code == 404:
            return NotFound("fhir.address", "Adresse inconnue.", "Unknown address.")
        if problem.status_code == 413:
            return Invalid("fhir.too-large", "Envoi trop volumineux.", "The body is too large.")
        if problem.status_code == 405:
            return Invalid("fhir.method", "Méthode non permise ici.", "Method not allowed here.")
        return Invalid("fhir.request", "Demande illisible.", "The request cannot be read.")
    log.error("unexpected failure in the FHIR gateway", exc_info=problem)
    return Fault(
        "fhir.fault",
        "Une erreur de notre fait s’est produite ; l’issue de la demande est inconnue.",
        "A fault of ours occurred; the outcome of the request is unknown.",
    )


def several_matches(criteria: str) -> Invalid:
    """A condition that more than one resource meets (R4 http, conditional interactions)."""
    return Invalid(
        "fhir.several-matches",
        f"Plusieurs ressources répondent à la condition « {criteria[:80]} ».",
        f"Several resources meet the condition '{criteria[:80]}'.",
        "Préciser la condition.",
        "Make the condition more precise.",
    )
