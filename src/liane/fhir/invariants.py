"""Which rules between several elements of a resource are broken? (R4 and FR Core invariants)

Each rule has the key the standard gives it, in the list of the type it belongs to. A rule looks
at one object and answers with an issue or None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from liane.base.errors import Severity
from liane.fhir.dates import interval
from liane.fhir.profiles.findings import Finding, Kind, finding

Json = dict[str, Any]
Rule = Callable[[Json, str], Finding | None]

_VALUE = re.compile(r"value[A-Z]")
_TAG = re.compile(r"<\s*/?\s*([A-Za-z][\w:-]*)((?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>")
_ATTRIBUTE = re.compile(r"([\w:-]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_NARRATIVE_TAGS = frozenset(
    {
        "a", "abbr", "acronym", "b", "big", "blockquote", "br", "caption", "cite", "code", "col",
        "colgroup", "dd", "dfn", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6",
        "hr", "i", "img", "li", "ol", "p", "pre", "q", "samp", "small", "span", "strong", "sub",
        "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "ul", "var",
    }
)  # fmt: skip
_NARRATIVE_ATTRIBUTES = frozenset(
    {
        "abbr", "accesskey", "align", "alt", "axis", "border", "cellhalign", "cellpadding",
        "cellspacing", "cellvalign", "char", "charoff", "charset", "cite", "class", "colspan",
        "compact", "coords", "dir", "frame", "headers", "height", "href", "hreflang", "hspace",
        "id", "lang", "longdesc", "name", "nowrap", "rel", "rev", "rowspan", "rules", "scope",
        "shape", "span", "src", "start", "style", "summary", "tabindex", "title", "type",
        "valign", "value", "vspace", "width", "xml:lang", "xmlns",
    }
)  # fmt: skip
_SAFE_TARGET = re.compile(
    r"\s*(?:https?:|mailto:|tel:|#|data:image/(?:png|jpeg|gif);|[^:]*$)", re.IGNORECASE
)


def _issue(key: str, path: str, french: str, english: str, level: Severity = "error") -> Finding:
    kind: Kind = "invariant" if level == "error" else "best-practice"
    return finding(kind, key, path, french, english, code="invariant", severity=level)


def _has_value(value: Json) -> bool:
    return any(_VALUE.match(name) for name in value)


def obs_6(value: Json, path: str) -> Finding | None:
    """A reason for absence only where the value is absent."""
    if "dataAbsentReason" in value and _has_value(value):
        return _issue(
            "obs-6",
            path,
            "dataAbsentReason n’est permis que sans valeur",
            "dataAbsentReason is only allowed where there is no value",
        )
    return None


def obs_7(value: Json, path: str) -> Finding | None:
    """A value of its own excludes a component of the same code."""
    if not _has_value(value):
        return None
    own = _codings(value.get("code", {}))
    for component in value.get("component", ()):
        if own & _codings(component.get("code", {})):
            return _issue(
                "obs-7",
                path,
                "un composant porte le même code que l’observation, qui a déjà une valeur",
                "a component has the code of the observation, which has a value of its own",
            )
    return None


def _codings(concept: Json) -> set[tuple[Any, Any]]:
    return {(c.get("system"), c.get("code")) for c in concept.get("coding", ())}


def obs_3(value: Json, path: str) -> Finding | None:
    """A reference range says something."""
    if not value.keys() & {"low", "high", "text"}:
        return _issue(
            "obs-3",
            path,
            "un intervalle de référence porte low, high ou text",
            "a reference range needs low, high or text",
        )
    return None


def pat_1(value: Json, path: str) -> Finding | None:
    """A contact of a patient says who or where."""
    if not value.keys() & {"name", "telecom", "address", "organization"}:
        return _issue(
            "pat-1",
            path,
            "un contact porte au moins un nom, un téléphone, une adresse ou une organisation",
            "a contact needs at least a name, a telecom, an address or an organization",
        )
    return None


def per_1(value: Json, path: str) -> Finding | None:
    """A period does not end before it starts."""
    start, end = value.get("start"), value.get("end")
    if start is None or end is None:
        return None
    try:
        turned = interval(start)[0] >= interval(end)[1]
    except ValueError:
        return None  # a day that the calendar does not have is told by itself
    if turned:
        return _issue("per-1", path, "la fin précède le début", "the end is before the start")
    return None


def ext_1(value: Json, path: str) -> Finding | None:
    """An extension has a value or extensions, not both."""
    if ("extension" in value) == _has_value(value):
        return _issue(
            "ext-1",
            path,
            "une extension porte soit une valeur, soit des extensions",
            "an extension has either a value or extensions",
        )
    return None


def qty_3(value: Json, path: str) -> Finding | None:
    """A coded unit names its system."""
    if "code" in value and "system" not in value:
        return _issue(
            "qty-3",
            path,
            "une unité codée indique son système",
            "a coded unit needs its system",
        )
    return None


def cpt_2(value: Json, path: str) -> Finding | None:
    """A contact value says what kind of contact it is."""
    if "value" in value and "system" not in value:
        return _issue(
            "cpt-2",
            path,
            "un moyen de contact indique sa nature (system)",
            "a contact value needs its system",
        )
    return None


def att_1(value: Json, path: str) -> Finding | None:
    """Data says what type of content it is."""
    if "data" in value and "contentType" not in value:
        return _issue(
            "att-1",
            path,
            "un contenu joint indique son type (contentType)",
            "attached data needs its contentType",
        )
    return None


def _status_codes(value: Json, name: str) -> set[Any]:
    return {code for _, code in _codings(value.get(name, {}))}


def ait_1_2(value: Json, path: str) -> Finding | None:
    """Clinical status of an allergy: present unless entered in error, absent then."""
    in_error = "entered-in-error" in _status_codes(value, "verificationStatus")
    if in_error and "clinicalStatus" in value:
        return _issue(
            "ait-2",
            path,
            "une allergie saisie par erreur n’a pas de statut clinique",
            "an allergy entered in error has no clinical status",
        )
    if not in_error and "clinicalStatus" not in value:
        return _issue(
            "ait-1",
            path,
            "le statut clinique de l’allergie manque",
            "the clinical status of the allergy is missing",
        )
    return None


def con_4_5(value: Json, path: str) -> Finding | None:
    """Clinical status of a condition agrees with its end and its verification."""
    in_error = "entered-in-error" in _status_codes(value, "verificationStatus")
    if in_error and "clinicalStatus" in value:
        return _issue(
            "con-5",
            path,
            "un problème saisi par erreur n’a pas de statut clinique",
            "a condition entered in error has no clinical status",
        )
    ended = any(name.startswith("abatement") for name in value)
    if ended and not _status_codes(value, "clinicalStatus") & {"inactive", "resolved", "remission"}:
        return _issue(
            "con-4",
            path,
            "un problème terminé n’est plus actif",
            "a condition with an abatement is no longer active",
        )
    return None


def _words(div: str) -> bool:
    """Whether a reader sees something: words or a picture."""
    return "<img" in div or bool(_TAG.sub("", div).strip())


def txt_1(value: Json, path: str) -> Finding | None:
    """A narrative holds only plain formatting: nothing that runs, nothing that loads."""
    div = value.get("div", "")
    if not _words(div):
        return _issue("txt-2", f"{path}.div", "texte vide", "the narrative says nothing")
    tags = _TAG.findall(div)
    if len(tags) != div.count("<"):
        return _issue("txt-1", f"{path}.div", "texte mal formé", "malformed narrative")
    for tag, rest in tags:
        attributes = _ATTRIBUTE.findall(rest)
        named = {name.lower() for name, _ in attributes}
        unsafe = any(
            name.lower() in ("href", "src", "cite", "longdesc")
            and not _SAFE_TARGET.match(text[1:-1])
            for name, text in attributes
        )
        if tag.lower() not in _NARRATIVE_TAGS or named - _NARRATIVE_ATTRIBUTES or unsafe:
            return _issue(
                "txt-1",
                f"{path}.div",
                f"contenu actif ou interdit dans le texte (<{tag}>)",
                f"active or forbidden content in the narrative (<{tag}>)",
            )
    return None


_RELIABILITY = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-identity-reliability"
_BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
_INSEE = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-address-insee-code"
_INS_SYSTEMS = frozenset(f"urn:oid:1.2.250.1.213.1.4.{n}" for n in (8, 9, 10, 11))


def _is_validated(patient: Json) -> bool:
    for extension in patient.get("extension", ()):
        if extension.get("url") == _RELIABILITY:
            for part in extension.get("extension", ()):
                coding = part.get("valueCoding", {})
                if part.get("url") == "identityStatus" and coding.get("code") == "VALI":
                    return True
    return False


def fr_core_1_2(value: Json, path: str) -> Finding | None:
    """A validated French identity carries one official identifier, an INS (FR Core)."""
    if not _is_validated(value):
        return None
    official = [i for i in value.get("identifier", ()) if i.get("use") == "official"]
    if not any(i.get("system") in _INS_SYSTEMS for i in official):
        return _issue(
            "fr-core-1",
            f"{path}.identifier",
            "une identité au statut VALI porte un matricule INS officiel",
            "an identity of status VALI carries an official INS",
        )
    if len(official) != 1:
        return _issue(
            "fr-core-2",
            f"{path}.identifier",
            "une identité au statut VALI n’a qu’un identifiant officiel",
            "an identity of status VALI has one official identifier only",
        )
    return None


def fr_core_3(value: Json, path: str) -> Finding | None:
    """The INSi service never returns the birth place code 99999 (FR Core, warning)."""
    if not _is_validated(value):
        return None
    for extension in value.get("extension", ()):
        if extension.get("url") != _BIRTH_PLACE:
            continue
        for part in extension.get("valueAddress", {}).get("extension", ()):
            if part.get("url") == _INSEE and part.get("valueCoding", {}).get("code") == "99999":
                return _issue(
                    "fr-core-3",
                    f"{path}.extension",
                    "le code de commune 99999 ne vient pas du téléservice INSi",
                    "the municipality code 99999 cannot come from the INSi service",
                    "warning",
                )
    return None


_QUANTITIES = ("Quantity", "Age", "Count", "Distance", "Duration")
RULES: Mapping[str, tuple[Rule, ...]] = {
    "Observation": (obs_6, obs_7),
    "Observation.component": (obs_6,),
    "Observation.referenceRange": (obs_3,),
    "Patient": (fr_core_1_2, fr_core_3),
    "Patient.contact": (pat_1,),
    "AllergyIntolerance": (ait_1_2,),
    "Condition": (con_4_5,),
    "Period": (per_1,),
    "Extension": (ext_1,),
    "ContactPoint": (cpt_2,),
    "Attachment": (att_1,),
    "Narrative": (txt_1,),
    **dict.fromkeys(_QUANTITIES, (qty_3,)),
}

COVERED: frozenset[tuple[str, str]] = frozenset(
    {
        ("Observation", "obs-6"), ("Observation", "obs-7"), ("Observation.referenceRange", "obs-3"),
        ("Patient.contact", "pat-1"), ("AllergyIntolerance", "ait-1"),
        ("AllergyIntolerance", "ait-2"), ("Condition", "con-4"), ("Condition", "con-5"),
        ("Period", "per-1"), ("ContactPoint", "cpt-2"), ("Attachment", "att-1"),
        ("Narrative.div", "txt-1"), ("Narrative.div", "txt-2"), ("Reference", "ref-1"),
        *((name, "qty-3") for name in _QUANTITIES),
    }
)  # fmt: skip
"""Published rules, by table and key, that are checked by hand and not by their FHIRPath."""
