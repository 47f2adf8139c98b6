"""How is a PDF from outside looked at without ever opening it in this process or in the browser?

A child process with little memory and little time turns one page into a picture. Whatever the PDF
does, only pixels come back. Pages are kept for a while, since people turn them back and forth.
"""

from __future__ import annotations

import asyncio
import sys
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from liane.base.errors import Invalid, Unavailable

CHILD = Path(__file__).with_name("pdf_child.py")
SECONDS = 20
KEPT_BYTES = 48 * 1024 * 1024
MOST_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page as a PNG picture, and how many pages the document has."""

    png: bytes
    pages: int


class Sheets:
    """Pages drawn lately."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int], Sheet] = OrderedDict()
        self._size = 0
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    async def page(self, sha256: str, pdf: bytes, number: int) -> Sheet:
        """Page `number` (from 1). Raises `Invalid` when it cannot be shown."""
        key = (sha256, number)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        async with self._turns:
            sheet = await _drawn(pdf, number)
        self._kept[key] = sheet
        self._size += len(sheet.png)
        while self._size > KEPT_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._size -= len(oldest.png)
        return sheet


async def _drawn(pdf: bytes, number: int) -> Sheet:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(CHILD),
        str(number),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )
    try:
        out, _ = await asyncio.wait_for(child.communicate(pdf), SECONDS)
    except TimeoutError as late:
        raise Unavailable(
            "record.pdf.slow",
            "Ce document est trop long à afficher.",
            "This document takes too long to show.",
            "Téléchargez le fichier d'origine.",
            "Download the original file.",
        ) from late
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    pages, _, png = out.partition(b"\n")
    if child.returncode or not png.startswith(b"\x89PNG") or not pages.isdigit():
        raise Invalid(
            "record.pdf.unreadable",
            "Ce document PDF est abîmé ou protégé : il ne peut pas être affiché.",
            "This PDF document is damaged or protected: it cannot be shown.",
            "Demandez à l'émetteur de le renvoyer, ou téléchargez le fichier d'origine.",
            "Ask the sender to send it again, or download the original file.",
        )
    return Sheet(png, int(pages))
