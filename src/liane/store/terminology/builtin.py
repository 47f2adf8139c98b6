"""Which code systems, value sets and concept maps does R4 itself bring?

Compiled into the program, never stored: small enough to be answered from memory, without asking
the database.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Any

import msgspec

from liane.base.errors import Fault
from liane.fhir import definitions
from liane.store.terminology.closing import ancestors
from liane.store.terminology.code_systems import Content, content_of
from liane.store.terminology.concepts import Concept, words_of

CORE = "http://hl7.org/fhir/"


@cache
def _packed() -> Mapping[str, Any]:
    path = definitions.DATA / "terminology.msgpack"
    if not path.exists():
        raise Fault(
            "definitions-missing",
            "Les terminologies de FHIR n’ont pas été compilées.",
            "The terminology of FHIR has not been compiled.",
            "Lancer : make setup",
            "Run: make setup",
        )
    found: Mapping[str, Any] = msgspec.msgpack.decode(path.read_bytes())
    return found


@lru_cache(maxsize=512)
def resource(type_: str, url: str) -> dict[str, Any] | None:
    """The CodeSystem, ValueSet or ConceptMap of that address; to be read, never changed."""
    packed = _packed()[type_]["resources"].get(url)
    if packed is None:
        return None
    opener = zlib.decompressobj(zdict=_packed()[type_]["dictionary"])
    found: dict[str, Any] = json.loads(opener.decompress(packed))
    return found


def urls(type_: str) -> Iterable[str]:
    """The canonical addresses of all of them."""
    return list(_packed()[type_]["resources"])


def is_core(type_: str, url: str) -> bool:
    """Whether it belongs to R4 itself, so that no stored resource can mean something else."""
    return url.startswith(CORE) and url in _packed()[type_]["resources"]


class Known:
    """One code system in memory, with its hierarchy closed."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.by_key = content.number()
        self.parents = content.parents
        self.above = ancestors(content.parents)
        self.below: dict[int, set[int]] = {}
        self.children: dict[int, list[int]] = {}
        for id_, found in self.above.items():
            for ancestor in found:
                self.below.setdefault(ancestor, set()).add(id_)
        for id_, direct in content.parents.items():
            for parent in direct:
                self.children.setdefault(parent, []).append(id_)
        self.words = [
            words_of(one.code, one.display, *(d.value for d in one.designations))
            for one in content.concepts
        ]

    def find(self, code: str) -> Concept | None:
        """The concept of that code."""
        id_ = self.by_key.get(self.content.header.key(code))
        return None if id_ is None else self.content.concepts[id_]


@lru_cache(maxsize=256)
def known(url: str) -> Known | None:
    """The code system of that address, opened."""
    found = resource("CodeSystem", url)
    return None if found is None else Known(content_of(found))
