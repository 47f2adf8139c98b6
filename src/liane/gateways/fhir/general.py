"""Which parameters does every interaction take, and what do they change? (R4 http, general)"""

from __future__ import annotations

from liane.base.errors import Invalid
from liane.gateways.fhir.answers import subset
from liane.gateways.fhir.exchange import Exchange

SHOWING = ("_format", "_pretty", "_summary", "_elements")
"""http://hl7.org/fhir/R4/http.html#parameters"""
_SUMMARIES = ("true", "text", "data", "count", "false")


def require_known(exchange: Exchange, *further: str) -> None:
    """Refuse a parameter that would be passed over, unless the client asks for lenient handling."""
    if exchange.lenient:
        return
    known = (*SHOWING, *further)
    for name, _ in exchange.query:
        if name not in known:
            accepted = ", ".join(known)
            raise Invalid(
                "fhir.parameter",
                f"Le paramètre « {name[:64]} » n’est pas connu ici.",
                f"The parameter '{name[:64]}' is not known here.",
                f"Acceptés : {accepted} ; ou Prefer: handling=lenient.",
                f"Accepted: {accepted}; or Prefer: handling=lenient.",
            )


def shaped(exchange: Exchange, body: str) -> str:
    """The resource, or the part of it that `_elements` and `_summary` ask for."""
    if not exchange.query:
        return body
    query = dict(exchange.query)
    summary, elements = query.get("_summary"), query.get("_elements")
    if summary is not None and summary not in _SUMMARIES:
        raise Invalid(
            "fhir.summary",
            "_summary accepte true, text, data, count ou false.",
            "_summary accepts true, text, data, count or false.",
        )
    named = frozenset(name.strip() for name in elements.split(",")) if elements else None
    return subset(body, named, summary)
