"""What does a criterion ask, and under which names and keys are its values filed?"""

from __future__ import annotations

from dataclasses import dataclass

from liane.fhir.definitions import SearchParameter
from liane.store.keys import key
from liane.store.search.model import Criterion


@dataclass(frozen=True, slots=True)
class Asking:
    """One criterion of one type of one tenant."""

    tenant: int
    type: str
    criterion: Criterion
    known: SearchParameter

    def names(self) -> list[str]:
        """A `combo-` parameter asks the plain one and that of the components (R4 Observation)."""
        name = self.criterion.param
        if name.startswith("combo-"):
            plain = name.removeprefix("combo-")
            return [plain, f"component-{plain}"]
        return [name]

    def keys(self, form: str, *parts: str | None) -> list[int]:
        """The key of a value in one form, for each name."""
        return [key(self.tenant, self.type, name, form, *parts) for name in self.names()]
