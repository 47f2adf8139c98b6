"""Which kinds of refusal exist, and what does each tell the person who meets it?

Seven kinds only. Each carries a stable code, one sentence in French and in English, and one
sentence of advice: what this person can do now. They are turned once, at the edge, into a page,
an OperationOutcome, an HL7 acknowledgement or a DIMSE status.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["fatal", "error", "warning", "information"]


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding about one place of an input (FHIR OperationOutcome.issue)."""

    severity: Severity
    code: str
    """A code of the FHIR value set issue-type, for example `required` or `code-invalid`."""
    path: str
    fr: str
    en: str


class LianeError(Exception):
    """A refusal that a person or a machine can act on."""

    http_status = 500
    fhir_code = "exception"

    def __init__(
        self,
        code: str,
        fr: str,
        en: str,
        advice_fr: str = "",
        advice_en: str = "",
        **details: object,
    ) -> None:
        super().__init__(f"{code}: {en}")
        self.code = code
        self.fr = fr
        self.en = en
        self.advice_fr = advice_fr
        self.advice_en = advice_en
        self.details = details

    def message(self, language: str) -> str:
        """The sentence in `language` ("fr" or "en"), without the advice."""
        return self.en if language == "en" else self.fr

    def advice(self, language: str) -> str:
        """What the reader can do now, possibly empty."""
        return self.advice_en if language == "en" else self.advice_fr


class NotFound(LianeError):
    """Nothing of that name, or nothing this reader may know of."""

    http_status = 404
    fhir_code = "not-found"


class Denied(LianeError):
    """The gate says no; the reason is in the message."""

    http_status = 403
    fhir_code = "forbidden"


class Invalid(LianeError):
    """The input breaks a rule; `issues` says which and where."""

    http_status = 400
    fhir_code = "invalid"

    def __init__(
        self,
        code: str,
        fr: str,
        en: str,
        advice_fr: str = "",
        advice_en: str = "",
        *,
        issues: tuple[Issue, ...] = (),
        **details: object,
    ) -> None:
        super().__init__(code, fr, en, advice_fr, advice_en, **details)
        self.issues = issues


class Conflict(LianeError):
    """The thing has changed, or another write won; read again and decide."""

    http_status = 409
    fhir_code = "conflict"


class Busy(LianeError):
    """Too much at once; the same request may pass later."""

    http_status = 429
    fhir_code = "throttled"


class Unavailable(LianeError):
    """A part of the installation does not answer; the outcome may be unknown."""

    http_status = 503
    fhir_code = "transient"


class Fault(LianeError):
    """Our own mistake; the details are in the log, never on the screen."""

    http_status = 500
    fhir_code = "exception"
