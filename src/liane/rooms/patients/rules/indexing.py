"""What must be kept beside a Patient so that people find it, misspelt or mispronounced?"""

from __future__ import annotations

import hashlib
from typing import Any

from liane.base.text import fold, phonetic_fr

from . import identity

Resource = dict[str, Any]

NUMBERS_OF_PERSON = frozenset({"", "PI", "MR", "PT", "PE", "IPP", "INS"})
"""CX-5 types that name a person (and not a stay, an account or a card)."""


def type_code(identifier: Resource) -> str:
    """The code of Identifier.type, or ""."""
    codings = (identifier.get("type") or {}).get("coding") or []
    return next((str(c["code"]) for c in codings if c.get("code")), "")


def names_person(system: str, kind: str) -> bool:
    """Whether a number of this system and type may be used to find its person."""
    return system in identity.INS_SYSTEMS or kind in NUMBERS_OF_PERSON or kind.startswith("INS")


def numbers_of(patient: Resource) -> list[dict[str, str]]:
    """Every number of the patient that names the person, in the order given."""
    return [
        {
            "system": str(i.get("system", "")),
            "value": str(i["value"]),
            "type": type_code(i),
            "use": str(i.get("use", "")),
        }
        for i in patient.get("identifier") or []
        if i.get("value") and names_person(str(i.get("system", "")), type_code(i))
    ]


def digest_of(patient: Resource) -> str:
    """A fingerprint of what a source said, to know a repetition when it comes."""
    return hashlib.sha256(repr(sorted(patient.items())).encode()).hexdigest()[:32]


def words_of(*names: str) -> list[str]:
    """The words of names as people type them: folded, hyphens and apostrophes apart."""
    return [w for name in names for w in fold(name).replace("-", " ").replace("'", " ").split()]


def sounds_of(words: list[str]) -> list[str]:
    """How each word of two letters or more sounds, each sound once."""
    return sorted({phonetic_fr(word) for word in words if len(word) > 1} - {""})


def index_row(patient: Resource) -> dict[str, Any]:
    """The row of `patients.index` and the identifiers for a Patient resource."""
    traits = identity.traits_of(patient)
    names = (traits.birth_name, traits.used_name, traits.given, traits.used_given)
    words = list(dict.fromkeys(words_of(*names, *_other_given(patient))))
    numbers = numbers_of(patient)
    return {
        "patient": patient["id"],
        "birth_name": traits.birth_name,
        "used_name": traits.used_name,
        "given": traits.given,
        "used_given": traits.used_given,
        "birth_date": traits.birth_date,
        "sex": traits.sex,
        "birth_place": traits.birth_place,
        "status": identity.status_of(patient),
        "attributes": list(identity.attributes_of(patient)),
        "protected": identity.is_protected(patient),
        "deceased": bool(patient.get("deceasedDateTime") or patient.get("deceasedBoolean")),
        "ins": identity.ins_of(patient) or "",
        "ipps": [n["value"] for n in numbers if n["system"] not in identity.INS_SYSTEMS],
        "names": f" {' '.join(words)} ",
        "sounds": sounds_of(words),
        "numbers": _once(numbers),
    }


def _other_given(patient: Resource) -> list[str]:
    return [str(g) for g in (identity.name_of(patient, "official").get("given") or [])[1:]]


def _once(numbers: list[dict[str, str]]) -> list[dict[str, str]]:
    return list({(n["system"], n["value"]): n for n in numbers}.values())
