"""Do the codes of an element come from the value set it is bound to?"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from liane.fhir.profiles.findings import finding, wrong_code
from liane.fhir.profiles.visit import Question, Visit

Check = Callable[[Any, str, Visit], None]
_CURRENCIES = "urn:iso:std:iso:4217"
_CHECKED = ("required", "extensible")


def code_check(type_: str, strength: str, value_set: str) -> Check | None:
    """A check of one value of `type_`; None where nothing can be said."""
    if strength not in _CHECKED:
        return None
    if type_ in ("CodeableConcept", "CodeableReference"):
        return lambda value, path, visit: _concept(value, path, visit, strength, value_set)
    if type_ == "Coding":
        return lambda value, path, visit: _coding(
            value, path, visit, strength, value_set, named=True
        )
    if type_ in ("Quantity", "Age", "Duration", "Count", "Distance", "Money"):
        return lambda value, path, visit: _coding(value, path, visit, strength, value_set)
    if type_ in ("code", "string", "uri", "url", "canonical"):
        return lambda value, path, visit: _plain(value, path, visit, strength, value_set)
    return None


def _has(visit: Visit, value_set: str, system: str | None, code: str) -> bool | None:
    codes = visit.catalogue.terms.codes(value_set)
    if codes is None:
        return None
    answer = codes.has(system, code)
    if answer is None and _CURRENCIES in codes.open and (system or _CURRENCIES) == _CURRENCIES:
        return code in _currencies()
    return answer


@cache
def _currencies() -> frozenset[str]:
    from babel.numbers import list_currencies

    return frozenset(list_currencies())


def _plain(value: Any, path: str, visit: Visit, strength: str, value_set: str) -> None:
    if type(value) is not str:
        return
    answer = _has(visit, value_set, None, value)
    if answer is False:
        visit.issues.append(wrong_code(path, value, value_set, required=strength == "required"))


def _coding(
    value: Any, path: str, visit: Visit, strength: str, value_set: str, *, named: bool = False
) -> None:
    """A Coding (`named`: without its system a code means nothing) or a Quantity."""
    code = value.get("code") if type(value) is dict else None
    if type(code) is not str:
        return
    system = value.get("system")
    answer = False if named and system is None else _has(visit, value_set, system, code)
    if answer is None:
        _ask(visit, path, value_set, ((system, code),), strength)
    elif not answer:
        visit.issues.append(wrong_code(path, code, value_set, required=strength == "required"))


def _concept(value: Any, path: str, visit: Visit, strength: str, value_set: str) -> None:
    if type(value) is not dict:
        return
    codings = [
        (coding.get("system"), coding["code"])
        for coding in value.get("coding", ())
        if type(coding.get("code")) is str
    ]
    if not codings:
        if strength == "required" and "extension" not in value:
            visit.issues.append(
                finding(
                    "binding",
                    "binding",
                    path,
                    f"un code de la liste obligatoire {value_set} est attendu",
                    f"a code of the required value set {value_set} is expected",
                    code="code-invalid",
                )
            )
        return
    answers = [
        False if system is None else _has(visit, value_set, system, code)
        for system, code in codings
    ]
    if any(answers):
        return
    if None in answers:
        _ask(visit, path, value_set, tuple(codings), strength)
        return
    required = strength == "required"
    visit.issues.append(wrong_code(path, codings[0][1], value_set, required=required))


def _ask(
    visit: Visit,
    path: str,
    value_set: str,
    codings: tuple[tuple[str | None, str], ...],
    strength: str,
) -> None:
    visit.questions.append(Question(path, value_set, codings, strength, visit.profile))
