"""Is every real message of the shared test input answered, and applied or kept with a reason?"""

from __future__ import annotations

import collections

import pytest

from liane.gateways.hl7v2 import batches, codec

from .conftest import code
from .shared import SHARED, message_files


@pytest.mark.skipif(
    not message_files(), reason=f"shared data sets 'hl7v2-*' not found (LIANE_SHARED_DATA={SHARED})"
)
async def test_every_shared_file_is_answered_and_nothing_is_lost(running):
    sent = 0
    answers = collections.Counter()
    fates = []
    async with running.client() as sender:
        for path in message_files():
            data = path.read_bytes()
            delivery = batches.split(data)
            sent += len(delivery.messages)
            await sender.post(data)
            if all(codec.parse(raw).code == "ACK" for raw in delivery.messages):
                continue
            told = await sender.answer(30)
            assert told is not None, f"no answer to {path.name}"
            for ack in batches.split(told).messages:
                answers[code(codec.parse(ack))] += 1
    await sender.__aenter__()
    rows = await running.rows()
    for row in rows:
        fates.append((row["state"], row["reason_code"]))
        assert row["state"] in {"applied", "kept", "held", "failed", "answer"}, row["reason_fr"]
        assert bytes(row["raw"])
        if row["state"] in {"held", "failed", "kept"}:
            assert row["reason_fr"], row["kind"]
            assert row["reason_en"]
        assert row["reason_code"] != "hl7v2.own-fault", (row["kind"], row["reason_fr"])
    assert len(rows) == sent
    assert set(answers) <= {"AA", "AE"}
    assert answers["AA"] > answers["AE"]
    stored = collections.Counter(bytes(row["raw"]) for row in rows)
    for path in message_files():
        for raw in batches.split(path.read_bytes()).messages:
            assert stored[raw] >= 1, path.name
