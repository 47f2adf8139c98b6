"""Promise: compressed bytes from outside are opened within limits, or refused."""

from __future__ import annotations

import gzip
import io
import resource
import stat
import tarfile
import time
import zipfile
import zlib

import pytest

from liane.base.errors import Invalid
from liane.base.safe_archive import gunzip, inflate, untar_gz, unzip

pytestmark = pytest.mark.unit


def raw_deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return engine.compress(data) + engine.flush()


def zipped(*files: tuple[str, bytes], **attributes: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            for key, value in attributes.items():
                setattr(info, key, value)
            archive.writestr(info, content)
    return buffer.getvalue()


def test_d4a2_deflate_bomb_is_refused_fast_in_little_memory() -> None:
    bomb = raw_deflate(bytes(200_000_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    with pytest.raises(Invalid, match="swells"):
        inflate(bomb, raw=True)
    assert time.perf_counter() - start < 0.3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64_000


def test_d3a_gzip_bomb_is_refused() -> None:
    with pytest.raises(Invalid, match="swells"):
        gunzip(gzip.compress(bytes(50_000_000)))


def test_gzip_content_over_the_limit_is_refused() -> None:
    with pytest.raises(Invalid, match="larger"):
        gunzip(gzip.compress(bytes(range(256)) * 100), limit_bytes=1000)


def test_gzip_members_are_joined() -> None:
    assert gunzip(gzip.compress(b"a") + gzip.compress(b"b")) == b"ab"


@pytest.mark.parametrize("cut", [1, 5, 11, 19])
def test_truncated_gzip_is_refused(cut: int) -> None:
    with pytest.raises(Invalid):
        gunzip(gzip.compress(b"hello world")[:cut])


def test_zlib_and_raw_streams() -> None:
    assert inflate(zlib.compress(b"abc"), raw=False) == b"abc"
    assert inflate(raw_deflate(b"abc"), raw=True) == b"abc"
    assert inflate(raw_deflate(b""), raw=True) == b""


def test_d2a_zip_bomb_is_refused() -> None:
    with pytest.raises(Invalid, match="swells"):
        list(unzip(zipped(("a", bytes(300_000_000)))))


def test_limits_hold_over_all_members_together() -> None:
    archive = zipped(("a", bytes(600)), ("b", bytes(600)))
    with pytest.raises(Invalid, match="larger"):
        list(unzip(archive, limit_bytes=1000))


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "c:/x", "a\\..\\x"])
def test_d2d_dangerous_names_are_refused(name: str) -> None:
    with pytest.raises(Invalid, match="dangerous"):
        list(unzip(zipped((name, b"x"))))


def test_d2c_links_are_refused() -> None:
    with pytest.raises(Invalid, match="dangerous"):
        list(unzip(zipped(("a", b"/etc/passwd"), external_attr=(stat.S_IFLNK | 0o777) << 16)))


def test_names_given_twice_are_refused() -> None:
    with pytest.warns(UserWarning, match="Duplicate"), pytest.raises(Invalid, match="same name"):
        list(unzip(zipped(("a", b"x"), ("a", b"y"))))


def test_too_many_members_are_refused() -> None:
    with pytest.raises(Invalid, match="more than 2 files"):
        list(unzip(zipped(("a", b""), ("b", b""), ("c", b"")), members=2))


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x05\x06" + bytes(10), b"x" * 1000])
def test_damaged_archives_are_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        list(unzip(data))


def test_good_files_come_out() -> None:
    members = list(unzip(zipped(("IHE_XDM/A/DOC.XML", b"<a/>"), ("b", b""))))
    assert [(m.name, m.content) for m in members] == [("IHE_XDM/A/DOC.XML", b"<a/>"), ("b", b"")]


def tarred(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def kept_as(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    return info


def test_a_tar_archive_gives_its_files() -> None:
    data = tarred((kept_as("package", tarfile.DIRTYPE), b""), (kept_as("package/a.json"), b"{}"))
    assert [(one.name, one.content) for one in untar_gz(data)] == [("package/a.json", b"{}")]


@pytest.mark.parametrize(
    "member",
    [
        kept_as("../a"),
        kept_as("/etc/passwd"),
        kept_as("a", tarfile.SYMTYPE),
        kept_as("a", tarfile.LNKTYPE),
        kept_as("a", tarfile.FIFOTYPE),
        kept_as("a", tarfile.CHRTYPE),
    ],
)
def test_a_dangerous_tar_member_is_refused(member: tarfile.TarInfo) -> None:
    member.linkname = "/etc/passwd"
    with pytest.raises(Invalid, match="archive-path"):
        list(untar_gz(tarred((member, b""))))


def test_a_tar_archive_is_bounded() -> None:
    many = [(kept_as(f"{n}"), b"") for n in range(12)]
    with pytest.raises(Invalid, match="archive-too-many"):
        list(untar_gz(tarred(*many), members=10))
    with pytest.raises(Invalid, match="archive-names"):
        list(untar_gz(tarred((kept_as("a"), b"1"), (kept_as("a"), b"2"))))
    with pytest.raises(Invalid, match=r"archive-too-large|archive-ratio"):
        list(untar_gz(tarred((kept_as("a"), bytes(9_000_000))), limit_bytes=8_000_000))
    with pytest.raises(Invalid, match="archive-damaged"):
        list(untar_gz(gzip.compress(b"not a tar archive at all")))
