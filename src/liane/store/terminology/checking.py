"""Does a code exist, does it belong to a value set, is its display right?

(R4 codesystem-operation-validate-code, valueset-operation-validate-code)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from liane.base.errors import Invalid, NotFound
from liane.base.text import fold
from liane.store.database import Tx
from liane.store.terminology import resolving
from liane.store.terminology.asking import System
from liane.store.terminology.composing import Part, parts_of
from liane.store.terminology.concepts import Concept
from liane.store.terminology.expanding import with_words
from liane.store.terminology.memory import UnknownSystem


@dataclass(frozen=True, slots=True)
class Coding:
    """A code as somebody writes it."""

    code: str
    system: str = ""
    version: str = ""
    display: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the check found; `fr` and `en` say why not, or warn."""

    result: bool
    fr: str = ""
    en: str = ""
    concept: Concept | None = None
    system: str = ""
    version: str = ""
    display: str = ""


async def in_code_system(
    tx: Tx, system: System, coding: Coding, *, language: str = "", abstract: bool = True
) -> Verdict:
    """Whether the code exists in the system."""
    if isinstance(system, UnknownSystem):
        return _unknown_system(system)
    concept = (await system.find(tx, [coding.code])).get(coding.code)
    if concept is None:
        return _no_such_code(system, coding)
    return await _judged(tx, system, coding, concept, (language, abstract, ""))


async def in_value_set(
    tx: Tx,
    value_set: dict[str, Any],
    codings: Sequence[Coding],
    *,
    language: str = "",
    abstract: bool = True,
) -> Verdict:
    """Whether one of the codings belongs to the value set; a code without system may be of any."""
    parts = await parts_of(tx, value_set)
    verdict = Verdict(False, "Aucun code n’a été donné.", "No code was given.")
    for coding in codings:
        verdict = await _in_parts(tx, parts, coding, (language, abstract))
        if verdict.result:
            return verdict
    if verdict.concept is None and not verdict.fr:
        name = str(value_set.get("url") or value_set.get("name") or "")
        return _not_in(codings[-1], name)
    return verdict


async def _in_parts(
    tx: Tx, parts: Sequence[Part], coding: Coding, how: tuple[str, bool]
) -> Verdict:
    refusal = Verdict(False)
    for part in parts:
        if coding.system not in ("", part.system):
            continue
        if coding.version and part.version and coding.version != part.version:
            continue
        system = await resolving.system(tx, part.system, part.version or coding.version)
        try:
            concept = await system.holds(tx, part.selection, coding.code)
        except Invalid as problem:
            refusal = Verdict(False, problem.fr, problem.en, system=part.system)
            continue
        if concept is not None:
            own = part.words.get(concept.code, "")
            return await _judged(tx, system, coding, concept, (*how, own))
    return refusal


async def member(tx: Tx, address: str, system: str, code: str) -> bool | None:
    """Whether the code belongs to the value set; None when that cannot be known here."""
    value_set = await resolving.value_set(tx, address)
    if value_set is None:
        return None
    try:
        parts = await parts_of(tx, value_set)
        unknown = False
        for part in parts:
            if system not in ("", part.system):
                continue
            try:
                found = await resolving.system(tx, part.system, part.version)
                if await found.holds(tx, part.selection, code) is not None:
                    return True
            except Invalid:
                unknown = True
    except (Invalid, NotFound):
        return None
    return None if unknown else False


async def _judged(
    tx: Tx, system: System, coding: Coding, concept: Concept, how: tuple[str, bool, str]
) -> Verdict:
    """The code is there: may it be used, and are the words right?"""
    language, abstract, own = how
    display = own or concept.display
    wordy = concept
    if language or (coding.display and fold(coding.display) != fold(display)):
        wordy = (await with_words(tx, system, [concept]))[0]
    if language and not own:
        display = wordy.called(language).display
    facts = (concept, system.header.url, system.header.version, display)
    if concept.abstract and not abstract:
        return Verdict(
            False,
            f"Le code « {concept.code} » est abstrait et ne peut pas être choisi.",
            f"The code '{concept.code}' is abstract and may not be chosen.",
            *facts,
        )
    accepted = {fold(text) for text in (own, concept.display, display)}
    accepted |= {fold(one.value) for one in wordy.designations}
    if coding.display and accepted - {""} and fold(coding.display) not in accepted:
        return Verdict(
            False,
            f"Le libellé « {coding.display[:200]} » n’est pas celui du code « {concept.code} » : "
            f"« {display[:200]} ».",
            f"The display '{coding.display[:200]}' is not that of the code '{concept.code}': "
            f"'{display[:200]}'.",
            *facts,
        )
    if concept.inactive:
        return Verdict(
            True,
            f"Le code « {concept.code} » n’est plus en usage.",
            f"The code '{concept.code}' is no longer in use.",
            *facts,
        )
    return Verdict(True, "", "", *facts)


def _unknown_system(system: System) -> Verdict:
    name = system.header.url[:200]
    return Verdict(
        False,
        f"Le système de codes « {name} » n’est pas connu ici : le code ne peut pas être vérifié.",
        f"The code system '{name}' is not known here: the code cannot be checked.",
        system=system.header.url,
    )


def _no_such_code(system: System, coding: Coding) -> Verdict:
    name, code = system.header.url[:200], coding.code[:100]
    if system.header.content in ("fragment", "example"):
        return Verdict(
            False,
            f"Le code « {code} » n’est pas dans la partie connue de « {name} ».",
            f"The code '{code}' is not in the part of '{name}' that is known.",
            system=system.header.url,
            version=system.header.version,
        )
    return Verdict(
        False,
        f"Le code « {code} » n’existe pas dans « {name} ».",
        f"The code '{code}' does not exist in '{name}'.",
        system=system.header.url,
        version=system.header.version,
    )


def _not_in(coding: Coding, name: str) -> Verdict:
    shown = f"{coding.system}#{coding.code}" if coding.system else coding.code
    return Verdict(
        False,
        f"Le code « {shown[:200]} » n’est pas dans le jeu de valeurs « {name[:200]} ».",
        f"The code '{shown[:200]}' is not in the value set '{name[:200]}'.",
        system=coding.system,
    )
