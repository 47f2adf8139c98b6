"""What must a process do once it is ready, so that tidying memory never makes anybody wait?

Python looks through every object it holds from time to time, and everything stops meanwhile: with
the modules and tables of this product a tenth to a third of a second. What stands at the end of
the start-up stands until the end, so it need never be looked through again.
"""

from __future__ import annotations

import gc

YOUNG, MIDDLE, OLD = 10_000, 20, 20
"""Objects made before the youngest are looked through, and how many such rounds before the older
ones are: a message makes some ten thousand objects, nearly all gone with its answer."""


def settle() -> None:
    """Set what exists now aside for good; look through the rest less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
