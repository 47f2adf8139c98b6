"""Who is this patient, said in the same order everywhere?

NOM DE NAISSANCE (nom utilisé) Prénom, sexe, date de naissance, âge; the status of the identity
(RNIV); the numbers. Names are never cut and never reduced to an initial.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from liane.base.i18n import HOSPITAL_ZONE

Resource = Mapping[str, Any]

STATUS_URL = "https://liane.example/fhir/identity-status"
ATTRIBUTE_URL = "https://liane.example/fhir/identity-attribute"
PROTECTED_URL = "https://liane.example/fhir/protected-identity"
INS_SYSTEMS = {f"urn:oid:1.2.250.1.213.1.4.{n}" for n in (8, 9, 10, 11)}
IPP_PREFIX = "urn:oid:1.2.250.1.999.1."
_SEX = {"male": "M", "female": "F"}


@dataclass(frozen=True, slots=True)
class Identity:
    """The traits of one patient as the banner says them."""

    id: str
    family: str
    used: str
    given: str
    used_given: str
    sex: str
    """F, M or I (indeterminate or unknown)."""
    born: date | None
    born_text: str
    died: datetime | None
    deceased: bool
    status: str
    """provisoire, recuperee, validee, qualifiee, or nothing when the sender said nothing."""
    attributes: tuple[str, ...]
    ipp: tuple[str, ...]
    has_ins: bool
    protected: bool

    @property
    def initials(self) -> str:
        """Two letters for the tile; never the only way a person is named."""
        return (self.family[:1] + self.given[:1]).upper()

    @property
    def one_line(self) -> str:
        """DUBREUIL (MOREL) Jeanne: for titles and messages."""
        used = f" ({self.used})" if self.used else ""
        return f"{self.family}{used} {self.given}".strip()


def identity_of(patient: Resource) -> Identity:
    """The identity of a FHIR Patient (FR Core shapes; plain R4 is understood too)."""
    birth, usual = _names(patient)
    family = str(birth.get("family", "")).upper()
    used = str(usual.get("family", "")).upper() if usual else ""
    given = _given(birth)
    used_given = _given(usual) if usual else ""
    born_text = str(patient.get("birthDate", ""))
    deceased = patient.get("deceasedDateTime")
    return Identity(
        id=str(patient.get("id", "")),
        family=family or str(birth.get("text", "")),
        used=used if used and used != family else "",
        given=given,
        used_given=used_given if used_given and used_given != given else "",
        sex=_SEX.get(str(patient.get("gender", "")), "I"),
        born=_date(born_text),
        born_text=born_text,
        died=_instant(deceased),
        deceased=bool(deceased) or patient.get("deceasedBoolean") is True,
        status=next(_codes(patient, STATUS_URL), ""),
        attributes=tuple(_codes(patient, ATTRIBUTE_URL)),
        ipp=tuple(_ipp(patient)),
        has_ins=ins_number(patient) is not None,
        protected=is_protected(patient),
    )


def ins_number(patient: Resource) -> str | None:
    """The national number (matricule INS), when there is one in use."""
    for identifier in patient.get("identifier", ()):
        if identifier.get("system") in INS_SYSTEMS and identifier.get("use") != "old":
            value = identifier.get("value")
            if value:
                return str(value)
    return None


def is_protected(patient: Resource) -> bool:
    """Whether the identity is protected (non-disclosure): hidden from corridors and desks."""
    if any(label.get("code") == "R" for label in patient.get("meta", {}).get("security", ())):
        return True
    return any(
        extension.get("url") == PROTECTED_URL and extension.get("valueBoolean") is True
        for extension in patient.get("extension", ())
    )


def _names(patient: Resource) -> tuple[Resource, Resource | None]:
    names = [name for name in patient.get("name", ()) if name.get("use") != "old"]
    birth = next((name for name in names if name.get("use") in ("official", "maiden")), None)
    usual = next((name for name in names if name.get("use") == "usual"), None)
    return birth or usual or (names[0] if names else {}), usual


def _given(name: Resource | None) -> str:
    return str((name or {}).get("given", [""])[0]) if (name or {}).get("given") else ""


def _codes(patient: Resource, url: str) -> Iterator[str]:
    for extension in patient.get("extension", ()):
        if extension.get("url") == url:
            yield str(extension.get("valueCode") or extension.get("valueString") or "")


def _ipp(patient: Resource) -> Iterator[str]:
    for identifier in patient.get("identifier", ()):
        codings = identifier.get("type", {}).get("coding", ())
        ours = str(identifier.get("system", "")).startswith(IPP_PREFIX)
        named = ours or any(coding.get("code") == "PI" for coding in codings)
        if named and identifier.get("use") != "old" and identifier.get("value"):
            yield str(identifier["value"])


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _instant(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=HOSPITAL_ZONE)
