"""Does the tokenizer keep every byte and read every value as the sender meant it?"""

from __future__ import annotations

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liane.base.errors import Invalid
from liane.gateways.hl7v2 import batches, codec, escapes

from .shared import each_message_file

pytestmark = pytest.mark.unit

MESSAGE = (
    b"MSH|^~\\&|SIL|CHU|LIANE|GHT|20260301101500||ORU^R01^ORU_R01|42|P|2.5|||||FRA|UNICODE UTF-8\r"
    b"PID|1||8000000042^^^CHU&1.2.250.1.999.1.1&ISO^PI~42^^^LABO||L'HERMINE^Z\xc3\xa9lie||19480314|F\r"
    b'OBX|1|TX|X^Texte||premi\\T\\re ligne\\.br\\seconde \\F\\ fin||""|\r'
)


@pytest.mark.parametrize("path", each_message_file())
def test_every_shared_message_keeps_its_bytes(path):
    data = path.read_bytes()
    delivery = batches.split(data)
    for raw in delivery.messages:
        message = codec.parse(raw)
        assert message.encode() == raw
        assert message.code
    if not delivery.is_batch:
        assert delivery.messages == (data,)


@pytest.mark.parametrize("path", each_message_file())
def test_every_shared_message_reads_as_the_oracle_reads_it(path):
    for raw in batches.split(path.read_bytes()).messages:
        message = codec.parse(raw)
        if len(raw) > 60_000 or message.flags not in ((), ("byte-order-mark",)):
            continue
        text = message.raw[len(message.prefix) :].decode(message.encoding)
        oracle = hl7.parse("\r".join(text.splitlines()))
        assert [s.name for s in message.segments] == [str(s[0]) for s in oracle]
        for ours, theirs in zip(message.segments, oracle, strict=True):
            for number in range(1, len(theirs)):
                assert ours[number].strip() == str(theirs(number)).strip(), (ours.name, number)


def test_values_components_and_repetitions():
    message = codec.parse(MESSAGE)
    pid = message.segment("PID")
    assert message.kind == "ORU^R01"
    assert message.control_id == "42"
    assert pid.get(3) == "8000000042"
    assert pid.get(3, 4, 2) == "1.2.250.1.999.1.1"
    assert [r.get() for r in pid.repetitions(3)] == ["8000000042", "42"]
    assert pid.get(5, 2) == "Zélie"
    assert pid.get(40) == ""
    assert message.header[1] == "|"
    assert message.header[2] == "^~\\&"


def test_escapes_are_decoded_after_splitting_and_once():
    obx = codec.parse(MESSAGE).segment("OBX")
    assert obx.whole(5) == "premi&re ligne\nseconde | fin"
    assert obx.erases(7)
    assert obx.get(7) == ""


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"\E\F\E\ ", r"\F\ "),  # decoded once: the result of one sequence never forms another
        (r"\X0D\PID", "\rPID"),
        (r"\XC3A9\t\XC3A9\ ", "été "),
        (r"50 \ 60", r"50 \ 60"),
        (r"\Zperso\ ", r"\Zperso\ "),
        (r"\H\gras\N\ ", "gras "),
        (r"\.sp3\x", "\n\n\nx"),
        (r"\.sp999999999\x", "\n" * 200 + "x"),
        (r"\X0\x", r"\X0\x"),
        ("fin \\", "fin \\"),
    ],
)
def test_one_escape(written, meant):
    assert escapes.unescape(written, escapes.STANDARD) == meant


def test_a_carriage_return_in_a_value_never_makes_a_segment():
    raw = MESSAGE.replace(b"premi", b"\\X0D\\PID|9||intrus")
    message = codec.parse(raw)
    assert [s.name for s in message.segments] == ["MSH", "PID", "OBX"]


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x0b\x1c\0")))
def test_what_is_escaped_reads_back(text):
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    field = escapes.escape(text, escapes.STANDARD)
    assert not set(field) & {"\r", "\n", "|"}
    assert escapes.unescape(field, escapes.STANDARD) == text


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_and_never_lost(noise):
    raw = b"MSH|^~\\&|A|B|C|D|20260101||ADT^A01|1|P|2.5\r" + noise
    message = codec.parse(raw)
    assert message.encode() == raw
    for segment in message.segments:
        for number in range(len(segment.fields)):
            for repetition in segment.repetitions(number):
                assert "\0" not in repetition.get()


