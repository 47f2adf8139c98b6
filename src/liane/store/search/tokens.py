"""Which rows have a code, an identifier or a truth value? (R4 section 3.1.1.4.10, token)"""

from __future__ import annotations

from liane.base.text import fold
from liane.store.search import bodies
from liane.store.search.asking import Asking
from liane.store.search.refusals import wrong_value
from liane.store.search.separators import split, unescape
from liane.store.search.sqltext import Arguments
from liane.store.search.ways import Condition, hashed_condition, none_of


def token(asking: Asking) -> Condition:
    """The condition, whatever the form."""
    match asking.criterion.modifier:
        case "text":
            return words(asking)
        case "code-text":
            return _code_text(asking)
        case "not":
            return none_of(_coded(asking, ""))
        case "of-type":
            return _coded(asking, ":of-type")
    return _coded(asking, "")


def system_and_code(value: str) -> tuple[str | None, str | None]:
    """`code` gives ("", code), `s|code` both, `|code` (None, code) and `s|` (s, None)."""
    parts = split(value, "|")
    if len(parts) == 1:
        return "", unescape(parts[0])
    system, code = unescape(parts[0]), "|".join(unescape(part) for part in parts[1:])
    return system or None, code or None


def _coded(asking: Asking, form: str) -> Condition:
    exact: list[int] = []
    leading: list[int] = []
    bare = True
    of = _Named(asking, form)
    for value in asking.criterion.values:
        system, code = system_and_code(value)
        if code is None and system in (None, ""):
            raise wrong_value(
                asking.criterion.param, value, "code, système|code, |code ou système|",
                "code, system|code, |code or system|",
            )  # fmt: skip
        if code is None:
            exact += of.keys("s", system)
            bare = False
            continue
        leading += of.keys("c", code)
        exact += of.keys("c", code) if system == "" else of.keys("sc", system, code)
    return hashed_condition(exact, leading if bare else None)


class _Named:
    """Keys of the parameter, or of its form `:of-type`, which is filed under a name of its own."""

    def __init__(self, asking: Asking, form: str) -> None:
        self.asking, self.form = asking, form

    def keys(self, form: str, *parts: str | None) -> list[int]:
        from liane.store.keys import key

        asking = self.asking
        names = [f"{name}{self.form}" for name in asking.names()]
        return [key(asking.tenant, asking.type, name, form, *parts) for name in names]


def words(asking: Asking) -> Condition:
    """`:text`: the words beside the code contain or begin with what is asked."""
    wanted = [fold(unescape(value)) for value in asking.criterion.values]
    if not all(wanted):
        raise wrong_value(asking.criterion.param, "", "un texte", "a text")

    def test(a: Arguments, row: str) -> str:
        patterns = [a.add(f"%{liked(text)}%", "text") for text in wanted]
        return bodies.any_like(bodies.words(asking.known, row), patterns)

    return Condition(test)


def _code_text(asking: Asking) -> Condition:
    wanted = [fold(unescape(value)) for value in asking.criterion.values]

    def test(a: Arguments, row: str) -> str:
        patterns = [a.add(f"{liked(text)}%", "text") for text in wanted]
        return bodies.any_like(bodies.codes(asking.known, row), patterns)

    return Condition(test)


def liked(text: str) -> str:
    """A text inside a LIKE pattern."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
