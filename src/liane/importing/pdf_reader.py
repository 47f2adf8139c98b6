"""Which words, or which pictures of pages, does this one PDF hold? (Run as a limited child.)"""

from __future__ import annotations

import sys
from pathlib import Path

import pypdfium2

SCALE = 200 / 72
"""200 dots an inch, which Tesseract reads well."""
LIMIT_SIDE_PIXELS = 4000
LIMIT_CHARACTERS = 400_000


def main() -> int:
    """`text FILE PAGES` prints the words; `pages FILE PAGES` writes page-0001.png beside it."""
    mode, name, most = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    document = pypdfium2.PdfDocument(name)
    written = 0
    for index in range(min(len(document), most)):
        page = document[index]
        if mode == "text":
            text = page.get_textpage().get_text_range()
            written += len(text)
            sys.stdout.buffer.write(text.encode("utf-8", "replace") + b"\n")
            if written > LIMIT_CHARACTERS:
                break
        else:
            side = max(page.get_size()) or 1
            scale = min(SCALE, LIMIT_SIDE_PIXELS / side)
            bitmap = page.render(scale=scale, grayscale=True)
            bitmap.to_pil().save(name.with_name(f"page-{index + 1:04}.png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
