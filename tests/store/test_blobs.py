"""Bytes come back bit for bit, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import pytest

from liane.base.errors import Fault, Invalid, NotFound
from liane.store.blobs import Blobs


async def test_bytes_are_named_by_their_hash_and_stored_once(blobs: Blobs) -> None:
    content = bytes(range(256)) * 1000
    ref = await blobs.put(content)
    assert ref.sha256 == hashlib.sha256(content).hexdigest()
    assert ref.size == len(content)
    assert ref.url == f"blob:{ref.sha256}"
    assert await blobs.put([content[:7], content[7:]]) == ref
    assert await blobs.read(ref.sha256) == content
    assert await blobs.exists(ref.sha256)
    assert not await blobs.exists("0" * 64)


async def test_a_stream_is_stored_part_by_part_and_sent_back_in_chunks(blobs: Blobs) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for n in range(5):
            yield bytes([n]) * 1000

    ref = await blobs.put(parts())
    assert ref.size == 5000
    chunks = [chunk async for chunk in blobs.stream(ref.sha256, 999)]
    assert b"".join(chunks) == b"".join(bytes([n]) * 1000 for n in range(5))
    assert max(map(len, chunks)) == 999


async def test_altered_bytes_are_never_shown(blobs: Blobs) -> None:
    ref = await blobs.put(b"the right dose is 5 mg")
    path = blobs.path(ref.sha256)
    path.write_bytes(b"the right dose is 50 mg")
    with pytest.raises(Fault):
        await blobs.read(ref.sha256)
    with pytest.raises(Fault):
        [chunk async for chunk in blobs.stream(ref.sha256)]


async def test_a_refused_or_broken_upload_leaves_no_file(blobs: Blobs) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"begin"
        raise ConnectionResetError

    with pytest.raises(Invalid):
        await blobs.put([b"x" * 600, b"y" * 600], limit_bytes=1000)
    with pytest.raises(ConnectionResetError):
        await blobs.put(broken())
    assert [p for p in blobs._root.rglob("*") if p.is_file()] == []


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
async def test_a_name_that_is_no_hash_reaches_no_file(blobs: Blobs, name: str) -> None:
    with pytest.raises(NotFound):
        await blobs.read(name)
