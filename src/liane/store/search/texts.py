"""Which rows hold a text, a URI or words? (R4 sections 3.1.1.4.8 and 3.1.1.4.14)"""

from __future__ import annotations

from liane.base.text import fold
from liane.store.keys import TEXT_LIMIT, WORDED, folded_text
from liane.store.search import bodies
from liane.store.search.asking import Asking
from liane.store.search.refusals import wrong_value
from liane.store.search.separators import unescape
from liane.store.search.sqltext import Arguments
from liane.store.search.tokens import liked
from liane.store.search.ways import TENANT, Condition, hashed_condition

MOST_WORDED = 2_000_000_000
"""No limit: a row that is left out would be a wrong answer."""


def string(asking: Asking) -> Condition:
    """A string begins with the value; `:contains`, `:exact` and what `_filter` asks."""
    modifier = asking.criterion.modifier
    if modifier == "exact":
        return _exact(asking)
    sounding = asking.criterion.param == "phonetic"
    folded = [folded_text(value, sounding=sounding) for value in asking.criterion.values]
    if not all(folded):
        raise wrong_value(asking.criterion.param, "", "un texte", "a text")
    return _filed(asking.keys("t"), folded, modifier or "starts")


def _filed(hashes: list[int], wanted: list[str], form: str) -> Condition:
    """Rows found in the table of texts, exactly."""

    def way(a: Arguments) -> str:
        tests = [compared(a, "value", text, form) for text in wanted]
        return (
            f"select rid from record.ix_text where tenant = {TENANT} and "  # noqa: S608
            f"h = any({a.add(hashes, 'bigint[]')}) and ({' or '.join(tests)})"
        )

    return Condition(None, way)


def compared(a: Arguments, column: str, text: str, form: str) -> str:
    """Whether a column begins with, contains, ends with or equals a text."""
    if form == "contains":
        return f"{column} like {a.add(f'%{liked(text)}%', 'text')}"
    if form == "ends":
        return f"{column} like {a.add(f'%{liked(text)}', 'text')}"
    if form == "equal":
        return f"{column} = {a.add(text, 'text')}"
    return begins(a, column, text)


def begins(a: Arguments, column: str, prefix: str) -> str:
    """A range of the index: everything that begins with the prefix."""
    after = prefix[:-1] + chr(min(ord(prefix[-1]) + 1, 0x10FFFF))
    if 0xD800 <= ord(after[-1]) <= 0xDFFF:
        after = prefix[:-1] + "\ue000"
    return f"({column} >= {a.add(prefix, 'text')} and {column} < {a.add(after, 'text')})"


def _exact(asking: Asking) -> Condition:
    exact = [h for value in asking.criterion.values for h in asking.keys("x", value)]
    sounding = asking.criterion.param == "phonetic"
    folded = [folded_text(value, sounding=sounding) for value in asking.criterion.values]
    hashes = asking.keys("t")

    def way(a: Arguments) -> str:
        return (
            f"select rid from record.ix_text where tenant = {TENANT} and "  # noqa: S608
            f"h = any({a.add(hashes, 'bigint[]')}) and value = any({a.add(folded, 'text[]')})"
        )

    return Condition(hashed_condition(exact, None).test, way)


def uri(asking: Asking) -> Condition:
    """A URI as a whole; `:below` all under it, `:above` all that it lies under."""
    values = list(asking.criterion.values)
    match asking.criterion.modifier:
        case "below":
            return _below(asking, values)
        case "above":
            values = [part for value in values for part in _ancestors(value)]
        case "contains" | "ends" | "starts" as form:
            return _filed(asking.keys("ut"), [v[:TEXT_LIMIT] for v in values], form)
    hashes = [h for value in values for h in asking.keys("u", value)]
    return hashed_condition(hashes, hashes)


def _ancestors(value: str) -> list[str]:
    """The URI and every path it lies under; a URN has none."""
    if value.startswith("urn:"):
        return [value]
    parts = value.rstrip("/").split("/")
    found = [value] if value.endswith("/") else []
    for length in range(1, len(parts) + 1):
        found += ["/".join(parts[:length]), "/".join(parts[:length]) + "/"]
    return found


def _below(asking: Asking, values: list[str]) -> Condition:
    bases = [value.rstrip("/") for value in values]
    if asking.criterion.param.startswith("_"):

        def test(a: Arguments, row: str) -> str:
            tests = " or ".join(
                f"v = {a.add(base, 'text')} or starts_with(v, {a.add(base + '/', 'text')})"
                for base in bases
            )
            query = bodies.plain(asking.known, row)
            return f"exists (select from ({query}) q where {tests})"

        return Condition(test)
    hashes = asking.keys("ut")

    def way(a: Arguments) -> str:
        tests = [
            f"value = {a.add(base[:TEXT_LIMIT], 'text')} or {begins(a, 'value', f'{base}/')}"
            for base in bases
        ]
        return (
            f"select rid from record.ix_text where tenant = {TENANT} and "  # noqa: S608
            f"h = any({a.add(hashes, 'bigint[]')}) and ({' or '.join(tests)})"
        )

    return Condition(None, way)


def whole(asking: Asking) -> Condition:
    """`_content` (all words of a resource) and `_text` (those of its narrative)."""
    values = [fold(unescape(value)) for value in asking.criterion.values]
    if not all(values):
        raise wrong_value(asking.criterion.param, "", "des mots", "words")
    narrative = asking.criterion.param == "_text"
    if asking.type not in WORDED or narrative:
        return _in_the_body(
            values, narrative=narrative, filed=asking.type in WORDED, type_=asking.type
        )
    return _filed_words(values, asking.type)


def _filed_words(values: list[str], type_: str) -> Condition:
    text = " or ".join(values)

    def way(a: Arguments) -> str:
        wanted = f"websearch_to_tsquery('french', {a.add(text, 'text')})"
        return f"select record.find_words({wanted}, {a.add(type_, 'text')}, {MOST_WORDED})"

    def test(a: Arguments, row: str) -> str:
        return (
            f"exists (select from record.content c where c.rid = {row}.rid and c.words @@ "
            f"websearch_to_tsquery('french', {a.add(text, 'text')}))"
        )

    return Condition(test, way)


def _in_the_body(values: list[str], *, narrative: bool, filed: bool, type_: str) -> Condition:
    """Types whose words are not filed, and the narrative alone: the text itself is read."""

    def test(a: Arguments, row: str) -> str:
        path = '\'$."text"."div"\'' if narrative else "'$.** ? (@.type() == \"string\")'"
        read = (
            "select regexp_replace(string_agg(x #>> '{}', ' '), '<[^>]*>|&[a-z#0-9]+;', ' ', 'g') "  # noqa: S608
            f"as v from jsonb_path_query(record.parsed({row}.body), {path}::jsonpath) x"
        )
        tests = " or ".join(
            "(" + " and ".join(_word(a, word) for word in value.split()) + ")" for value in values
        )
        return f"exists (select from ({read}) q where {tests})"

    leading = _filed_words(values, type_).way if filed else None
    return Condition(test, leading)


def _word(a: Arguments, word: str) -> str:
    return f"' ' || record.folded(v) || ' ' like {a.add(f'% {liked(word)}%', 'text')}"
