"""How is a question refused, so that the one who asked can put it right?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from liane.base.errors import Invalid, Issue


class Unknown(Exception):
    """A parameter or a form of it that is not understood; lenient readers pass over it."""

    def __init__(self, refusal: Invalid) -> None:
        super().__init__(refusal.en)
        self.refusal = refusal


def refused(fr: str, en: str, names: Sequence[str] = ()) -> Invalid:
    """A question that cannot be answered, and why."""
    issue = Issue("error", "not-supported", ",".join(names), fr, en)
    return Invalid("search.not-understood", fr, en, issues=(issue,))


def unknown(where: str, name: str, accepted: Iterable[str]) -> Unknown:
    """`name` means nothing for `where`; the most similar of the accepted names come first."""
    shown = name[:80]
    listed = ", ".join(nearest(shown, accepted))
    return Unknown(
        refused(
            f"Le paramètre « {shown} » n'est pas compris pour {where}. Acceptés : {listed}.",
            f"The parameter '{shown}' is not understood for {where}. Accepted: {listed}.",
            [shown],
        )
    )


def wrong_modifier(where: str, name: str, modifier: str, accepted: Iterable[str]) -> Unknown:
    """The parameter exists, not this form of it."""
    listed = ", ".join(f":{one}" for one in nearest(modifier, accepted)) or "-"
    return Unknown(
        refused(
            f"« {name[:60]} » ({where}) n'a pas de forme « :{modifier[:40]} ». "
            f"Acceptées : {listed}.",
            f"'{name[:60]}' ({where}) has no form ':{modifier[:40]}'. Accepted: {listed}.",
            [f"{name[:60]}:{modifier[:40]}"],
        )
    )


def wrong_value(name: str, value: str, accepted_fr: str, accepted_en: str) -> Invalid:
    """The value is none that the parameter takes."""
    return refused(
        f"« {name[:60]} » : « {value[:60]} » n'est pas accepté. Attendu : {accepted_fr}.",
        f"'{name[:60]}': '{value[:60]}' is not accepted. Expected: {accepted_en}.",
        [name[:60]],
    )


def nearest(name: str, accepted: Iterable[str]) -> list[str]:
    """The accepted names, the most similar first, the others in order."""
    names = sorted(set(accepted))
    close = get_close_matches(name.partition(":")[0], names, 5, 0.5)
    return [*close, *(one for one in names if one not in close)]
