"""Are frames found in any stream, and is a hostile stream bounded?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liane.gateways.hl7v2.mllp import FrameParser, Outcome, frame

pytestmark = pytest.mark.unit


@given(
    st.lists(
        st.binary(max_size=50).map(
            lambda b: b"MSH|" + b.replace(b"\x1c", b"").replace(b"\x0b", b"")
        ),
        max_size=5,
    ),
    st.lists(st.integers(1, 30), max_size=40),
)
def test_frames_are_found_however_the_bytes_are_cut(messages, cuts):
    stream = b"\r\n".join(frame(m) for m in messages)
    parser = FrameParser()
    found = []
    for cut in cuts:
        found += parser.feed(stream[:cut])
        stream = stream[cut:]
    found += parser.feed(stream)
    assert [f.data for f in found] == messages
    assert not parser.inside


def test_a_lone_end_byte_in_a_value_does_not_cut_the_message():
    parser = FrameParser()
    found = parser.feed(b"\x0bMSH|a\x1cb\x1c\r")
    assert [f.data for f in found] == [b"MSH|a\x1cb"]


def test_the_last_return_may_be_missing():
    parser = FrameParser()
    assert parser.feed(b"\x0bMSH|a\x1c") == []
    assert parser.awaits_last_return
    assert [(f.outcome, f.data) for f in parser.finish()] == [(Outcome.FRAME, b"MSH|a")]


def test_two_frames_without_returns_between_them():
    found = FrameParser().feed(b"\x0bMSH|a\x1c\x0bMSH|b\x1c\r")
    assert [f.data for f in found] == [b"MSH|a", b"MSH|b"]


def test_a_sender_that_starts_again_is_understood():
    found = FrameParser().feed(b"\x0bMSH|moitie\x0bMSH|entier\x1c\r")
    assert [(f.outcome, f.data) for f in found] == [
        (Outcome.TRUNCATED, b"MSH|moitie"),
        (Outcome.FRAME, b"MSH|entier"),
    ]


def test_a_vertical_tab_inside_a_text_is_kept():
    found = FrameParser().feed(b"\x0bMSH|ligne\x0bsuite\x1c\r")
    assert [f.data for f in found] == [b"MSH|ligne\x0bsuite"]


def test_a_message_without_end_is_refused_at_the_limit():
    parser = FrameParser(limit_bytes=100_000)
    parser.feed(b"\x0bMSH|")
    found = []
    fed = 0
    while not parser.closed:
        found += parser.feed(b"x" * 10_000)
        fed += 10_000
    assert [f.outcome for f in found] == [Outcome.TOO_LARGE]
    assert fed <= 120_000
    assert parser.held_bytes == 0
    assert parser.feed(frame(b"MSH|")) == []


def test_noise_between_frames_is_borne_a_little_and_then_refused():
    parser = FrameParser()
    assert [f.data for f in parser.feed(b"\r\n\r\n" + frame(b"MSH|a"))] == [b"MSH|a"]
    found = []
    for _ in range(100):
        found += parser.feed(b"z" * 1000)
    assert [f.outcome for f in found] == [Outcome.NOISE]
    assert parser.closed
