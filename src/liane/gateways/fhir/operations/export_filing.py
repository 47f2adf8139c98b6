"""How do the rows of an export become files, one kind of resource each, without being read?"""

from __future__ import annotations

from collections.abc import Callable

from liane.gateways.fhir.answers import subset
from liane.gateways.fhir.asynchronous.files import Files
from liane.gateways.fhir.operations.export_asking import Ask
from liane.gateways.fhir.operations.export_reading import SEPARATOR

Shape = Callable[[bytes], bytes]
GONE_AT_ONCE = 500
"""Deletions told in one Bundle."""
_BUNDLE = b'{"resourceType":"Bundle","type":"transaction","entry":['


class Filing:
    """Sorts rows (type, patient, text) into files and notes whose they were."""

    def __init__(self, files: Files, ask: Ask) -> None:
        self.files = files
        self.patients: set[str] = set()
        self._shape = _shape(ask)

    def take(self, piece: bytes) -> None:
        """File whole lines; called in a thread, one call at a time."""
        sorted_out: dict[bytes, list[bytes]] = {}
        patients: set[bytes] = set()
        for line in piece.split(b"\n"):
            if not line:
                continue
            type_, patient, body = line.split(SEPARATOR, 2)
            patients.add(patient)
            try:
                sorted_out[type_].append(body)
            except KeyError:
                sorted_out[type_] = [body]
        for type_, bodies in sorted_out.items():
            shaped = bodies if self._shape is None else [self._shape(body) for body in bodies]
            self.files.write(type_.decode(), b"\n".join((*shaped, b"")), len(bodies))
        patients.discard(b"")
        self.patients.update(patient.decode() for patient in patients)

    def take_gone(self, piece: bytes) -> None:
        """File deletions, many to a Bundle (`deleted` of the manifest)."""
        rows = [line.split(SEPARATOR, 2) for line in piece.split(b"\n") if line]
        for start in range(0, len(rows), GONE_AT_ONCE):
            some = rows[start : start + GONE_AT_ONCE]
            told = _BUNDLE + b",".join(row[2] for row in some) + b"]}\n"
            self.files.write("Bundle", told, 1, kind="deleted")
            self.patients.update(row[1].decode() for row in some if row[1])


def _shape(ask: Ask) -> Shape | None:
    """What `_elements` leaves of a resource; None when all of it goes out as it is stored."""
    if not ask.elements:
        return None
    named: dict[str | None, set[str]] = {}
    for element in ask.elements:
        type_, dot, name = element.rpartition(".")
        named.setdefault(type_ if dot else None, set()).add(name)
    every = frozenset(named.get(None, ()))
    wanted = {type_: every | names for type_, names in named.items() if type_ is not None}

    def shape(body: bytes) -> bytes:
        text = body.decode()
        type_ = text[17 : text.index('"', 17)] if text.startswith('{"resourceType":"') else ""
        elements = wanted.get(type_, every)
        return subset(text, elements, None).encode() if elements else body

    return shape
