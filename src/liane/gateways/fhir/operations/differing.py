"""Which steps turn one resource into another? (As a FHIRPath Patch, R4 fhirpatch)

Pure. The steps are meant to be taken one after the other: within a list they begin at its end, so
that the places named by the later ones are still right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from liane.fhir import definitions
from liane.fhir.json import dumps

Step = dict[str, Any]
_OPEN = frozenset(
    {
        "base64Binary", "boolean", "canonical", "code", "date", "dateTime", "decimal", "id",
        "instant", "integer", "markdown", "oid", "positiveInt", "string", "time", "unsignedInt",
        "uri", "url", "uuid", "Address", "Age", "Annotation", "Attachment", "CodeableConcept",
        "Coding", "ContactPoint", "Count", "Distance", "Duration", "HumanName", "Identifier",
        "Money", "Period", "Quantity", "Range", "Ratio", "Reference", "SampledData",
        "Signature", "Timing", "ContactDetail", "Contributor", "DataRequirement", "Expression",
        "ParameterDefinition", "RelatedArtifact", "TriggerDefinition", "UsageContext", "Dosage",
        "Meta",
    }
)  # fmt: skip
"""Types that a value[x] of Parameters may have."""


class _Known(NamedTuple):
    """What the definitions say of one member."""

    name: str
    """As FHIRPath names it: `value` for `valueQuantity`."""
    type: str
    table: str
    many: bool


def steps(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Step]:
    """The `operation` entries of a Parameters; both resources are of one type."""
    type_ = str(after["resourceType"])
    return [{"name": "operation", "part": parts} for parts in _object(before, after, type_, type_)]


def _object(
    before: Mapping[str, Any], after: Mapping[str, Any], table: str, path: str
) -> Iterator[list[Step]]:
    """What comes first, then what changes, then what goes: an object that is empty in between
    would be gone.
    """
    changed = [
        key
        for key in dict.fromkeys((*before, *after))
        if key != "resourceType" and before.get(key) != after.get(key)
    ]
    known = {key: _known(table, key) for key in changed}
    fresh = {known[key].name: key for key in changed if key not in before}
    # A choice that only changes its type (valueString, then valueQuantity) is one replacement.
    retyped = {known[key].name for key in changed if key not in after} & set(fresh)
    for name, key in fresh.items():
        if name not in retyped:
            for value in _as_list(after[key]):
                yield _add(path, known[key], value)
    for key in changed:
        if key in before and key in after:
            yield from _member(before[key], after[key], known[key], path)
    for key in changed:
        if key not in after:
            name = known[key].name
            if name in retyped:
                yield _replace(f"{path}.{name}", known[fresh[name]], after[fresh[name]])
            elif isinstance(before[key], list):
                yield from _list(before[key], [], known[key], path)
            else:
                yield _delete(f"{path}.{name}")


def _member(old: Any, new: Any, known: _Known, path: str) -> Iterator[list[Step]]:
    place = f"{path}.{known.name}"
    if known.many or isinstance(old, list) or isinstance(new, list):
        yield from _list(_as_list(old), _as_list(new), known, path)
    elif isinstance(old, dict) and isinstance(new, dict):
        yield from _object(old, new, known.table, place)
    else:
        yield _replace(place, known, new)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _list(old: list[Any], new: list[Any], known: _Known, path: str) -> Iterator[list[Step]]:
    """Changes of a list, the last one first."""
    matcher = SequenceMatcher(None, [dumps(v) for v in old], [dumps(v) for v in new], False)
    place = f"{path}.{known.name}"
    for tag, i1, i2, j1, j2 in reversed(matcher.get_opcodes()):
        if tag == "equal":
            continue
        paired = min(i2 - i1, j2 - j1)
        for n in range(i2 - 1, i1 + paired - 1, -1):
            yield _delete(f"{place}[{n}]")
        for n, value in enumerate(new[j1 + paired : j2]):
            if i2 == len(old):
                yield _add(path, known, value)
            else:
                yield _insert(place, known, i1 + paired + n, value)
        for n in range(paired - 1, -1, -1):
            yield from _item(old[i1 + n], new[j1 + n], known, f"{place}[{i1 + n}]")


def _item(old: Any, new: Any, known: _Known, place: str) -> Iterator[list[Step]]:
    if isinstance(old, dict) and isinstance(new, dict) and known.type != "Resource":
        yield from _object(old, new, known.table, place)
    else:
        yield _replace(place, known, new)


def _add(path: str, known: _Known, value: Any) -> list[Step]:
    return [_kind("add"), _path(path), {"name": "name", "valueString": known.name},
            _value("value", known, value)]  # fmt: skip


def _insert(place: str, known: _Known, index: int, value: Any) -> list[Step]:
    return [_kind("insert"), _path(place), {"name": "index", "valueInteger": index},
            _value("value", known, value)]  # fmt: skip


def _replace(place: str, known: _Known, value: Any) -> list[Step]:
    return [_kind("replace"), _path(place), _value("value", known, value)]


def _delete(place: str) -> list[Step]:
    return [_kind("delete"), _path(place)]


def _kind(word: str) -> Step:
    return {"name": "type", "valueCode": word}


def _path(text: str) -> Step:
    return {"name": "path", "valueString": text}


def _value(name: str, known: _Known, value: Any) -> Step:
    """A value under its own type; anonymous ones in parts, one for each member."""
    if known.type in ("Resource", "DomainResource") and isinstance(value, dict):
        return {"name": name, "resource": value}
    if known.type in _OPEN:
        return {"name": name, f"value{known.type[:1].upper()}{known.type[1:]}": value}
    if not isinstance(value, dict):
        return {"name": name, "valueString": value}
    parts = []
    for key, member in value.items():
        inner = _known(known.table, key)
        parts += [_value(inner.name, inner, one) for one in _as_list(member)]
    return {"name": name, "part": parts}


def _known(table: str, key: str) -> _Known:
    plain = key.removeprefix("_")
    elements = definitions.elements(table)
    element = elements.get(plain)
    if element is not None:
        type_ = element.types[0][0] if element.types else "BackboneElement"
        inner = element.content or (f"{table}.{plain}" if _anonymous(type_) else type_)
        type_ = "Element" if key.startswith("_") else type_
        return _Known(plain, type_, inner, element.maximum != 1)
    for name, choice in elements.items():
        base = name.removesuffix("[x]")
        if name != base and plain.startswith(base):
            for type_, _ in choice.types:
                if plain == f"{base}{type_[:1].upper()}{type_[1:]}":
                    return _Known(base, type_, type_, choice.maximum != 1)
    return _Known(plain, "string", "", False)


def _anonymous(type_: str) -> bool:
    return type_ in ("BackboneElement", "Element")
