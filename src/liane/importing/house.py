"""What does every kind of file need of the house, and how is a patient found or made?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from liane.access.actor import Actor
from liane.base.errors import NotFound
from liane.importing.mapping import Mapping
from liane.rooms import patients
from liane.rooms.patients import Identifier
from liane.store import Tx
from liane.ui.services import Services

RFC3986 = "urn:ietf:rfc:3986"


@dataclass(frozen=True)
class House:
    """Services, the name under which is written, and the mapping file."""

    services: Services
    actor: Actor
    mapping: Mapping


async def known_patient(tx: Tx, numbers: Sequence[Identifier]) -> str:
    """The patient these numbers name. Raises `NotFound` when none does."""
    found = await patients.find_patient(tx, numbers)
    if found is None:
        raise NotFound(
            "import.patient-unknown",
            "Aucun patient ne porte ce numéro : importez d’abord les identités.",
            "No patient has this number: import the identities first.",
        )
    return found


def present(resource: dict[str, Any]) -> dict[str, Any]:
    """The members that say something."""
    return {name: value for name, value in resource.items() if value not in (None, "", [], {})}
