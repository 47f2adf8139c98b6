"""What is the answer to the fields that a GraphQL document asks? (FHIR R4, graphql.html)"""

from __future__ import annotations

from typing import Any

from graphql import SelectionSetNode

from liane.fhir import definitions
from liane.fhir.fhirpath.model import PRIMITIVES, within
from liane.fhir.fhirpath.nodes import Node, make
from liane.gateways.fhir.graphql import elements, lists
from liane.gateways.fhir.graphql.documents import Document
from liane.gateways.fhir.graphql.fields import Field, fields
from liane.gateways.fhir.graphql.limits import Budget
from liane.gateways.fhir.graphql.output import Output
from liane.gateways.fhir.graphql.record import Record
from liane.gateways.fhir.graphql.refusals import wrong

Selections = list[SelectionSetNode]
LIMIT_ERRORS = 50


class Answering:
    """Answers one document from one record."""

    def __init__(self, document: Document, record: Record, budget: Budget) -> None:
        self.document = document
        self.record = record
        self.budget = budget
        self.errors: list[dict[str, Any]] = []

    async def system(self) -> dict[str, Any]:
        """The answer at system level: `Patient(id:)`, `PatientList`, `PatientConnection`."""
        out = Output()
        for field in fields(self.document, [self.document.selections], lambda t: t == "Query"):
            if field.name == "__typename":
                out.add(field.key, "Query", many=False)
            elif field.name in definitions.types():
                await self._by_id(out, field)
            elif not await self._search(out, field, None):
                raise wrong(
                    f"champ « {field.name[:60]} » inconnu : attendu un type R4, TypeList ou "
                    "TypeConnection",
                    f"unknown field '{field.name[:60]}': an R4 type, TypeList or TypeConnection "
                    "is expected",
                )
        return out.value()

    async def instance(self, resource: dict[str, Any]) -> dict[str, Any]:
        """The answer about one resource."""
        out = Output()
        await self._object(out, make(resource, "Resource"), [self.document.selections])
        return out.value()

    async def _by_id(self, out: Output, field: Field) -> None:
        id_ = field.arguments.get("id")
        if set(field.arguments) != {"id"} or not isinstance(id_, (str, int)):
            raise wrong(
                f"{field.name} attend un argument, id",
                f"{field.name} expects one argument, id",
            )
        resource = await self.record.read(field.name, str(id_))
        if resource is None:
            self._missing(field, f"{field.name}/{str(id_)[:64]}")
            out.add(field.key, None, many=False)
            return
        await self._nested(out, field, make(resource, "Resource"), many=False)

    async def _search(self, out: Output, field: Field, resource: Node | None) -> bool:
        """`TypeList` and `TypeConnection`; False when the field is none of these."""
        type_, kind = lists.split(field.name)
        if kind is None:
            return False
        if kind == "List":
            found = await lists.listed(self.record, field, type_, resource)
            out.empty_list(field.key)
            for version in found:
                await self._nested(out, field, make(version.resource, "Resource"), many=True)
            return True
        page = await lists.connection(self.record, field, type_, resource)
        connection = Output()
        for one in fields(self.document, field.below, lambda t: t == field.name):
            if one.name == "edges":
                await self._edges(connection, one, page)
            else:
                lists.fact(connection, one, page)
        out.add(field.key, connection, many=False)
        return True

    async def _edges(self, out: Output, field: Field, page: lists.Connection) -> None:
        out.empty_list(field.key)
        for version in page.versions:
            edge = Output()
            for one in fields(self.document, field.below, lambda t: t.endswith("Edge")):
                if one.name == "resource":
                    await self._nested(edge, one, make(version.resource, "Resource"), many=False)
                elif one.name in ("mode", "score"):
                    edge.add(one.key, "match" if one.name == "mode" else None, many=False)
                else:
                    raise elements.unknown("edges", one.name)
            out.add(field.key, edge, many=True)

    async def _nested(self, out: Output, field: Field, node: Node, *, many: bool) -> None:
        if not field.below:
            raise wrong(
                f"« {field.name} » est un objet : dire quels champs",
                f"'{field.name}' is an object: say which fields",
            )
        inner = Output()
        await self._object(inner, node, field.below)
        out.add(field.key, inner, many=many, single=field.singleton)

    async def _object(
        self, out: Output, node: Node, below: Selections, *, many: bool = False, suffix: str = ""
    ) -> None:
        """The fields of one element. `many`: a flattened list makes each of them a list."""
        type_ = node.type or "Element"
        for field in fields(self.document, below, lambda t: within(type_, t)):
            field.key += suffix
            if field.name == "__typename":
                out.add(field.key, type_, many=many, single=field.singleton)
            elif field.name == "resourceType" and isinstance(node.value, dict):
                if "resourceType" in node.value:
                    out.add(field.key, node.value["resourceType"], many=many)
            elif field.name == "resource" and type_ == "Reference":
                await self._reference(out, field, node, many=many)
            elif not (type_ in definitions.types() and await self._search(out, field, node)):
                await self._elements(out, field, node, many=many)

    async def _elements(self, out: Output, field: Field, node: Node, *, many: bool) -> None:
        found, repeats = elements.children(node, field)
        found = elements.kept(node, found, field, self.budget)
        several = many or (repeats and not field.first)
        for position, child in enumerate(found[:1] if field.first else found):
            suffix = self._slice(field, child, node, position)
            if child.type in PRIMITIVES and not field.name.startswith("_"):
                self._primitive(out, field, node, child, many=several, suffix=suffix)
            elif field.flatten:
                await self._object(out, child, field.below, many=several)
            else:
                sliced = Field(**{**vars(field), "key": field.key + suffix})
                await self._nested(out, sliced, child, many=several and not suffix)

    def _primitive(
        self, out: Output, field: Field, node: Node, child: Node, *, many: bool, suffix: str
    ) -> None:
        if field.below and elements.is_choice(node, field):
            return
        if field.below:
            raise elements.plain_value(field.name)
        if child.value is not None:
            out.add(
                field.key + suffix,
                child.value,
                many=many and not suffix,
                single=field.singleton,
            )

    def _slice(self, field: Field, child: Node, node: Node, position: int) -> str:
        if field.slice is None:
            return ""
        if field.slice == "$index":
            return f".{position}"
        answer = elements.evaluated(elements.compiled(field.slice), child, node, self.budget)
        if len(answer) != 1 or isinstance(answer[0], (dict, list)):
            return ""
        return f".{str(answer[0])[:60]}"

    async def _reference(self, out: Output, field: Field, node: Node, *, many: bool) -> None:
        """`resource(type: , optional: )` of a Reference."""
        unknown = set(field.arguments) - {"type", "optional"}
        if unknown:
            raise wrong(
                "resource n’a que les arguments type et optional",
                "resource has only the arguments type and optional",
            )
        address = node.value.get("reference") if isinstance(node.value, dict) else None
        if not isinstance(address, str):
            return
        target = await self.record.resolve(address)
        if target is None:
            if field.arguments.get("optional") is not True:
                self._missing(field, address)
            return
        wanted = field.arguments.get("type")
        if wanted is None or target["resourceType"] == wanted:
            await self._nested(out, field, make(target, "Resource"), many=many)

    def _missing(self, field: Field, address: str) -> None:
        """What cannot be shown, whether it does not exist or is not open to this reader."""
        if len(self.errors) < LIMIT_ERRORS:
            message = f"{address[:200]} n’existe pas / does not exist"
            self.errors.append(
                {"message": message, "path": [field.key], "extensions": {"code": "not-found"}}
            )
