"""What is a resource after a JSON Patch? (RFC 6902)"""

from __future__ import annotations

import copy
from typing import Any

from jsonpatch import (
    InvalidJsonPatch,
    JsonPatch,
    JsonPatchConflict,
    JsonPatchException,
    JsonPatchTestFailed,
)
from jsonpointer import JsonPointer, JsonPointerException

from liane.fhir.patching.refusals import (
    LIMIT_OPERATIONS,
    identity,
    inapplicable,
    malformed,
    require_same,
    too_many,
)

LIMIT_COPIED = 500_000
"""How many values and characters all `copy` operations of one patch may add together."""


def json_patch(resource: dict[str, Any], operations: list[Any]) -> dict[str, Any]:
    """The patched copy of `resource`. Raises `PatchInvalid`, `PatchInapplicable`."""
    if len(operations) > LIMIT_OPERATIONS:
        raise too_many(len(operations))
    before = identity(resource)
    document: Any = copy.deepcopy(resource)
    left = LIMIT_COPIED
    for index, operation in enumerate(operations):
        path = str(operation.get("path", "")) if isinstance(operation, dict) else ""
        if not isinstance(operation, dict):
            raise malformed(index, path, "un objet est attendu", "an object is expected")
        if operation.get("op") == "copy":
            left -= _weight(document, operation.get("from"), left)
            if left < 0:
                raise inapplicable(index, path, "trop de copies", "too much is copied")
        document = _applied(index, path, document, operation)
        require_same(index, path, before, document)
    patched: dict[str, Any] = document
    return patched


def _applied(index: int, path: str, document: Any, operation: dict[str, Any]) -> Any:
    try:
        return JsonPatch([copy.deepcopy(operation)]).apply(document, in_place=True)
    except InvalidJsonPatch as problem:
        raise malformed(
            index,
            path,
            f"opération mal formée ({problem})",
            f"malformed operation ({problem})",
        ) from None
    except JsonPatchTestFailed:
        raise inapplicable(
            index,
            path,
            "la valeur n’est pas celle que « test » attend",
            "the value is not the one 'test' expects",
        ) from None
    except (JsonPatchConflict, JsonPatchException, JsonPointerException) as problem:
        raise inapplicable(
            index, path, f"impossible ici ({problem})", f"not possible here ({problem})"
        ) from None


def _weight(document: Any, pointer: Any, limit: int) -> int:
    """Values and characters below `pointer`, counted up to `limit`."""
    try:
        value = JsonPointer(pointer).resolve(document)
    except (JsonPointerException, TypeError):
        return 0
    weight, waiting = 0, [value]
    while waiting and weight <= limit:
        node = waiting.pop()
        weight += 1
        if isinstance(node, dict):
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
        elif isinstance(node, str):
            weight += len(node)
    return weight
