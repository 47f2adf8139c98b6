"""How does a GraphQL request that is wrong, or asks too much, get told so?"""

from __future__ import annotations

from liane.base.errors import Invalid


def wrong(fr: str, en: str) -> Invalid:
    """The document or its variables break a rule."""
    return Invalid("fhir.graphql", f"GraphQL : {fr}.", f"GraphQL: {en}.")


def too_costly(fr: str, en: str) -> Invalid:
    """The document asks for more than one request may."""
    return Invalid(
        "fhir.graphql-too-costly",
        f"GraphQL : {fr}.",
        f"GraphQL: {en}.",
        "Demander moins à la fois, page par page (Connection).",
        "Ask for less at once, page by page (Connection).",
    )
