"""Does every type that a document walks through have the fields it asks?

Asked before anything is read, so that a wrong field is refused whether or not there is data, and
whoever asks.
"""

from __future__ import annotations

from graphql import SelectionSetNode

from liane.fhir import definitions
from liane.fhir.fhirpath.model import PRIMITIVES, Member, known, shape, within
from liane.gateways.fhir.graphql import lists
from liane.gateways.fhir.graphql.documents import Document
from liane.gateways.fhir.graphql.elements import plain_value, unknown
from liane.gateways.fhir.graphql.fields import Field, OfType, fields
from liane.gateways.fhir.graphql.refusals import too_costly, wrong

ANY = "Resource"
LIMIT_LOOKS = 30_000
"""How often a field is looked at, with every type that fragments name."""
_META = frozenset({"__typename"})


def check_instance(document: Document, type_: str) -> None:
    """Raise `Invalid` for the first field that `type_` does not have."""
    _Checking(document).check([document.selections], type_)


def check_system(document: Document) -> None:
    """As `check_instance`, for a document at the base address."""
    checking = _Checking(document)
    for field in fields(document, [document.selections], lambda t: t == "Query"):
        type_, kind = lists.split(field.name)
        if field.name in definitions.types():
            checking.check(field.below, field.name)
        elif kind is not None:
            checking.check_list(field, type_, kind)
        elif field.name not in _META:
            raise wrong(
                f"champ « {field.name[:60]} » inconnu : attendu un type R4, TypeList ou "
                "TypeConnection",
                f"unknown field '{field.name[:60]}': an R4 type, TypeList or TypeConnection is "
                "expected",
            )


class _Checking:
    """Walks through one document, and counts what it looks at."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._left = LIMIT_LOOKS

    def _fields(self, sets: list[SelectionSetNode], of_type: OfType) -> list[Field]:
        found = fields(self._document, sets, of_type)
        self._left -= 1 + len(found)
        if self._left < 0:
            raise too_costly("trop de fragments de types", "too many fragments of types")
        return found

    def check_list(self, field: Field, type_: str, kind: str) -> None:
        if kind == "List":
            self._below(field, type_)
            return
        for edges in self._fields(field.below, lambda _: True):
            for one in self._fields(edges.below, lambda _: True):
                if edges.name == "edges" and one.name == "resource":
                    self._below(one, type_)

    def _below(self, field: Field, type_: str) -> None:
        if not field.below:
            raise wrong(
                f"« {field.name} » est un objet : dire quels champs",
                f"'{field.name}' is an object: say which fields",
            )
        self.check(field.below, type_)

    def check(self, sets: list[SelectionSetNode], type_: str) -> None:
        """The fields of every `type_`; fragments of narrower types are looked at as theirs."""
        for name in self._conditions(sets, type_):
            if not known(name):
                raise wrong(f"type « {name[:60]} » inconnu", f"unknown type '{name[:60]}'")
            if name != type_ and within(name, type_):
                self.check(sets, name)
        for field in self._fields(sets, lambda t: within(type_, t)):
            if field.name not in _META and field.name != "resourceType":
                self._check_field(field, type_)

    def _conditions(self, sets: list[SelectionSetNode], type_: str) -> set[str]:
        """The types named by fragments that are looked at where a `type_` stands."""
        named: set[str] = set()

        def of_type(condition: str) -> bool:
            named.add(condition)
            return within(type_, condition)

        self._fields(sets, of_type)
        return named

    def _check_field(self, field: Field, type_: str) -> None:
        if type_ == "Reference" and field.name == "resource":
            wanted = field.arguments.get("type")
            target = wanted if isinstance(wanted, str) and wanted in definitions.types() else ANY
            self._below(field, target)
            return
        list_type, kind = lists.split(field.name)
        if kind is not None and (type_ == ANY or type_ in definitions.types()):
            self.check_list(field, list_type, kind)
            return
        members = _members(type_, field.name)
        if not members:
            if type_ == ANY:
                return
            raise unknown(type_, field.name)
        plain = len(members) == 1 and members[0].type in PRIMITIVES
        if plain and field.below and not field.name.startswith("_"):
            raise plain_value(field.name)
        for member in members:
            if field.name.startswith("_"):
                self._below(field, "Element")
            elif member.type not in PRIMITIVES:
                self._below(field, member.type)


def _members(type_: str, name: str) -> list[Member]:
    members = shape(type_)
    if name.startswith("_"):
        entry = members.keyed.get(name[1:])
        return [entry[1]] if entry else []
    found = members.named.get(name)
    if isinstance(found, Member):
        return [found]
    if found is not None:
        return list(found.values())
    entry = members.keyed.get(name)
    return [entry[1]] if entry else []
