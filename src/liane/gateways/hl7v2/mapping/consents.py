"""What did the patient decide about the national shared record (ZFA)?

PAM.fr carries two separate decisions: whether documents may be added to the DMP (ZFA-9, 10), and
whether it may be read (ZFA-11, 12). Both are kept apart, with their date and their source.
"""

from __future__ import annotations

from typing import Any

from liane.base.ids import stable_id
from liane.base.text import visible
from liane.gateways.hl7v2.codec import Message
from liane.gateways.hl7v2.mapping.datatypes import Source, fhir_datetime, without_empty

Json = dict[str, Any]

DECISION = "https://liane.example/fhir/dmp-decision"
DMP_STATE = "https://liane.example/fhir/dmp-state"
KEY = "urn:liane:hl7v2:dmp-consent"
_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
_CATEGORY = "https://liane.example/fhir/dmp-consent"
_REFUSALS = frozenset({"OPP", "O", "INC", "NC", "REF"})
_NOT_COLLECTED = frozenset({"NA", ""})
_TEXTS = {"feeding": "Alimentation du DMP", "reading": "Consultation du DMP"}


def consents(message: Message, patient_id: str, source: Source) -> list[Json]:
    """A Consent for each of the two decisions that ZFA tells (NA: asked of nobody yet)."""
    zfa = message.segment("ZFA")
    if zfa is None:
        return []
    state = {"code": visible(zfa.get(1)), "at": fhir_datetime(zfa.get(2))}
    found = []
    for kind, place in (("feeding", 9), ("reading", 11)):
        code = visible(zfa.get(place)).upper()
        if code:
            at = fhir_datetime(zfa.get(place + 1)) or fhir_datetime(message.header.get(7))
            found.append(_consent(kind, code, at, patient_id, source, state))
    return found


def _consent(
    kind: str, code: str, at: str | None, patient_id: str, source: Source, state: Json
) -> Json:
    asked = code not in _NOT_COLLECTED
    extensions: list[Json] = [{"url": DECISION, "valueCode": code}]
    if state["code"]:
        inner = [{"url": "state", "valueCode": state["code"]}]
        if state["at"]:
            inner.append({"url": "since", "valueDateTime": state["at"]})
        extensions.append({"url": DMP_STATE, "extension": inner})
    return without_empty(
        {
            "resourceType": "Consent",
            "id": stable_id("Consent", patient_id, KEY, kind),
            "extension": extensions,
            "identifier": [{"system": KEY, "value": kind}],
            "status": "active" if asked else "proposed",
            "scope": {"coding": [{"system": _SCOPE, "code": "patient-privacy"}]},
            "category": [{"coding": [{"system": _CATEGORY, "code": kind}], "text": _TEXTS[kind]}],
            "patient": {"reference": f"Patient/{patient_id}"},
            "dateTime": at,
            "organization": [{"display": source.facility}] if source.facility else [],
            "policy": [
                {"uri": "https://www.legifrance.gouv.fr/codes/section_lc/LEGITEXT000006072665"}
            ],
            "provision": {"type": "deny" if code in _REFUSALS else "permit"} if asked else None,
        }
    )
