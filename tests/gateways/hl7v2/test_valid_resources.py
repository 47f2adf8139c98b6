"""Promise: what the messages of others become is valid R4 by the platform's own validation.

But for two things that are kept as they were sent, named below.
"""

from __future__ import annotations

import collections
from typing import Any

import pytest

from liane.fhir import json as fhir_json
from liane.fhir.validation import validate
from liane.gateways.hl7v2 import batches, codec

from .shared import SHARED, message_files

AS_SENT = (
    "Patient.identifier[0].type.coding[0].code: the code",
    "Patient.identifier[1].type.coding[0].code: the code",
    "DiagnosticReport.category[0].coding[0].code: the code",
    "Observation.valueCodeableConcept.coding[0].code: the code",
)
"""Words that senders wrote where a table of HL7 has a code: kept as they were sent."""
WITHOUT_BYTES = "DocumentReference.content: required element missing"
"""A document was announced and no byte of it came."""


async def faults(running: Any) -> dict[str, collections.Counter[str]]:
    """Every error of every resource of the record, by type."""
    found: dict[str, collections.Counter[str]] = {}
    async with running.database.reading() as tx:
        rows = await tx.fetch("select type, body from record.resource")
    for row in rows:
        counted = found.setdefault(row["type"], collections.Counter())
        for finding in validate(fhir_json.loads(row["body"])):
            told = f"{finding.path}: {finding.en}"
            if finding.severity == "error" and not told.startswith((*AS_SENT, WITHOUT_BYTES)):
                counted[told] += 1
    return found


@pytest.mark.skipif(
    not message_files(), reason=f"shared data sets 'hl7v2-*' not found (LIANE_SHARED_DATA={SHARED})"
)
async def test_every_resource_made_of_the_shared_messages_is_valid(running: Any) -> None:
    async with running.client() as sender:
        for path in message_files():
            data = path.read_bytes()
            await sender.post(data)
            if all(codec.parse(raw).code == "ACK" for raw in batches.split(data).messages):
                continue
            assert await sender.answer(30) is not None, path.name
    found = await faults(running)
    assert {"Patient", "Encounter", "Observation"} <= set(found)
    told = [f"{n} x {fault}" for counted in found.values() for fault, n in counted.items()]
    assert not told, "\n".join(told)
