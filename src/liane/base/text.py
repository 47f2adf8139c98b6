"""How are words compared when people misspell, drop accents or write names as they sound?"""

from __future__ import annotations

import re
import unicodedata

_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "đ": "d", "ł": "l"})
_NOT_WORD = re.compile(r"[\s'’`´\-‐-―_.,;:/]+")
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_KEPT = {"\n", "\t"}


def visible(text: str) -> str:
    """`text` without controls, bidirectional marks, zero-width and unassigned characters.

    Line feeds and tabs stay. The result is normalised to NFC, so that equal names are equal.
    """
    if text.isascii() and text.isprintable():
        return text
    normal = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(c for c in normal if c in _KEPT or unicodedata.category(c) not in _INVISIBLE)


def fold(text: str) -> str:
    """Lower case, no accents, ligatures opened, blanks, hyphens and apostrophes as one space.

    `Cœur-de-l’Été` becomes `coeur de l ete`.
    """
    lower = text.lower()
    if not lower.isascii():
        spread = unicodedata.normalize("NFKD", visible(lower).translate(_LIGATURES))
        lower = "".join(c for c in spread if not unicodedata.combining(c)).lower()
    return _NOT_WORD.sub(" ", lower).strip()


def trigrams(text: str) -> set[str]:
    """Groups of three characters of each folded word, as PostgreSQL's pg_trgm makes them:
    two blanks before a word and one after it.
    """
    found: set[str] = set()
    for word in fold(text).split():
        padded = f"  {word} "
        found.update(padded[i : i + 3] for i in range(len(padded) - 2))
    return found


# Order matters: longer groups first. Rules of ordinary French spelling, written for names.
_SOUNDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"[^a-z]", ""),
        (r"(.)\1+", r"\1"),
        (r"^h|(?<=[^cps])h", ""),
        (r"eaux|eau|aux|aud$|ault$|aut$|au|ot$|os$|op$|ôt$", "o"),
        (r"ph", "f"),
        (r"bv", "v"),
        (r"sch|sh|ch", "S"),
        (r"gn", "N"),
        (r"ill(?=[aeiouy])", "y"),
        (r"qu|q|ck|c(?=[^eiyhS]|$)|k", "k"),
        (r"c(?=[eiy])|ss|z|ç|x$", "s"),
        (r"g(?=[eiy])|j", "J"),
        (r"gu(?=[eiy])", "g"),
        (r"w", "v"),
        (r"(?:ain|ein|aim|eim|yn|ym|in|im)(?![aeiouyn])", "I"),
        (r"(?:am|an|em|en)(?![aeiouynm])[dt]?$|(?:am|an|em|en)(?![aeiouynm])", "A"),
        (r"(?:om|on)(?![aeiouynm])[dt]?$|(?:om|on)(?![aeiouynm])", "O"),
        (r"(?:um|un)(?![aeiouynm])", "I"),
        (r"oeu|eu", "e"),
        (r"ou|oo", "u"),
        (r"oi|oy", "wa"),
        (r"ai|ei|ay|ey|er$|ez$|et$|é|è|ê", "e"),
        (r"y", "i"),
        (r"[dtspxlr]+$(?<=[dtspx])", ""),
        (r"(?<=..)es?(?=[^aeiou]|$)", ""),
        (r"(.)\1+", r"\1"),
    )
)


def phonetic_fr(text: str) -> str:
    """How each word of a name sounds in French, roughly; equal for `Dupont` and `Dupond`."""
    return " ".join(filter(None, (_sound(word) for word in fold(text).split())))


def _sound(word: str) -> str:
    for pattern, sound in _SOUNDS:
        word = pattern.sub(sound, word)
    return word.upper()
