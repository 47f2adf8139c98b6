"""What kinds of finding does validation make, and in which words?

Every finding names its place, its kind (what an establishment may choose to block or to let pass)
and the key of the rule it comes from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from liane.base.errors import Issue, Severity

Kind = Literal[
    "structure",
    "cardinality",
    "type",
    "binding",
    "extensible",
    "invariant",
    "best-practice",
    "target",
    "reference",
    "extension",
    "profile",
    "unknown-profile",
    "terminology",
]
KINDS: tuple[Kind, ...] = Kind.__args__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Finding(Issue):
    """One finding, with its kind and the rule it breaks."""

    kind: Kind = "structure"
    rule: str = ""
    """`obs-6`, `min`, `max`, `binding`, `slice`, ... or the URL of a profile it is not found by."""
    profile: str = ""
    """The profile that asks for it; empty for R4 itself."""


def finding(
    kind: Kind,
    rule: str,
    path: str,
    fr: str,
    en: str,
    *,
    code: str = "invalid",
    severity: Severity = "error",
    profile: str = "",
) -> Finding:
    """A finding, its rule key shown behind the sentence."""
    shown = f" ({rule})" if rule else ""
    return Finding(severity, code, path, fr + shown, en + shown, kind, rule, profile)


def of_profile(one: Finding, profile: str) -> Finding:
    """The same finding, made because of a profile."""
    if one.profile:
        return one
    name = profile.rpartition("/")[2]
    return replace(
        one,
        fr=f"{one.fr} [profil {name}]",
        en=f"{one.en} [profile {name}]",
        kind="profile" if one.severity in ("error", "fatal") else one.kind,
        profile=profile,
    )


def too_few(path: str, least: int, count: int) -> Finding:
    """Fewer repetitions than asked for."""
    return finding(
        "cardinality",
        "min",
        path,
        f"au moins {least} attendu, {count} trouvé",
        f"at least {least} expected, {count} found",
        code="required",
    )


def too_many(path: str, most: int, count: int) -> Finding:
    """More repetitions than allowed."""
    return finding(
        "cardinality",
        "max",
        path,
        f"au plus {most} permis, {count} trouvé",
        f"at most {most} allowed, {count} found",
        code="structure",
    )


def wrong_code(path: str, code: str, value_set: str, *, required: bool) -> Finding:
    """A code outside the value set it is bound to."""
    shown = code[:64]
    if required:
        return finding(
            "binding",
            "binding",
            path,
            f"le code « {shown} » n’est pas dans la liste obligatoire {value_set}",
            f"the code '{shown}' is not in the required value set {value_set}",
            code="code-invalid",
        )
    return finding(
        "extensible",
        "binding",
        path,
        f"le code « {shown} » n’est pas dans la liste {value_set}, à étendre seulement si besoin",
        f"the code '{shown}' is not in the value set {value_set}, to extend only where needed",
        code="code-invalid",
        severity="warning",
    )


def wrong_type(path: str, found: str, allowed: str) -> Finding:
    """A value of a type that is not allowed there."""
    return finding(
        "type",
        "type",
        path,
        f"le type {found[:64]} n’est pas permis ici ({allowed})",
        f"the type {found[:64]} is not allowed here ({allowed})",
        code="structure",
    )


def wrong_target(path: str, found: str, allowed: str) -> Finding:
    """A reference to a type that is not allowed there."""
    return finding(
        "target",
        "target",
        path,
        f"une référence vers {found[:64]} n’est pas permise ici ({allowed})",
        f"a reference to {found[:64]} is not allowed here ({allowed})",
        code="value",
    )


def unequal(path: str, rule: str, expected: str) -> Finding:
    """A value that is not the fixed one, or does not fit the pattern."""
    return finding(
        "type",
        rule,
        path,
        f"la valeur attendue est {expected[:200]}",
        f"the value expected is {expected[:200]}",
        code="value",
    )


def broken(key: str, path: str, human: str, *, severity: str) -> Finding:
    """A broken invariant, in the words of its definition."""
    level: Severity = "error" if severity == "error" else "warning"
    kind: Kind = "invariant" if level == "error" else "best-practice"
    sentence = " ".join(human.split())[:300]
    return finding(
        kind,
        key,
        path,
        f"règle non respectée : {sentence}",
        f"rule not kept: {sentence}",
        code="invariant",
        severity=level,
    )
