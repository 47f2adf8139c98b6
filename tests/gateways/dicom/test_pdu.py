"""Is every DICOM message read as it was written, and every other byte string refused?"""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liane.gateways.dicom import command, pdu, registry
from liane.gateways.dicom.pdu import Malformed

CT = "1.2.840.10008.5.1.4.1.1.2"


def request(**changes):
    given_ = {
        "called": "LIANE",
        "calling": "SCANNER 1",
        "contexts": (
            pdu.ProposedContext(1, CT, (registry.EXPLICIT_LITTLE, registry.IMPLICIT_LITTLE)),
            pdu.ProposedContext(3, registry.VERIFICATION, (registry.IMPLICIT_LITTLE,)),
        ),
        "user": pdu.UserInformation(16384, "1.2.3", "TEST", (0, 1), ((CT, 1, 0),)),
    }
    return pdu.AssociateRequest(**{**given_, **changes})


def body(message: bytes) -> memoryview:
    return memoryview(message)[6:]


def test_an_association_request_comes_back_as_it_was_written():
    read = pdu.decode_associate_request(body(pdu.encode_associate_request(request())))
    wanted = request(called_field=b"LIANE".ljust(16), calling_field=b"SCANNER 1".ljust(16))
    assert read == wanted


def test_titles_with_control_signs_cannot_break_a_log_line():
    written = bytearray(pdu.encode_associate_request(request()))
    written[26:42] = b"EVIL\r\n\x1b[31mX    "
    assert pdu.decode_associate_request(body(bytes(written))).calling == "EVIL???[31mX"


@pytest.mark.parametrize("cut", range(1, 200, 3))
def test_a_request_cut_short_is_malformed(cut):
    written = pdu.encode_associate_request(request())
    with pytest.raises(Malformed):
        pdu.decode_associate_request(memoryview(written)[6:-cut])


@pytest.mark.parametrize(
    "contexts",
    [
        (),
        tuple(pdu.ProposedContext(1, CT, ("1.2",)) for _ in range(2)),
        (pdu.ProposedContext(2, CT, ("1.2",)),),
        (pdu.ProposedContext(1, CT, ()),),
        (pdu.ProposedContext(1, "1." * 40, ("1.2",)),),
    ],
    ids=["none", "same id twice", "even id", "no syntax", "UID too long"],
)
def test_contexts_that_break_the_rules_are_malformed(contexts):
    with pytest.raises(Malformed):
        pdu.decode_associate_request(body(pdu.encode_associate_request(request(contexts=contexts))))


def test_fragments_come_back_in_order():
    data = body(pdu.encode_fragment(1, b"abc", is_command=True)).tobytes()
    data += body(pdu.encode_fragment(3, b"", is_command=False, is_last=False)).tobytes()
    one, two = pdu.fragments(memoryview(data))
    assert (one.context, one.is_command, one.is_last, bytes(one.data)) == (1, True, True, b"abc")
    assert (two.context, two.is_command, two.is_last, bytes(two.data)) == (3, False, False, b"")


@pytest.mark.parametrize(
    "data",
    [b"", b"\0\0\0\1\1", b"\0\0\0\x01\x01\x03", b"\0\0\0\x09\x01\x03abc", b"\xff" * 12,
     b"\0\0\0\x02\x01\x07"],
    ids=["empty", "short", "length below 2", "longer than PDU", "4 GB", "unknown flags"],
)  # fmt: skip
def test_bad_fragments_are_malformed(data):
    with pytest.raises(Malformed):
        list(pdu.fragments(memoryview(data)))


def test_the_answer_to_a_command_names_message_class_and_instance():
    asked = command.Request(command.C_STORE_RQ, 7, CT, "1.2.3", has_data_set=True)
    data = command.encode_answer(asked, command.Answer(0xA700, "no room"))
    elements = command._elements(data)
    assert elements[0x0100] == b"\x01\x80"
    assert elements[0x0120] == b"\x07\x00"
    assert elements[0x0900] == b"\x00\xa7"
    assert elements[0x0902] == b"no room "
    assert elements[0x1000] == b"1.2.3\0"
    assert int.from_bytes(elements[0x0000], "little") == len(data) - 12


@settings(max_examples=3000, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_value_or_malformed(data):
    for read in (
        pdu.decode_associate_request,
        pdu.decode_abort,
        lambda view: list(pdu.fragments(view)),
        lambda view: command.decode(bytes(view)),
    ):
        with contextlib.suppress(Malformed):
            read(memoryview(data))


@settings(max_examples=3000, deadline=None)
@given(st.integers(0, 500), st.binary(min_size=1, max_size=8))
def test_a_request_with_altered_bytes_is_a_value_or_malformed(at, change):
    written = bytearray(pdu.encode_associate_request(request()))
    written[6 + at : 6 + at + len(change)] = change
    with contextlib.suppress(Malformed):
        pdu.decode_associate_request(memoryview(bytes(written))[6:])
