"""Which resources answer this question, and which of them may this person see?

The parameters are those of R4 (section 3.1.1, search). A parameter that is not understood is
refused, because leaving it out would answer another question than the one asked.
"""

from liane.store.search.model import Criterion, Page, Query, Restriction, Sight, Sort
from liane.store.search.parsing import parse_query, parse_system_query
from liane.store.search.running import find_for_condition, run

__all__ = [
    "Criterion",
    "Page",
    "Query",
    "Restriction",
    "Sight",
    "Sort",
    "find_for_condition",
    "parse_query",
    "parse_system_query",
    "run",
]
