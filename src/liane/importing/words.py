"""Which words stand in a PDF or in a scan, so that a search finds them?

The bytes are hostile: they are opened by a child process with little memory and time. Scans are
read by Tesseract where it is installed; without it they are stored all the same, only unsearchable.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from liane.base.errors import LianeError
from liane.gateways.cda import codec

LIMIT_SECONDS = 60
LIMIT_MEMORY_BYTES = 1536 * 1024 * 1024
LIMIT_PAGES = 60
FEW_CHARACTERS = 40
"""A PDF with fewer is taken for a scan."""


@cache
def tesseract() -> str | None:
    """Where Tesseract is, or None."""
    return shutil.which("tesseract")


@cache
def _language() -> str:
    """French where its data is installed, else what Tesseract has."""
    program = tesseract()
    if program is None:
        return "eng"
    known = subprocess.run(  # noqa: S603 - a fixed program, found at the start
        [program, "--list-langs"], capture_output=True, timeout=LIMIT_SECONDS, check=False
    )
    return "fra" if b"fra" in known.stdout.split() else "eng"


def words_of(content: bytes, content_type: str, *, scans: bool = True) -> str:
    """The words of a document; empty when there are none or they cannot be read."""
    if content_type.startswith("text/plain"):
        return content.decode("utf-8", "replace")
    if content_type.endswith("xml"):
        return _clinical_document_text(content)
    if content_type != "application/pdf" and not content_type.startswith("image/"):
        return ""
    with tempfile.TemporaryDirectory(prefix="liane-words-") as name:
        folder = Path(name)
        if content_type == "application/pdf":
            text = _pdf_text(content, folder)
            if len(text.strip()) >= FEW_CHARACTERS or not scans or tesseract() is None:
                return text.strip()
            pages = _pdf_pages(content, folder)
        else:
            if not scans or tesseract() is None:
                return ""
            picture = folder / "picture"
            picture.write_bytes(content)
            pages = [picture]
        return "\n".join(filter(None, (_read_page(page) for page in pages)))


def _clinical_document_text(content: bytes) -> str:
    try:
        return codec.parse(content).text
    except LianeError:
        return ""


def _limited() -> None:
    """Runs in the child before its program does: little memory and time, after everyone else."""
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_MEMORY_BYTES, LIMIT_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_SECONDS, LIMIT_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _run(command: list[str]) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - fixed programs, file names of our own
            command,
            capture_output=True,
            timeout=LIMIT_SECONDS * 2,
            preexec_fn=_limited,
            check=False,
            env={"OMP_THREAD_LIMIT": "1", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        )
    except (subprocess.TimeoutExpired, OSError):
        return b""
    return done.stdout if done.returncode == 0 else b""


def _child(content: bytes, folder: Path, mode: str) -> bytes:
    source = folder / "document.pdf"
    if not source.exists():
        source.write_bytes(content)
    program = Path(__file__).with_name("pdf_reader.py")
    command = [sys.executable, "-I", str(program), mode, str(source), str(LIMIT_PAGES)]
    return _run(command)


def _pdf_text(content: bytes, folder: Path) -> str:
    return _child(content, folder, "text").decode("utf-8", "replace")


def _pdf_pages(content: bytes, folder: Path) -> list[Path]:
    _child(content, folder, "pages")
    return sorted(folder.glob("page-*.png"))


def _read_page(page: Path) -> str:
    program = tesseract()
    if program is None:
        return ""
    told = _run([program, str(page), "stdout", "-l", _language(), "--psm", "3"])
    return told.decode("utf-8", "replace").strip()