@given(st.binary(max_size=60))
def test_any_header_is_read_or_refused(noise):
    raw = b"MSH" + noise
    try:
        message = codec.parse(raw)
    except Invalid as refusal:
        _speaks_both_languages(refusal)
    else:
        assert message.encode() == raw


def _speaks_both_languages(refusal):
    assert refusal.fr
    assert refusal.en


@given(
    st.lists(
        st.sampled_from([b"MSH|^~\\&|", b"FHS|", b"BHS|", b"PID|1", b"\r", b"\n", b"\r\n", b"x"])
    )
)
def test_a_delivery_is_cut_without_losing_a_byte(pieces):
    data = b"MSH|^~\\&|A\r" + b"".join(pieces)
    delivery = batches.split(data)
    assert sorted(delivery.messages + delivery.envelope) == sorted(
        piece for piece in _in_order(data, delivery)
    )


def _in_order(data, delivery):
    left = list(delivery.messages + delivery.envelope)
    while data:
        piece = max((p for p in left if data.startswith(p)), key=len)
        left.remove(piece)
        yield piece
        data = data[len(piece) :]
    assert not left


@pytest.mark.parametrize(
    ("declared", "body", "encoding", "flags"),
    [
        ("UNICODE UTF-8", "é".encode(), "utf-8", ()),
        ("8859/1", "é".encode("latin-1"), "iso-8859-1", ()),
        ("8859/1", "l’œil".encode("cp1252"), "cp1252", ("charset-windows",)),
        ("8859/15", "œ€".encode("iso8859-15"), "iso-8859-15", ()),
        ("", "é".encode(), "utf-8", ()),
        ("", "é".encode("latin-1"), "cp1252", ("charset-guessed",)),
        ("UNICODE UTF-8", "é".encode("latin-1"), "cp1252", ("charset-wrong", "charset-guessed")),
        ("KLINGON", "é".encode(), "utf-8", ("charset-unknown",)),
    ],
)
def test_the_character_set_is_the_one_declared_or_a_flagged_guess(declared, body, encoding, flags):
    raw = b"MSH|^~\\&|A||||||ADT^A01|1|P|2.5||||||" + declared.encode() + b"\rNTE|1||" + body
    message = codec.parse(raw)
    assert (message.encoding, message.flags) == (encoding, flags)
    assert message.encode() == raw


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\r",
        b"GET / HTTP/1.1\r\n",
        b"MSHA^~\\&",
        b"MSH|^^\\&|",
        b"MSH|aaaa|",
        b"MSH",
        b"MSH|^^||",
    ],
)
def test_what_is_not_hl7_is_refused_in_words(raw):
    with pytest.raises(Invalid) as refusal:
        codec.parse(raw)
    assert refusal.value.fr
    assert refusal.value.en


def test_other_delimiters_are_honoured_consistently():
    message = codec.parse(b"MSH!*~%:#!A!B!!!20260101!!ADT*A01!9!P!2.7\rPID!1!!55***X:1.2:ISO*PI\r")
    assert message.kind == "ADT^A01"
    assert message.segment("PID").get(3, 4, 2) == "1.2"
    assert message.delimiters.truncation == "#"


def test_a_line_of_text_continues_the_value_before_it():
    raw = (
        b"MSH|^~\\&|A||||||ORU^R01|1|P|2.5\nOBX|1|TX|X||ligne une\nligne deux\nOBX|2|TX|X||autre\n"
    )
    message = codec.parse(raw)
    assert [s.name for s in message.segments] == ["MSH", "OBX", "OBX"]
    assert message.segments[1].whole(5) == "ligne une\nligne deux"
    assert "continuation-line" in message.flags


def test_five_thousand_lines_are_cut_fast():
    import time

    line = b"OBX|%d|NM|718-7^Hemoglobine^LN||13.%d|g/dL|12-16|N|||F|||20260301101500\r"
    raw = MESSAGE + b"".join(line % (n, n % 10) for n in range(5000))
    started = time.process_time()
    message = codec.parse(raw)
    total = sum(len(s.get(5)) for s in message.all("OBX"))
    assert total
    # Processor time: another program may hold the machine meanwhile.
    assert time.process_time() - started < 0.5
