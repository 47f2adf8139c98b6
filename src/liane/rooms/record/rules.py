"""Which rules decide how a received fact takes its place in the record? (Pure: no clock, no IO.)"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Any

from liane.base.errors import Invalid
from liane.base.ids import stable_id
from liane.fhir import json as fhir_json
from liane.store.resources import Version

Resource = dict[str, Any]


def place_in_record(resource: Resource, patient_id: str) -> None:
    """Give `resource` its subject and the id that its business key and patient decide.

    The patient is part of the key: a laboratory that uses a number again for another patient can
    never overwrite the first one's result.
    """
    kind = resource["resourceType"]
    if kind == "DocumentReference":
        resource["id"] = document_id(patient_id, _master_identifier(resource))
    else:
        resource["id"] = stable_id(kind, patient_id, *_business_key(resource))
    if kind == "Appointment":
        _add_participant(resource, patient_id)
    else:
        resource["subject"] = {"reference": f"Patient/{patient_id}"}


def document_id(patient_id: str, master_identifier: str) -> str:
    """The id of the DocumentReference that carries this master identifier for this patient."""
    return stable_id("DocumentReference", patient_id, master_identifier)


def _business_key(resource: Resource) -> tuple[str, str]:
    for identifier in resource.get("identifier", ()):
        if identifier.get("value"):
            return identifier.get("system", ""), identifier["value"]
    raise Invalid(
        "record.no-business-key",
        "Le message ne donne pas le numéro qui identifie ce résultat ou cette demande.",
        "The message does not give the number that identifies this result or order.",
        "Demandez à l'émetteur de remplir le numéro de demande (ORC-3 ou OBR-3).",
        "Ask the sender to fill in the order number (ORC-3 or OBR-3).",
    )


def _master_identifier(document: Resource) -> str:
    value = document.get("masterIdentifier", {}).get("value")
    if not value:
        raise Invalid(
            "record.no-document-identifier",
            "Le document n'a pas d'identifiant unique.",
            "The document has no unique identifier.",
            "Demandez à l'émetteur de remplir TXA-12 ou l'identifiant du CDA.",
            "Ask the sender to fill in TXA-12 or the CDA id.",
        )
    return str(value)


def _add_participant(appointment: Resource, patient_id: str) -> None:
    reference = f"Patient/{patient_id}"
    others = [
        participant
        for participant in appointment.get("participant", [])
        if participant.get("actor", {}).get("reference") != reference
    ]
    appointment["participant"] = [
        {"actor": {"reference": reference}, "status": "accepted"},
        *others,
    ]


def parsed(version: Version) -> Resource:
    """The resource of a stored version, without the parts that the store itself writes."""
    resource: Resource = fhir_json.loads(version.body)
    meta = {
        key: value
        for key, value in resource.get("meta", {}).items()
        if key not in ("versionId", "lastUpdated")
    }
    if meta:
        resource["meta"] = meta
    else:
        resource.pop("meta", None)
    return resource


Revision = Callable[[Version], Resource | None]
"""What becomes of a resource that is there already; None leaves it as it is."""


def result_revision(incoming: Resource) -> Revision:
    """A result takes the place of an earlier one unless it was issued before it."""

    def revise(held: Version) -> Resource | None:
        return None if is_stale(incoming, held) else incoming

    return revise


def report_revision(incoming: Resource) -> Revision:
    """A report keeps the results that only the former message named."""

    def revise(held: Version) -> Resource | None:
        return None if is_stale(incoming, held) else joined_report(parsed(held), incoming)

    return revise


def is_stale(incoming: Resource, known: Version | None) -> bool:
    """Whether what arrives was issued before what the record already holds.

    Only a strictly older `issued` is stale: equal times let a correction through.
    """
    if known is None or known.deleted:
        return False
    before = _instant(known.resource.get("issued"))
    now = _instant(incoming.get("issued"))
    return before is not None and now is not None and now < before


def _instant(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None


def joined_report(former: Resource, incoming: Resource) -> Resource:
    """The incoming report with the results that only the former message named.

    Laboratories send a report in several messages; a later one does not withdraw the results it
    does not repeat.
    """
    named = {reference["reference"] for reference in incoming.get("result", ())}
    missing = [
        reference
        for reference in former.get("result", ())
        if reference.get("reference") not in named
    ]
    results = [*missing, *incoming.get("result", ())]
    return {**incoming, **({"result": results} if results else {})}


def attachment(document: Resource, sha256: str, size: int, content_type: str) -> Resource:
    """The content element that points to a stored blob.

    R4 `Attachment.hash` is SHA-1 by definition; the SHA-256 that proves our bytes is the address.
    """
    given = (document.get("content") or [{}])[0]
    return {
        **given,
        "attachment": {
            **given.get("attachment", {}),
            "contentType": content_type,
            "url": f"blob:{sha256}",
            "size": size,
        },
    }


def decoded_base64(text: str, limit_bytes: int) -> bytes:
    """The bytes of a base64 text, spaces and line ends forgiven, size bounded.

    Raises `Invalid` when it is not base64 or would exceed `limit_bytes`.
    """
    compact = "".join(text.split())
    if len(compact) * 3 // 4 > limit_bytes:
        raise Invalid(
            "record.document.too-large",
            f"Le document joint dépasse {limit_bytes // 1048576} Mio.",
            f"The attached document exceeds {limit_bytes // 1048576} MiB.",
        )
    try:
        return base64.b64decode(compact, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid(
            "record.document.not-base64",
            "Le document joint n'est pas lisible (base64 abîmé).",
            "The attached document cannot be read (damaged base64).",
            "Demandez à l'émetteur de renvoyer le document.",
            "Ask the sender to send the document again.",
        ) from error
