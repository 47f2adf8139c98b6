"""Promise: a file is wholly there or not at all, under a name the server made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from liane.base.errors import Invalid
from liane.base.safe_file import atomic_write, display_name, server_path

pytestmark = pytest.mark.unit


def test_parts_are_written_in_new_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.bin"
    assert atomic_write(path, iter([b"ab", b"c"])) == 3
    assert path.read_bytes() == b"abc"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_old_content_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "c.bin"
    atomic_write(path, b"old")

    def broken() -> Iterator[bytes]:
        yield b"new"
        raise OSError("line cut")

    with pytest.raises(OSError, match="line cut"):
        atomic_write(path, broken())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "name", ["..", "../x", "/etc", "a/b", "A", "", "a..b", "x\0", ".hidden", "é"]
)
def test_names_from_outside_are_never_paths(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid):
        server_path(tmp_path, name)


def test_server_names_are_joined(tmp_path: Path) -> None:
    assert server_path(tmp_path, "ab", "1.2.dcm") == tmp_path / "ab" / "1.2.dcm"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\lettre.pdf", "lettre.pdf"),
        ("lettre\u202efdp.exe", "lettrefdp.exe"),
        ('a"b\r\nc.pdf', "a_b_c.pdf"),
        ("", "document"),
        ("...", "document"),
    ],
)
def test_display_names_are_one_harmless_line(name: str, shown: str) -> None:
    assert display_name(name) == shown
