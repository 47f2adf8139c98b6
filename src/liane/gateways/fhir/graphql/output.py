"""How is the answer built, field by field, lists as lists and single values as they are?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from liane.gateways.fhir.graphql.refusals import wrong

MISSING: Any = object()


@dataclass
class Slot:
    """The values of one field of the answer."""

    many: bool
    values: list[Any] = field(default_factory=list)


class Output:
    """One object of the answer. A field without values is left out, as FHIR does."""

    def __init__(self) -> None:
        self._slots: dict[str, Slot] = {}

    def empty_list(self, key: str) -> None:
        """A list that is there although nothing is in it (a search without matches)."""
        self._slots.setdefault(key, Slot(many=True))

    def add(self, key: str, value: Any, *, many: bool, single: bool = False) -> None:
        """One more value of a field. `single`: `@singleton` promises that there is one."""
        slot = self._slots.setdefault(key, Slot(many and not single))
        if slot.values and single:
            raise wrong(
                f"@singleton : « {key} » a plusieurs valeurs",
                f"@singleton: '{key}' has several values",
            )
        if slot.values and not slot.many:
            slot.many = True
        slot.values.append(value)

    def value(self) -> dict[str, Any]:
        """The object as JSON."""
        return {
            key: [_plain(value) for value in slot.values] if slot.many else _plain(slot.values[0])
            for key, slot in self._slots.items()
        }


def _plain(value: Any) -> Any:
    return value.value() if isinstance(value, Output) else value
