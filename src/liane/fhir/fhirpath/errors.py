"""How does a FHIRPath expression say that it cannot be read, or cannot be answered?"""

from __future__ import annotations

from liane.base.errors import Invalid


class Wrong(Invalid):
    """The expression breaks a rule of FHIRPath, when it is read or when it is evaluated."""

    def __init__(self, fr: str, en: str) -> None:
        super().__init__(
            "fhirpath.wrong",
            f"Expression FHIRPath refusée : {fr}.",
            f"FHIRPath expression refused: {en}.",
        )


class TooCostly(Wrong):
    """The expression asks for more than the bounds allow (length, depth, results, steps)."""
