"""How is a FHIR resource read from JSON and written back without losing a digit?

Decimals stay what the sender wrote: 72.50 is not 72.5 (R4 datatypes, `decimal`). A member given
twice is refused, because two readers of the same bytes would see two different patients.
"""

from __future__ import annotations

import json as _stdlib
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, cast

import msgspec

from liane.base.errors import Invalid

LIMIT_BYTES = 64 * 1024 * 1024
LIMIT_DEPTH = 64

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")
_MEMBER = re.compile(rb'"\s*:')
_SPACED_COLONS = (b'" ', b'"\n', b'"\t', b'"\r')


def loads(data: bytes | str, *, limit_bytes: int = LIMIT_BYTES) -> dict[str, Any]:
    """The JSON object in `data`, decimals as `Decimal`.

    Raises `Invalid` when the text is not JSON, is not an object, is larger than `limit_bytes`,
    nests deeper than 64 levels, names a member twice or holds a NUL character.
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(raw) > limit_bytes:
        raise Invalid(
            "json-too-large",
            f"Ce contenu dépasse la limite de {limit_bytes} octets.",
            f"This content is larger than the limit of {limit_bytes} bytes.",
            limit_bytes=limit_bytes,
        )
    value = _decode(raw)
    if not isinstance(value, dict):
        raise _refused("Un objet JSON est attendu.", "A JSON object is expected.")
    members = _count_members(value)
    if _members_in_text(raw) != members:
        _refuse_repeated_members(raw)
    if b"\\u0000" in raw:
        _refuse_nul(value)
    return cast("dict[str, Any]", value)


def dumps(resource: Any) -> str:
    """The JSON text of `resource`; decimals are written with the digits they came with."""
    return _encoder.encode(resource).decode()


def dump_bytes(resource: Any) -> bytes:
    """As `dumps`, in UTF-8 bytes."""
    return _encoder.encode(resource)


def _decode(raw: bytes) -> object:
    try:
        return _decoder.decode(raw)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.MsgspecError, ValueError, ArithmeticError) as problem:
        raise _refused(
            f"Ce contenu n’est pas du JSON valide ({problem}).",
            f"This content is not valid JSON ({problem}).",
        ) from None


def _count_members(root: object) -> int:
    """Count the members of all objects, level by level, so that depth is bounded on the way."""
    members = 0
    level: list[Any] = [root]
    for _ in range(LIMIT_DEPTH):
        children: list[Any] = []
        for node in level:
            values: Iterable[Any] = node
            if type(node) is dict:
                members += len(node)
                values = node.values()
            children += [child for child in values if type(child) is dict or type(child) is list]
        if not children:
            return members
        level = children
    raise _too_deep()


def _members_in_text(raw: bytes) -> int:
    """At least the number of members written in the text; more when strings hold look-alikes."""
    if not any(blank in raw for blank in _SPACED_COLONS):
        return raw.count(b'":')
    return sum(1 for _ in _MEMBER.finditer(raw))


def _refuse_repeated_members(raw: bytes) -> None:
    _stdlib.loads(raw, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, object]]) -> None:
    seen = set()
    for name, _ in pairs:
        if name in seen:
            raise _refused(
                f"Le membre « {name[:64]} » apparaît deux fois dans le même objet.",
                f"The member '{name[:64]}' appears twice in the same object.",
            )
        seen.add(name)


def _refuse_nul(value: object) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise _refused(
                "Le caractère NUL est interdit dans un texte.",
                "The NUL character is not allowed in a text.",
            )
    elif isinstance(value, dict):
        for name, child in value.items():
            _refuse_nul(name)
            _refuse_nul(child)
    elif isinstance(value, list):
        for child in value:
            _refuse_nul(child)


def _too_deep() -> Invalid:
    return _refused(
        f"Ce contenu est imbriqué sur plus de {LIMIT_DEPTH} niveaux.",
        f"This content nests deeper than {LIMIT_DEPTH} levels.",
    )


def _refused(french: str, english: str) -> Invalid:
    return Invalid("json-invalid", french, english)
