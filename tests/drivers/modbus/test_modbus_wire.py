"""Whose answer it is: by transaction on TCP, by unit, function, length and checksum on RTU; any bytes are survived."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU

from drivers.modbus.plan import Read
from drivers.modbus.wire import Answer, Desync, RtuFraming, TcpFraming, read_request

REQUEST = read_request(1, Read("holding", 0, 1))
ANSWER = bytes.fromhex("01 03 02 00 56 38 7A")
DATA = Answer(b"\x00\x56")


def summed(frame: bytes) -> bytes:
    return frame + FramerRTU.compute_CRC(frame).to_bytes(2, "big")


def asked(*noise: bytes) -> RtuFraming:
    framing = RtuFraming(noise)
    assert framing.frame(REQUEST) == bytes.fromhex("01 03 00 00 00 01 84 0A")
    return framing


@pytest.mark.parametrize("cut", range(1, len(ANSWER)))
def test_an_answer_may_come_in_pieces(cut: int) -> None:
    framing = asked()
    assert framing.take(ANSWER[:cut], REQUEST, ())[0] is None
    assert framing.take(ANSWER[cut:], REQUEST, ())[0] == DATA


@given(st.binary(max_size=20))
def test_rubbish_before_an_answer_does_no_harm(rubbish: bytes) -> None:
    assert asked().take(rubbish + ANSWER, REQUEST, ())[0] == DATA


@pytest.mark.parametrize(
    "frame",
    [
        summed(bytes.fromhex("02 03 02 00 56")),
        summed(bytes.fromhex("01 04 02 00 56")),
        summed(bytes.fromhex("01 03 04 00 56 00 00")),
        ANSWER[:-1] + b"\x00",
    ],
)
def test_another_unit_function_length_or_checksum_is_not_the_answer(frame: bytes) -> None:
    framing = asked()
    assert framing.take(frame, REQUEST, ())[0] is None
    assert framing.take(ANSWER, REQUEST, ())[0] == DATA


def test_an_exception_is_an_answer() -> None:
    assert asked().take(summed(bytes.fromhex("01 83 02")), REQUEST, ())[0] == Answer(b"", 2)


def test_a_heartbeat_inside_an_answer_is_stripped() -> None:
    framing = asked(b"ping")
    assert framing.take(b"ping", REQUEST, ())[0] is None
    assert framing.take(ANSWER[:3] + b"ping" + ANSWER[3:], REQUEST, ())[0] == DATA


def test_a_late_answer_is_known_as_one_that_was_owed() -> None:
    other = read_request(2, Read("holding", 0, 1))
    framing = RtuFraming()
    framing.frame(other)
    assert framing.take(ANSWER, other, [REQUEST]) == (None, [REQUEST])
    assert framing.strays == 1


def test_an_earlier_transaction_is_not_the_answer() -> None:
    framing = TcpFraming()
    first, second = framing.frame(REQUEST), framing.frame(REQUEST)
    body = bytes.fromhex("00 00 00 05 01 03 02 00 56")
    assert framing.take(first[:2] + body, REQUEST, ())[0] is None
    assert framing.take(second[:2] + body, REQUEST, ())[0] == DATA
    assert framing.strays == 1


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=64), max_size=20))
def test_any_bytes_are_survived(chunks: list[bytes]) -> None:
    rtu, tcp = asked(b"ping"), TcpFraming()
    tcp.frame(REQUEST)
    for chunk in chunks:
        rtu.take(chunk, REQUEST, [REQUEST])
    try:
        for chunk in chunks:
            tcp.take(chunk, REQUEST, ())
    except Desync:
        pass
