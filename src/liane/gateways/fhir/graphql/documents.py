"""What does a GraphQL document ask, once it is read and known to be bounded?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import graphql
from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    ValueNode,
)

from liane.gateways.fhir.graphql.reading import Asked
from liane.gateways.fhir.graphql.refusals import too_costly, wrong

LIMIT_TOKENS = 4_000
LIMIT_DEPTH = 16
LIMIT_FIELDS = 1_500
"""Fields of a document once its fragments stand in their places."""

Values = Mapping[str, Any]


class Document:
    """One operation with its fragments and the values of its variables."""

    def __init__(self, asked: Asked) -> None:
        tree = _parsed(asked.text)
        self.fragments = {
            definition.name.value: definition
            for definition in tree.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        operation = _operation(tree, asked.operation)
        self.selections = operation.selection_set
        self.variables = _variables(operation, asked.variables)
        self._fields = 0
        self._bounded(self.selections, 0, ())

    def fragment(self, spread: FragmentSpreadNode) -> FragmentDefinitionNode:
        """The fragment that a spread names."""
        name = spread.name.value
        if name not in self.fragments:
            raise wrong(f"fragment « {name} » inconnu", f"unknown fragment '{name}'")
        return self.fragments[name]

    def value(self, node: ValueNode) -> Any:
        """A value of the document, variables put in."""
        if isinstance(node, graphql.VariableNode):
            name = node.name.value
            if name not in self.variables:
                raise wrong(f"variable « ${name} » non déclarée", f"undeclared variable '${name}'")
            return self.variables[name]
        if isinstance(node, graphql.ListValueNode):
            return [self.value(item) for item in node.values]
        if isinstance(node, graphql.NullValueNode):
            return None
        if isinstance(node, graphql.ObjectValueNode):
            raise wrong("un objet n’est pas un argument ici", "an object is no argument here")
        literal: Any = node
        return literal.value

    def arguments(self, node: FieldNode | DirectiveNode) -> dict[str, Any]:
        """The arguments of a field or directive that are not null."""
        found: dict[str, Any] = {}
        for argument in node.arguments or ():
            name = argument.name.value
            if name in found:
                raise wrong(f"argument « {name} » répété", f"repeated argument '{name}'")
            found[name] = self.value(argument.value)
        return {name: value for name, value in found.items() if value is not None}

    def _bounded(
        self, selections: SelectionSetNode | None, depth: int, via: tuple[str, ...]
    ) -> None:
        """Count fields with fragments in their places; refuse rings, depth and size."""
        if depth > LIMIT_DEPTH:
            raise too_costly(
                f"plus de {LIMIT_DEPTH} niveaux", f"nests deeper than {LIMIT_DEPTH} levels"
            )
        for selection in selections.selections if selections else ():
            if isinstance(selection, FieldNode):
                self._fields += 1
                if self._fields > LIMIT_FIELDS:
                    raise too_costly(
                        f"plus de {LIMIT_FIELDS} champs", f"more than {LIMIT_FIELDS} fields"
                    )
                self._bounded(selection.selection_set, depth + 1, via)
            elif isinstance(selection, FragmentSpreadNode):
                name = selection.name.value
                if name in via:
                    raise wrong(f"fragment « {name} » en boucle", f"fragment '{name}' in a ring")
                self._bounded(self.fragment(selection).selection_set, depth + 1, (*via, name))
            elif isinstance(selection, InlineFragmentNode):
                self._bounded(selection.selection_set, depth + 1, via)


def _parsed(text: str) -> DocumentNode:
    try:
        return graphql.parse(text, max_tokens=LIMIT_TOKENS)
    except GraphQLError as problem:
        at = problem.locations[0] if problem.locations else None
        place_fr = f" (ligne {at.line}, colonne {at.column})" if at else ""
        place_en = f" (line {at.line}, column {at.column})" if at else ""
        raise wrong(
            f"document illisible{place_fr} : {problem.message[:200]}",
            f"unreadable document{place_en}: {problem.message[:200]}",
        ) from None
    except RecursionError:
        raise too_costly("document trop imbriqué", "the document nests too deeply") from None


def _operation(tree: DocumentNode, name: str | None) -> OperationDefinitionNode:
    operations = [d for d in tree.definitions if isinstance(d, OperationDefinitionNode)]
    found = [o for o in operations if name is None or (o.name and o.name.value == name)]
    if len(found) != 1:
        raise wrong(
            "operationName doit désigner une des opérations du document",
            "operationName must name one of the operations of the document",
        )
    if found[0].operation is not OperationType.QUERY:
        raise wrong("seules les lectures (query) sont offertes", "only reading (query) is offered")
    return found[0]


def _variables(operation: OperationDefinitionNode, given: Values) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        if name in given:
            found[name] = _plain(name, given[name])
        elif definition.default_value is not None:
            default: Any = definition.default_value
            found[name] = getattr(default, "value", None)
        elif isinstance(definition.type, graphql.NonNullTypeNode):
            raise wrong(f"la variable « ${name} » manque", f"the variable '${name}' is missing")
        else:
            found[name] = None
    return found


def _plain(name: str, value: Any) -> Any:
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, (dict, list)) for item in items):
        raise wrong(
            f"la variable « ${name} » est une valeur simple ou une liste",
            f"the variable '${name}' is a plain value or a list",
        )
    return value


def directives(
    node: FieldNode | FragmentSpreadNode | InlineFragmentNode,
) -> Iterator[DirectiveNode]:
    """The directives of a selection, each at most once."""
    seen: set[str] = set()
    for directive in node.directives or ():
        if directive.name.value in seen:
            raise wrong(f"@{directive.name.value} répétée", f"@{directive.name.value} repeated")
        seen.add(directive.name.value)
        yield directive
