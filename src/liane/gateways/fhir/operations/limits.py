"""Which rows of many types at once may this reader see? (The gate's limit, as a piece of SQL.)"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from liane.access import gate
from liane.access.actor import Actor
from liane.access.permissions import Permission


def visible(actor: Actor, types: Iterable[str], alias: str, args: list[Any]) -> str:
    """A test of the row `alias` (it has `type` and `patient`); its arguments join `args`."""
    limit = gate.restriction(actor, Permission.FHIR_API, resource_type="Patient")
    if limit is None:
        return "true"
    predicate = gate.place(limit.sql, f"{alias}.patient", len(args) + 1)
    args.extend(limit.args)
    args.append([type_ for type_ in types if patientless(actor, type_)])
    return (
        f"(({alias}.patient is not null and {predicate}) or "
        f"({alias}.patient is null and {alias}.type = any(${len(args)}::text[])))"
    )


def patientless(actor: Actor, type_: str) -> bool:
    """Whether rows of the type that belong to no patient are open to this reader."""
    limit = gate.restriction(actor, Permission.FHIR_API, resource_type=type_)
    return limit is None or limit.patientless
