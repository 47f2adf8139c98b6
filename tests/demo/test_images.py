"""The images of the demonstration: readable by the library, sent to an independent receiver."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    MRImageStorage,
    UltrasoundImageStorage,
)

from liane.demo.doors import Address
from liane.demo.images import STUDIES, study_of
from liane.demo.people import present
from liane.demo.storage_scu import RefusedAssociationError, StorageLine

NOW = datetime(2026, 11, 22, 2, 12, tzinfo=UTC)
CLASSES = [
    ComputedRadiographyImageStorage,
    CTImageStorage,
    MRImageStorage,
    UltrasoundImageStorage,
]


def study(name):
    jeanne = present(NOW.date())[12]
    assert jeanne.stay is not None
    return study_of(jeanne, name, 0, NOW, jeanne.stay.unit)


@pytest.mark.parametrize("name", STUDIES)
def test_each_picture_is_readable_and_says_whose_it_is(name):
    made = study(name)
    instances = [dcmread(BytesIO(one)) for one in made.instances]
    assert len({one.SOPInstanceUID for one in instances}) == STUDIES[name].slices
    assert {str(one.StudyInstanceUID) for one in instances} == {made.uid}
    assert {len(str(one.StudyInstanceUID)) <= 64 for one in instances} == {True}
    for one in instances:
        assert str(one.PatientName) == "DUBREUIL^Jeanne"
        assert one.PatientID == "0004812337"
        assert one.SpecificCharacterSet == "ISO_IR 192"
        assert one.SOPClassUID == STUDIES[name].sop_class
        pixels = one.pixel_array
        assert pixels.shape == (one.Rows, one.Columns)
        assert np.ptp(pixels) > 100


def test_a_scanner_slice_holds_air_fat_muscle_and_bone():
    one = dcmread(BytesIO(study("abdomen").instances[4]))
    values = one.pixel_array
    assert values.min() < -900
    assert values.max() > 250
    assert ((values > 0) & (values < 120)).mean() > 0.1


def test_the_same_study_has_the_same_bytes():
    assert study("chest").instances == study("chest").instances


@pytest.fixture
def receiver():
    """An independent storage provider (pynetdicom) and what it was given."""
    taken = []

    def store(event):
        taken.append((event.context.abstract_syntax, event.request.DataSet.getvalue()))
        return 0x0000

    machine = AE(ae_title="LIANE")
    for sop_class in CLASSES:
        machine.add_supported_context(sop_class, "1.2.840.10008.1.2.1")
    machine.maximum_pdu_size = 4096
    server = machine.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)]
    )
    yield Address("127.0.0.1", server.server_address[1]), taken
    server.shutdown()


async def test_an_independent_receiver_takes_every_picture_bit_for_bit(receiver):
    door, taken = receiver
    line = StorageLine(door, "LIANE", "DEMO_RIS")
    files = [*study("chest").instances, *study("brain").instances[:2]]
    for file in files:
        assert await line.store(file) == "0000"
    await line.close()
    assert [len(dataset) for _, dataset in taken] == [
        len(file) - 144 - int.from_bytes(file[140:144], "little") for file in files
    ]
    for (_, dataset), file in zip(taken, files, strict=True):
        assert file.endswith(dataset)


async def test_a_line_that_broke_is_opened_again(receiver):
    door, taken = receiver
    line = StorageLine(door, "LIANE", "DEMO_RIS")
    [file] = study("chest").instances
    await line.store(file)
    line._hang_up()
    assert await line.store(file) == "0000"
    await line.close()
    assert len(taken) == 2


async def test_a_kind_of_picture_that_is_not_accepted_is_said_so():
    machine = AE(ae_title="LIANE")
    machine.add_supported_context(CTImageStorage, "1.2.840.10008.1.2.1")
    server = machine.start_server(("127.0.0.1", 0), block=False)
    try:
        line = StorageLine(Address("127.0.0.1", server.server_address[1]), "LIANE", "DEMO")
        with pytest.raises(RefusedAssociationError):
            await line.store(study("chest").instances[0])
    finally:
        await asyncio.to_thread(server.shutdown)
