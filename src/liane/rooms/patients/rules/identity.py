"""Who is this person, how sure are we, and may this message change what we know?

The rules of the French identity frame (RNIV): five strict traits, four statuses, three attributes.
An identity is *qualifiée* when its INS was obtained and its traits were validated; any change of a
strict trait takes that away at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stdnum.fr import nir

from liane.base.text import fold

Resource = dict[str, Any]

STATUS = "https://liane.example/fhir/identity-status"
ATTRIBUTE = "https://liane.example/fhir/identity-attribute"
PROTECTED = "https://liane.example/fhir/protected-identity"
BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
INSEE_CODE = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code"
INS_SYSTEMS = tuple(f"urn:oid:1.2.250.1.213.1.4.{n}" for n in (8, 9, 10, 11))
STATUSES = ("provisoire", "recuperee", "validee", "qualifiee")
ATTRIBUTES = ("homonyme", "douteuse", "fictive")
STRICT = ("birth_name", "given", "birth_date", "sex", "birth_place")


@dataclass(frozen=True, slots=True)
class Traits:
    """The strict traits, and the used name that people say aloud."""

    birth_name: str = ""
    given: str = ""
    birth_date: str = ""
    sex: str = ""
    birth_place: str = ""
    used_name: str = ""
    used_given: str = ""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A strict trait that a less trusted source says differently; ours is kept."""

    trait: str
    kept: str
    proposed: str


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The identity after a message, and what people must know about it."""

    patient: Resource
    status: str
    changed_traits: tuple[str, ...] = ()
    discrepancies: tuple[Discrepancy, ...] = ()
    warnings: tuple[str, ...] = ()


def name_of(patient: Mapping[str, Any], use: str) -> Mapping[str, Any]:
    """The name of that use; for the official one, the first name without use will do."""
    names = patient.get("name") or []
    for name in names:
        if name.get("use") == use:
            return dict(name)
    if use == "official":
        return next((dict(n) for n in names if n.get("use") in {None, "anonymous"}), {})
    return {}


def traits_of(patient: Mapping[str, Any]) -> Traits:
    """The traits of a Patient resource, as written."""
    birth, used = name_of(patient, "official"), name_of(patient, "usual")
    return Traits(
        birth_name=birth.get("family", ""),
        given=(birth.get("given") or [""])[0],
        birth_date=patient.get("birthDate", ""),
        sex=patient.get("gender", ""),
        birth_place=birth_place_of(patient),
        used_name=used.get("family", ""),
        used_given=(used.get("given") or [""])[0],
    )


def birth_place_of(patient: Mapping[str, Any]) -> str:
    """The INSEE code (COG) of the place of birth, or ""."""
    for extension in patient.get("extension") or []:
        if extension.get("url") == BIRTH_PLACE:
            for inner in (extension.get("valueAddress") or {}).get("extension") or []:
                if inner.get("url") == INSEE_CODE:
                    return str((inner.get("valueCoding") or {}).get("code", ""))
    return ""


def extension_codes(resource: Mapping[str, Any], url: str) -> tuple[str, ...]:
    """The codes of every extension of that address."""
    found = (e for e in resource.get("extension") or [] if e.get("url") == url)
    return tuple(e["valueCode"] for e in found if "valueCode" in e)


def status_of(patient: Mapping[str, Any]) -> str:
    """One of `STATUSES`; an identity that says nothing is provisional."""
    told = extension_codes(patient, STATUS)
    return told[0] if told and told[0] in STATUSES else "provisoire"


def trust(patient: Mapping[str, Any]) -> int:
    """How much the status vouches for the traits, 0 (provisoire) to 3 (qualifiée)."""
    return STATUSES.index(status_of(patient))


def attributes_of(patient: Mapping[str, Any]) -> tuple[str, ...]:
    """Homonyme, douteuse, fictive: those that apply."""
    return tuple(code for code in extension_codes(patient, ATTRIBUTE) if code in ATTRIBUTES)


def is_protected(patient: Mapping[str, Any]) -> bool:
    """Whether presence must not be disclosed (CSP R.1112-45)."""
    labels = (patient.get("meta") or {}).get("security") or []
    marked = any(
        e.get("url") == PROTECTED and e.get("valueBoolean") for e in patient.get("extension") or []
    )
    return marked or any(label.get("code") in {"R", "V"} for label in labels)


def ins_key_is_right(matricule: str) -> bool:
    """Whether 15 characters carry the right control key (97 - number mod 97; 2A, 2B known)."""
    return len(matricule) == 15 and nir.is_valid(matricule)


def ins_of(patient: Mapping[str, Any]) -> str | None:
    """The present INS, or None."""
    for identifier in patient.get("identifier") or []:
        known = identifier.get("system") in INS_SYSTEMS
        if known and identifier.get("use") not in {"old", "temp"}:
            return str(identifier.get("value", "")) or None
    return None


def with_status(patient: Resource, status: str) -> Resource:
    """The same patient at that status. *Qualifiée* without an INS is only *validée*."""
    if status == "qualifiee" and not ins_of(patient):
        status = "validee"
    others = [e for e in patient.get("extension") or [] if e.get("url") != STATUS]
    return {**patient, "extension": [*others, {"url": STATUS, "valueCode": status}]}


def differing(known: Traits, said: Traits) -> tuple[str, ...]:
    """Strict traits that both sides give and give differently (accents and case apart)."""
    return tuple(
        trait
        for trait in STRICT
        if getattr(known, trait)
        and getattr(said, trait)
        and fold(getattr(known, trait)) != fold(getattr(said, trait))
    )


def reconcile(
    known: Resource | None,
    said: Resource,
    *,
    provisional: bool = False,
    same_source: bool = False,
    older: bool = False,
) -> Reconciled:
    """What the identity is after `said`.

    `same_source`: the traits we hold came from this very source, which may correct itself.
    `older`: the message was made before the one our traits came from. A less trusted or older
    word never changes a strict trait; it leaves a discrepancy for the identity staff.
    """
    said, warnings = _checked_ins(said)
    told = extension_codes(said, STATUS)
    if known is None:
        patient = with_status(said, "provisoire" if provisional else status_of(said))
        return Reconciled(patient, status_of(patient), warnings=warnings)
    changes = differing(traits_of(known), traits_of(said)) + _other_ins(known, said)
    if changes and (older or not _may_change(known, said, same_source=same_source)):
        kept = _joined(known, _without_traits(said))
        gaps = tuple(_discrepancies(known, said, changes))
        return Reconciled(kept, status_of(kept), (), gaps, (*warnings, "discrepancy"))
    patient = _joined(known, said)
    status = _status_after(known, said, told, changes, same_source=same_source)
    if status_of(known) == "qualifiee" and status != "qualifiee":
        patient = _ins_retired(patient)
        warnings = (*warnings, "qualification-lost")
    patient = with_status(patient, status)
    return Reconciled(patient, status_of(patient), changes, warnings=warnings)


def _status_after(
    known: Resource,
    said: Resource,
    told: tuple[str, ...],
    changes: tuple[str, ...],
    *,
    same_source: bool,
) -> str:
    former, proposed = status_of(known), status_of(said)
    if changes:
        return proposed if told else "provisoire"
    if told and same_source:
        return proposed
    return max(former, proposed, key=STATUSES.index)


def _may_change(known: Resource, said: Resource, *, same_source: bool) -> bool:
    """Equal or higher trust may change traits; so may the source that gave them."""
    held = trust(known)
    return same_source or trust(said) >= held or held < STATUSES.index("validee")


def _other_ins(known: Resource, said: Resource) -> tuple[str, ...]:
    held, proposed = ins_of(known), ins_of(said)
    return ("ins",) if held and proposed and held != proposed else ()


def _discrepancies(
    known: Resource, said: Resource, changes: tuple[str, ...]
) -> Iterator[Discrepancy]:
    ours, theirs = traits_of(known), traits_of(said)
    for trait in changes:
        if trait == "ins":
            yield Discrepancy(trait, ins_of(known) or "", ins_of(said) or "")
        else:
            yield Discrepancy(trait, getattr(ours, trait), getattr(theirs, trait))


def _checked_ins(said: Resource) -> tuple[Resource, tuple[str, ...]]:
    """An INS whose key is wrong is kept as a mere mention, never as the INS."""
    wrong = [
        i
        for i in said.get("identifier") or []
        if i.get("system") in INS_SYSTEMS and not ins_key_is_right(str(i.get("value", "")))
    ]
    if not wrong:
        return said, ()
    marked = [{**i, "use": "temp"} if i in wrong else i for i in said["identifier"]]
    return {**said, "identifier": marked}, ("ins-key-wrong",)


def _ins_retired(patient: Resource) -> Resource:
    return {
        **patient,
        "identifier": [
            {**i, "use": "old"} if i.get("system") in INS_SYSTEMS else i
            for i in patient.get("identifier") or []
        ],
    }


def _without_traits(said: Resource) -> Resource:
    """What remains of a message whose strict traits are not to be taken."""
    names = [n for n in said.get("name") or [] if n.get("use") not in {None, "official"}]
    return {
        **{k: v for k, v in said.items() if k not in {"birthDate", "gender", "name"}},
        **({"name": names} if names else {}),
        "identifier": [
            i for i in said.get("identifier") or [] if i.get("system") not in INS_SYSTEMS
        ],
        "extension": [
            e for e in said.get("extension") or [] if e.get("url") not in {STATUS, BIRTH_PLACE}
        ],
    }


def _joined(known: Resource, said: Resource) -> Resource:
    """What was known, with what is said anew; nothing known is lost for not being repeated."""
    joined = {**known, **{k: v for k, v in said.items() if v not in (None, [], {}, "")}}
    joined["id"] = known["id"]
    joined["meta"] = {**said.get("meta", {}), **known.get("meta", {})}
    joined["identifier"] = _by(known, said, "identifier", lambda i: (i.get("system"), i["value"]))
    joined["name"] = _by(known, said, "name", lambda n: n.get("use") or "official")
    single = {STATUS, BIRTH_PLACE, PROTECTED}
    joined["extension"] = _by(
        known, said, "extension", lambda e: e["url"] if e["url"] in single else repr(e)
    )
    return {key: value for key, value in joined.items() if value not in (None, [], {})}


def _by(known: Resource, said: Resource, element: str, key: Any) -> list[Any]:
    rows = {key(row): row for row in known.get(element) or []}
    rows.update({key(row): {**rows.get(key(row), {}), **row} for row in said.get(element) or []})
    return list(rows.values())
