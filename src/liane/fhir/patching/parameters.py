"""What does a Parameters resource ask a FHIRPath Patch to do? (R4, fhirpatch.html)"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from liane.fhir.fhirpath.model import PRIMITIVES, SYSTEM, shape
from liane.fhir.patching.refusals import LIMIT_OPERATIONS, malformed, too_many

TYPES = ("add", "insert", "delete", "replace", "move")
_NEEDED = {
    "add": ("path", "name", "value"),
    "insert": ("path", "index", "value"),
    "delete": ("path",),
    "replace": ("path", "value"),
    "move": ("path", "source", "destination"),
}


@dataclass(frozen=True, slots=True)
class Value:
    """A value to write: its JSON, the shadow of a primitive, and its type when it is stated."""

    json: Any
    extra: Any
    type: str | None
    parts: tuple[dict[str, Any], ...] | None = None
    """The elements of an anonymous type, until it is known where they go."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; `index` is its position in the patch."""

    index: int
    type: str
    path: str
    name: str = ""
    value: Value | None = None
    at: int = 0
    source: int = 0
    destination: int = 0


def operations(parameters: dict[str, Any]) -> list[Operation]:
    """The operations of a patch. Raises `PatchInvalid` naming the one that is wrong."""
    entries = parameters.get("parameter", [])
    if parameters.get("resourceType") != "Parameters" or not isinstance(entries, list):
        raise malformed(0, "", "un Parameters est attendu", "a Parameters is expected")
    if len(entries) > LIMIT_OPERATIONS:
        raise too_many(len(entries))
    return [_operation(index, entry) for index, entry in enumerate(entries)]


def _operation(index: int, entry: Any) -> Operation:
    if not isinstance(entry, dict) or entry.get("name") != "operation":
        raise malformed(
            index,
            "",
            "un paramètre « operation » est attendu",
            "a parameter 'operation' is expected",
        )
    parts = _parts(index, entry)
    kind = _text(parts.get("type"))
    path = _text(parts.get("path")) or ""
    if kind not in TYPES:
        raise malformed(
            index,
            path,
            f"le type est l’un de {', '.join(TYPES)}",
            f"the type is one of {', '.join(TYPES)}",
        )
    for name in _NEEDED[kind]:
        if name not in parts:
            raise malformed(
                index,
                path,
                f"la partie « {name} » manque à « {kind} »",
                f"the part '{name}' of '{kind}' is missing",
            )
    if not path:
        raise malformed(index, "", "le chemin est un texte", "the path is a text")
    return Operation(
        index,
        kind,
        path,
        _text(parts.get("name")) or "",
        value_of(index, path, parts["value"]) if "value" in parts else None,
        _number(index, path, parts.get("index")),
        _number(index, path, parts.get("source")),
        _number(index, path, parts.get("destination")),
    )


def _parts(index: int, entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for part in entry.get("part") or ():
        name = part.get("name") if isinstance(part, dict) else None
        if not isinstance(name, str) or name in found:
            raise malformed(
                index, "", "chaque partie a un nom, une seule fois", "each part is named, once"
            )
        found[name] = part
    return found


def _text(part: dict[str, Any] | None) -> str | None:
    for key, value in (part or {}).items():
        if key.startswith("value") and isinstance(value, str):
            return value
    return None


def _number(index: int, path: str, part: dict[str, Any] | None) -> int:
    if part is None:
        return 0
    for key, value in part.items():
        if key.startswith("value") and type(value) is int and 0 <= value < 1_000_000:
            return value
    raise malformed(
        index,
        path,
        f"« {part.get('name')} » est un entier positif",
        f"'{part.get('name')}' is a positive integer",
    )


def value_of(index: int, path: str, part: dict[str, Any]) -> Value:
    """The value of a part: `value[x]`, a resource, or the parts of an anonymous type."""
    typed = {key[5:]: key for key in part if key.startswith("value") and len(key) > 5} | {
        key[6:]: key[1:] for key in part if key.startswith("_value")
    }
    if len(typed) == 1:
        name, key = next(iter(typed.items()))
        return Value(part.get(key), part.get(f"_{key}"), _type(name))
    if not typed and isinstance(part.get("resource"), dict):
        return Value(part["resource"], None, part["resource"].get("resourceType"))
    if not typed and isinstance(part.get("part"), list) and part["part"]:
        return Value(None, None, None, tuple(part["part"]))
    raise malformed(
        index, path, "une valeur, et une seule, est attendue", "one value is expected, and only one"
    )


def _type(name: str) -> str | None:
    plain = name[0].lower() + name[1:]
    if plain in PRIMITIVES:
        return plain
    return name if name in SYSTEM or shape(name).named else None
