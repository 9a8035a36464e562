"""The framer: every byte is a frame's or a damage's, in any cut; nothing it may be fed stops it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.hj212.crc import Crc, crc_hj212, crc_modbus
from drivers.hj212.frame import Damage, Frame, Framer, encode_frame
from drivers.hj212.tolerance import Tolerance
from drivers.refusal import Reason

SAMPLE = (
    b"QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&"
)
OTHER = SAMPLE.replace(b"30", b"45")
GOOD = encode_frame(SAMPLE)

segments = st.binary(min_size=16, max_size=400).filter(
    lambda data: b"##" not in data and not data.endswith(b"#")
)


def annex_a(data: bytes) -> int:
    """The standard's own loop."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ byte
        for _ in range(8):
            lsb = crc & 1
            crc >>= 1
            if lsb:
                crc ^= 0xA001
    return crc


def only(found: list[Frame | Damage]) -> Frame:
    [frame] = found
    assert isinstance(frame, Frame)
    return frame


def test_the_standard_s_vector() -> None:
    assert len(SAMPLE) == 101
    assert crc_hj212(SAMPLE) == 0x1C80
    assert GOOD.startswith(b"##0101QN=")
    assert GOOD.endswith(b"&&1C80\r\n")


def test_modbus_check_value() -> None:
    assert crc_modbus(b"123456789") == 0x4B37


@given(st.binary(max_size=300))
def test_the_folded_sum_is_the_standard_s(data: bytes) -> None:
    assert crc_hj212(data) == annex_a(data)


@given(
    st.lists(st.tuples(segments, st.sampled_from([Crc.HJ212, Crc.MODBUS])), max_size=5), st.integers(1, 50)
)
def test_frames_come_back_in_any_cut(messages: list[tuple[bytes, Crc]], step: int) -> None:
    stream = b"".join(encode_frame(data, crc) for data, crc in messages)
    framer = Framer()
    found = [one for at in range(0, len(stream), step) for one in framer.feed(stream[at : at + step])]
    assert [one.data if isinstance(one, Frame) else one for one in found] == [data for data, _ in messages]
    assert framer.pending <= 2


@pytest.mark.parametrize("step", [1, 5, 100])
def test_a_line_end_within_a_segment_ends_nothing_however_it_is_cut(step: int) -> None:
    data = bytes(7) + b"\r\n" + bytes(7)
    stream, framer = encode_frame(data) + GOOD, Framer()
    found = [one for at in range(0, len(stream), step) for one in framer.feed(stream[at : at + step])]
    assert [one.data for one in found if isinstance(one, Frame)] == [data, SAMPLE]
    assert len(found) == 2


@pytest.mark.parametrize(
    ("wire", "tolerance"),
    [
        (GOOD[:-6] + b"1c80\r\n", Tolerance.LOWER_CASE_CRC),
        (b"##0100" + GOOD[6:], Tolerance.LENGTH),
        (b"##0107" + GOOD[6:], Tolerance.LENGTH),
        (b"##0095" + GOOD[6:], Tolerance.LENGTH),
        (b"##0000" + GOOD[6:], Tolerance.LENGTH),
        (encode_frame(SAMPLE, Crc.MODBUS), Tolerance.MODBUS_CRC),
        (encode_frame(b"x" * 1025), Tolerance.LONG_SEGMENT),
    ],
)
def test_what_the_field_does_is_accepted_and_named(wire: bytes, tolerance: Tolerance) -> None:
    frame = only(Framer().feed(wire))
    assert tolerance in frame.oddities
    assert frame.data in {SAMPLE, b"x" * 1025}


def test_frames_without_a_trailer_are_told_apart() -> None:
    found = Framer().feed(GOOD[:-2] + GOOD[:-2] + GOOD)
    assert [one.data for one in found if isinstance(one, Frame)] == [SAMPLE] * 3
    assert isinstance(found[0], Frame)
    assert found[0].oddities == (Tolerance.NO_TRAILER,)


def test_a_cut_frame_does_not_take_the_next_one_along() -> None:
    found = Framer().feed(GOOD[:60] + encode_frame(OTHER))
    assert [type(one) for one in found] == [Damage, Frame]
    assert isinstance(found[0], Damage)
    assert (found[0].reason, found[0].offset, found[0].size) == (Reason.BAD_CRC, 0, 60)
    assert isinstance(found[1], Frame)
    assert (found[1].data, found[1].offset) == (OTHER, 60)


def test_noise_is_one_damage_and_the_frame_behind_it_is_found() -> None:
    found = Framer().feed(b"\x00+++ATH\r\n##02" + b"#" + GOOD)
    assert [type(one) for one in found] == [Damage, Frame]
    assert isinstance(found[0], Damage)
    assert found[0].reason is Reason.BAD_FRAME


def test_a_header_may_arrive_byte_by_byte() -> None:
    framer = Framer()
    found = [one for byte in b"xx" + GOOD + GOOD for one in framer.feed(bytes([byte]))]
    assert [one.data for one in found if isinstance(one, Frame)] == [SAMPLE, SAMPLE]


def test_a_frame_that_never_ends_is_given_up() -> None:
    framer = Framer()
    found = framer.feed(b"##9999" + b"y" * 20_000)
    assert [one.size for one in found if isinstance(one, Damage)] == [20_006]
    assert framer.pending == 0
    assert only(framer.feed(GOOD)).data == SAMPLE


def test_one_flipped_byte_is_seen_or_changes_the_sum_s_byte() -> None:
    """Annex A is an 8-bit sum: what it lets pass, structure and ranges must see."""
    passed = sum(
        any(
            isinstance(one, Frame)
            for one in Framer().feed(GOOD[:at] + bytes([GOOD[at] ^ 1]) + GOOD[at + 1 :])
        )
        for at in range(6, 107)
    )
    assert passed == 0


HOSTILE = {
    "hashes": b"#" * 65_536,
    "headers": b"##0000" * 10_922,
    "short frames": b"##0001A0000" * 5_957,
    "long frames": b"##9999" + b"0" * 65_530,
    "wrong sums": b"##0016ABCDEFGHIJKLMNOP0000" * 2_520,
    "hex": b"##0400" + (b"0123456789ABCDEF" * 25 + b"0000" + b"##0400") * 160,
    "line ends": b"##0003\r\n" * 8_192,
    "zeros": bytes(65_536),
    "ampersands": b"##0064CP=&&" + b"&;=," * 16_000,
}


@pytest.mark.parametrize("stream", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_streams_end_and_hold_little(stream: bytes) -> None:
    framer = Framer()
    found = framer.feed(stream)
    assert framer.offset + framer.pending == len(stream)
    assert framer.pending < 12_000
    assert sum(len(one.raw) for one in found if isinstance(one, Damage)) <= len(stream)


pieces = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([GOOD, GOOD[:50], b"##", b"#", b"##0101", b"\r\n", b"&&1C80", b"##9999", SAMPLE]),
)


@settings(max_examples=200)
@given(st.lists(pieces, max_size=30), st.lists(st.integers(0, 600), max_size=6))
def test_whatever_comes_every_byte_is_accounted_for(parts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(parts)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    framer = Framer()
    found = [one for start, end in pairwise(places) for one in framer.feed(stream[start:end])]
    assert framer.offset + framer.pending == len(stream)
    for one in found:
        assert one.offset < len(stream)
        if isinstance(one, Frame):
            assert stream[one.offset : one.offset + 2] == b"##"
