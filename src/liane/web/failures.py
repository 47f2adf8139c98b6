"""How does a refusal become an answer: a page for a person, an OperationOutcome for a program?"""

from __future__ import annotations

import logging
from typing import Any

import orjson
from litestar import Request, Response
from litestar.exceptions import HTTPException

from liane.base.errors import Fault, Invalid, LianeError, NotFound
from liane.base.i18n import translator
from liane.ui.services import Services

log = logging.getLogger("liane.web")

_UNKNOWN_ADDRESS = NotFound(
    "web.not-found",
    "Cette page n'existe pas, ou vous n'y avez pas accès.",
    "This page does not exist, or you may not see it.",
    "Revenez à l'accueil, ou cherchez le patient par son nom (touche /).",
    "Go back home, or search for the patient by name (key /).",
)


def as_liane_error(error: Exception) -> LianeError:
    """Any exception as one of the seven refusals; our own mistakes are logged, never shown."""
    if isinstance(error, LianeError):
        return error
    if isinstance(error, HTTPException):
        if error.status_code in (404, 405):
            return _UNKNOWN_ADDRESS
        if error.status_code == 413:
            return Invalid("web.too-large", "Envoi trop volumineux.", "The body is too large.")
        if error.status_code < 500:
            return Invalid("web.invalid", "Demande illisible.", "The request cannot be read.")
    log.error("unexpected failure", exc_info=error)
    return Fault(
        "web.fault",
        "Une erreur de notre fait s'est produite ; elle est notée dans le journal technique.",
        "A fault of ours occurred; it is in the technical log.",
        "Rechargez la page. Si cela continue, appelez le service informatique.",
        "Reload the page. If it goes on, call the IT department.",
    )


def language_of(request: Request[Any, Any, Any]) -> str:
    """The reader's language: the choice kept in a cookie, else the browser's, else French."""
    chosen = request.cookies.get("liane_language", "")
    if chosen in ("fr", "en"):
        return chosen
    accepted = request.headers.get("Accept-Language", "fr").lower()
    return "en" if accepted.startswith("en") else "fr"


def outcome(error: LianeError, language: str) -> bytes:
    """The FHIR OperationOutcome of a refusal."""
    issues: list[dict[str, Any]] = [
        {
            "severity": issue.severity,
            "code": issue.code,
            "diagnostics": issue.en if language == "en" else issue.fr,
            "expression": [issue.path],
        }
        for issue in getattr(error, "issues", ())
    ] or [
        {
            "severity": "error",
            "code": error.fhir_code,
            "diagnostics": " ".join(
                filter(None, [error.message(language), error.advice(language)])
            ),
        }
    ]
    return orjson.dumps({"resourceType": "OperationOutcome", "issue": issues})


def wants_program(request: Request[Any, Any, Any]) -> bool:
    """Whether the asker is a program of the FHIR or DICOMweb API."""
    return request.url.path.startswith(("/fhir", "/dicomweb"))


def answer(
    services: Services, request: Request[Any, Any, Any], exception: Exception
) -> Response[bytes]:
    """The answer that tells the asker what happened, what was kept and what to do."""
    error = as_liane_error(exception)
    language = language_of(request)
    headers = {"Retry-After": "2"} if error.http_status in (429, 503) else {}
    if wants_program(request):
        return Response(
            outcome(error, language),
            status_code=error.http_status,
            media_type="application/fhir+json",
            headers=headers,
        )
    assert services.templates is not None
    html = services.templates.render(
        "ui/error.html",
        t=translator(language, services.catalogues),
        error=error,
        language=language,
        theme=request.cookies.get("liane_theme", "auto"),
    )
    return Response(
        html.encode(),
        status_code=error.http_status,
        media_type="text/html",
        headers=headers,
    )
