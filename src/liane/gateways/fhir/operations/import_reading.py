"""How are the lines of a file to import read, wherever it lies, in little memory?"""

from __future__ import annotations

import base64
import zlib
from collections.abc import AsyncIterator

from liane.access.actor import Actor
from liane.base.errors import Invalid, NotFound
from liane.base.safe_http import SafeClient
from liane.gateways.fhir import authority
from liane.gateways.fhir.operations.import_asking import Input
from liane.store import Database, resources
from liane.store.blobs import Blobs

LINE_BYTES = 16 * 1024 * 1024
FILE_BYTES = 64 * 1024 * 1024 * 1024
LIMIT_RATIO = 200
_STEP_BYTES = 1024 * 1024
_GZIP = 16 + zlib.MAX_WBITS


async def lines(
    source: Input, actor: Actor, database: Database, blobs: Blobs, hosts: tuple[str, ...]
) -> AsyncIterator[tuple[int, bytes]]:
    """Number (from 1) and bytes of each line that is not empty.

    Raises `Unavailable` when the file cannot be fetched now, `Invalid` for one that is too large,
    damaged, or has a line beyond 16 MiB.
    """
    number = 0
    rest = b""
    async for part in _unpacked(_parts(source, actor, database, blobs, hosts)):
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            number += 1
            if line.strip():
                yield number, line
        if len(rest) > LINE_BYTES:
            raise _refused("une ligne dépasse 16 Mio", "a line is larger than 16 MiB")
    if rest.strip():
        yield number + 1, rest


async def _parts(
    source: Input, actor: Actor, database: Database, blobs: Blobs, hosts: tuple[str, ...]
) -> AsyncIterator[bytes]:
    if source.blob:
        async for part in blobs.stream(source.blob):
            yield part
    elif source.url.startswith("Binary/"):
        yield await _binary(source.url, actor, database)
    else:
        async with SafeClient(hosts, limit_bytes=FILE_BYTES, timeout_seconds=60) as client:
            async for part in client.stream(source.url):
                yield part


async def _binary(url: str, actor: Actor, database: Database) -> bytes:
    """The content of a Binary that the asker may read."""
    id_ = url.removeprefix("Binary/").partition("/")[0]
    authority.require_type(actor, "Binary", "r")
    async with database.reading() as tx:
        version = await resources.read(tx, "Binary", id_)
        if version is None or version.deleted:
            raise NotFound("fhir.not-found", f"{url} n’existe pas.", f"{url} does not exist.")
        await authority.require_read(tx, actor, authority.patient_of(version), "Binary")
    return base64.b64decode(version.resource.get("data", ""))


async def _unpacked(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The parts, inflated when the file begins like gzip; a bomb is refused."""
    engine: zlib._Decompress | None = None
    first, took, gave = True, 0, 0
    async for part in parts:
        if first and part.startswith(b"\x1f\x8b"):
            engine = zlib.decompressobj(_GZIP)
        first = False
        if engine is None:
            yield part
            continue
        took += len(part)
        rest = part
        while rest:
            if engine.eof:
                engine = zlib.decompressobj(_GZIP)
            try:
                found = engine.decompress(rest, _STEP_BYTES)
            except zlib.error:
                raise _refused("fichier gzip abîmé", "damaged gzip file") from None
            gave += len(found)
            if gave > _STEP_BYTES * 16 and gave > took * LIMIT_RATIO:
                raise _refused("fichier gzip suspect", "suspicious gzip file")
            if found:
                yield found
            rest = engine.unconsumed_tail or engine.unused_data
    if engine is not None and not engine.eof:
        raise _refused("fichier gzip incomplet", "incomplete gzip file")


def _refused(french: str, english: str) -> Invalid:
    return Invalid(
        "fhir.import-file", f"Fichier à importer : {french}.", f"File to import: {english}."
    )
