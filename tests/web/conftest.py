"""What do the tests of the web layer stand on: the whole installation of the journeys."""

from tests.journeys.conftest import installation

__all__ = ["installation"]
