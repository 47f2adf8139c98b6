"""What does one page of this PDF look like? (Run alone, in a child process with limits.)

Standard input: the PDF. Argument: the page, from 1. Standard output: the number of pages, a line
feed, one PNG picture.
"""

from __future__ import annotations

import io
import resource
import sys

MEMORY_BYTES = 1024 * 1024 * 1024
CPU_SECONDS = 15
WIDTH_PIXELS = 1240
MOST_PIXELS = 12_000_000
MOST_PAGES = 2000


def limit() -> None:
    """Little memory, little time, no file to write, no child."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> int:
    """Draw the page that the argument names."""
    import pypdfium2
    from PIL import Image  # noqa: F401 - loaded before the limits, used by to_pil

    number = int(sys.argv[1])
    data = sys.stdin.buffer.read()
    limit()
    document = pypdfium2.PdfDocument(data)
    pages = min(len(document), MOST_PAGES)
    if not 1 <= number <= pages:
        return 2
    page = document[number - 1]
    width, height = page.get_size()
    scale = min(WIDTH_PIXELS / max(width, 1), (MOST_PIXELS / max(width * height, 1)) ** 0.5)
    picture = page.render(scale=scale, may_draw_forms=False).to_pil()
    out = io.BytesIO()
    picture.convert("L" if _grey(picture) else "RGB").save(out, "PNG", optimize=False)
    sys.stdout.buffer.write(f"{pages}\n".encode() + out.getvalue())
    return 0


def _grey(picture: object) -> bool:
    small = picture.convert("RGB").resize((64, 64))  # type: ignore[attr-defined]
    return all(max(pixel) - min(pixel) < 12 for pixel in small.getdata())


if __name__ == "__main__":
    raise SystemExit(main())
