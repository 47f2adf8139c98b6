"""Which rows of a type may this reader see at all?"""

from __future__ import annotations

from liane.fhir import definitions
from liane.store.search.model import Sight
from liane.store.search.sqltext import Arguments
from liane.store.search.ways import TENANT


def seen(a: Arguments, row: str, type_: str, sight: Sight) -> list[str]:
    """The tests that a row must pass to be seen: its tenant, its type, its patient.

    They stand in every subquery of a search, so that nothing hidden can be counted or inferred.
    """
    tests = [f"{row}.tenant = {TENANT}", f"{row}.type = {a.add(type_, 'text')}"]
    restriction = sight(type_)
    if restriction is not None:
        tied = bool(definitions.resources()[type_]["patient"]) or type_ == "Patient"
        if tied or not restriction.patientless:
            tests.append(a.restriction(restriction, f"{row}.patient", may_lack=True))
    return tests
