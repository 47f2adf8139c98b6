"""Which resources belong to the compartment of a patient, an encounter, a person or a device?

R4 CompartmentDefinition: those that point to it by one of the parameters the standard names.
"""

from __future__ import annotations

from collections.abc import Sequence

from liane.fhir import definitions
from liane.store.keys import key, one_patient
from liane.store.search.refusals import refused
from liane.store.search.sqltext import Arguments
from liane.store.search.ways import TENANT, Condition, Way, any_of, hashed_condition


def types_of(compartment: str) -> tuple[str, ...]:
    """The types that can belong to it; raises `Invalid` when there is no such compartment."""
    known = definitions.compartments().get(compartment)
    if known is None:
        listed = ", ".join(definitions.compartments())
        raise refused(
            f"« {compartment[:40]} » n'a pas de compartiment. Compartiments : {listed}.",
            f"'{compartment[:40]}' has no compartment. Compartments: {listed}.",
        )
    return tuple(sorted({*known, compartment}))


def in_compartment(tenant: int, type_: str, compartment: tuple[str, str]) -> Condition:
    """The condition; the resource that the compartment is named after belongs to it too."""
    name, id_ = compartment
    ties = definitions.compartments()[name].get(type_, ())
    members: list[Condition] = []
    for tie in ties:
        if tie not in definitions.search_parameters(type_):
            continue
        hashes = [key(tenant, type_, tie, "r", name, id_)]
        if name == "Patient" and tie in ("patient", "subject") and one_patient(type_):
            found = hashed_condition(hashes, None)
            found.patients = [id_]
            members.append(found)
        else:
            members.append(hashed_condition(hashes, hashes))
    if type_ == name:
        members.append(Condition(ids=[id_]))
    if not members:
        return Condition(lambda _a, _row: "false", label="compartment")
    if len(members) == 1:
        members[0].label = "compartment"
        return members[0]
    whole = any_of(members, "compartment")
    whole.way = _way(members, type_, id_)
    return whole


def _way(members: list[Condition], type_: str, id_: str) -> Way:
    hashes = [h for one in members for h in one.hashes or ()]
    own = any(one.ids is not None for one in members)
    tied = any(one.patients is not None for one in members)

    def way(a: Arguments) -> str:
        parts = [f"select rid from record.ix where h = any({a.add(hashes, 'bigint[]')})"]  # noqa: S608
        row = f"select rid from record.resource where tenant = {TENANT} and type = {a.add(type_, 'text')}"  # noqa: E501, S608
        if own:
            parts.append(f"{row} and id = {a.add(id_, 'text')}")
        if tied:
            parts.append(f"{row} and patient = {a.add(id_, 'text')}")
        return " union ".join(parts)

    return way


def whole_compartment(tenant: int, types: Sequence[str], compartment: tuple[str, str]) -> Way:
    """The rows of all these types that belong to it, in one go."""
    name, id_ = compartment
    hashes = [
        key(tenant, type_, tie, "r", name, id_)
        for type_ in types
        for tie in definitions.compartments()[name].get(type_, ())
        if tie in definitions.search_parameters(type_)
    ]
    tied = [type_ for type_ in types if name == "Patient" and _by_column(type_)]

    def way(a: Arguments) -> str:
        row = f"select rid from record.resource where tenant = {TENANT}"  # noqa: S608
        parts = [f"select rid from record.ix where h = any({a.add(hashes, 'bigint[]')})"]  # noqa: S608
        if name in types:
            parts.append(f"{row} and type = {a.add(name, 'text')} and id = {a.add(id_, 'text')}")
        if tied:
            mine = f"patient = {a.add(id_, 'text')} and type = any({a.add(tied, 'text[]')})"
            parts.append(f"{row} and {mine}")
        return " union ".join(parts)

    return way


def _by_column(type_: str) -> bool:
    ties = definitions.compartments()["Patient"].get(type_, ())
    return one_patient(type_) is not None and bool({"patient", "subject"} & set(ties))
