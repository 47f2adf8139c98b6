"""How much may one GraphQL request still read and give back?"""

from __future__ import annotations

from dataclasses import dataclass

from liane.gateways.fhir.graphql.refusals import too_costly

LIMIT_VALUES = 100_000
LIMIT_RESOURCES = 2_000
LIMIT_SEARCHES = 100
LIMIT_STEPS = 100_000
"""Of all FHIRPath expressions of a request together."""
PAGE = 50
PAGE_LIMIT = 200


@dataclass
class Budget:
    """What is left of the bounds of one request."""

    values: int = LIMIT_VALUES
    resources: int = LIMIT_RESOURCES
    searches: int = LIMIT_SEARCHES
    steps: int = LIMIT_STEPS

    def value(self, count: int = 1) -> None:
        """Count values looked at."""
        self.values -= count
        if self.values < 0:
            raise too_costly(f"plus de {LIMIT_VALUES} valeurs", f"more than {LIMIT_VALUES} values")

    def resource(self, count: int = 1) -> None:
        """Count resources read."""
        self.resources -= count
        if self.resources < 0:
            raise too_costly(
                f"plus de {LIMIT_RESOURCES} ressources", f"more than {LIMIT_RESOURCES} resources"
            )

    def search(self) -> None:
        """Count a search."""
        self.searches -= 1
        if self.searches < 0:
            raise too_costly(
                f"plus de {LIMIT_SEARCHES} recherches", f"more than {LIMIT_SEARCHES} searches"
            )
