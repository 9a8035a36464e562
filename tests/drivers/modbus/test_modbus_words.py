"""Registers to numbers and back: every type in every order, and known values from manuals."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.families import FAMILIES
from drivers.modbus.plan import Read
from drivers.modbus.register_map import Module, Register, at
from drivers.modbus.values import Reader, answer, image_of
from drivers.modbus.words import KINDS, ORDERS, decode, encode, ordered, reference, width

RANGES = {
    "u16": (0, 0xFFFF),
    "bits": (0, 0xFFFF),
    "i16": (-0x8000, 0x7FFF),
    "u32": (0, 0xFFFF_FFFF),
    "i32": (-0x8000_0000, 0x7FFF_FFFF),
    "u64": (0, 2**64 - 1),
    "i64": (-(2**63), 2**63 - 1),
    "bcd16": (0, 9_999),
    "bcd32": (0, 99_999_999),
}


@st.composite
def numbers(draw: st.DrawFn) -> tuple[str, str, float]:
    kind = draw(st.sampled_from(KINDS))
    order = draw(st.sampled_from(ORDERS))
    if kind in RANGES:
        return kind, order, draw(st.integers(*RANGES[kind]))
    return kind, order, draw(st.floats(width=32 if kind == "f32" else 64, allow_nan=False))


@settings(max_examples=200)
@given(numbers())
def test_what_is_encoded_decodes_to_the_same_number(one: tuple[str, str, float]) -> None:
    kind, order, number = one
    data = encode(kind, order, number)
    assert len(data) == 2 * width(kind)
    assert decode(kind, order, data) == number


@given(st.binary(min_size=8, max_size=8), st.sampled_from(ORDERS))
def test_an_order_is_its_own_inverse(data: bytes, order: str) -> None:
    assert ordered(ordered(data, order), order) == data


@pytest.mark.parametrize(
    ("order", "data"),
    [("ABCD", "43668000"), ("CDAB", "80004366"), ("BADC", "66430080"), ("DCBA", "00806643")],
)
def test_a_known_value_in_all_four_orders(order: str, data: str) -> None:
    assert decode("f32", order, bytes.fromhex(data)) == 230.5


@pytest.mark.parametrize(
    ("kind", "number"),
    [("u16", -1), ("u16", 65_536), ("i16", 40_000), ("bcd16", 10_000), ("u32", 1e12), ("f32", 1e300)],
)
def test_what_does_not_fit_is_said(kind: str, number: float) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        encode(kind, "ABCD", number)


def test_bcd_with_no_decimal_digit_is_no_number() -> None:
    assert decode("bcd16", "ABCD", b"\x12\x34") == 1234
    assert decode("bcd16", "ABCD", b"\x12\x3a") is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("40001", ("holding", 0)),
        ("40501", ("holding", 500)),
        ("30053", ("input", 52)),
        ("10001", ("discrete", 0)),
        ("00001", ("coil", 0)),
        ("465536", ("holding", 65_535)),
    ],
)
def test_references_of_manuals_begin_at_one(text: str, place: tuple[str, int]) -> None:
    assert reference(text) == place


@pytest.mark.parametrize("text", ["40000", "20001", "4001", "465537", "4x001", "4000000"])
def test_what_is_no_reference_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="no register reference"):
        reference(text)


FUME = FAMILIES["fume"]
MODULE = Module(
    "main",
    (
        at("fume", "40001", scale=0.01, absent=(0xFFFF,)),
        Register("particulate", 1, "f32", order="CDAB"),
        Register("nmhc", 3, "i16", scale=0.5, offset=10, absent=(-0x8000,)),
        Register("temperature", 4, "bcd16", scale=0.1),
        Register("fan", 5, "bits", bit=3),
        Register("purifier", 5, words={"8": "off", "12": "on"}),
        Register("fan_current", 6, "u64"),
    ),
)
READ = Read("holding", 0, 10)


def read(**cells: int) -> tuple[dict[str, float], list[str]]:
    faults: list[str] = []
    image = {int(at_[1:]): value for at_, value in cells.items()}
    return Reader(MODULE, FUME).values(READ, answer({"holding": image}, READ), faults), faults


def test_scales_offsets_words_and_bits() -> None:
    low, high = struct.unpack(">HH", struct.pack(">f", 1.5))[::-1]
    values, faults = read(r0=123, r1=low, r2=high, r3=0x10000 - 4, r4=0x1234, r5=12, r9=7)
    assert faults == []
    assert values == {
        "fume": 1.23,
        "particulate": 1.5,
        "nmhc": 8.0,
        "temperature": 123.4,
        "fan": 1.0,
        "purifier": 1.0,
        "fan_current": 7.0,
    }


def test_sentinels_and_not_a_number_are_no_values() -> None:
    values, faults = read(r0=0xFFFF, r1=0, r2=0x7FC0, r3=0x8000, r5=8)
    assert not {"fume", "particulate", "nmhc"} & set(values)
    assert faults == []


def test_what_no_word_and_no_digit_explains_is_a_fault() -> None:
    values, faults = read(r4=0x00FA, r5=3)
    assert not {"temperature", "purifier"} & set(values)
    assert [fault.split(":")[0] for fault in faults] == ["temperature", "purifier"]


@settings(max_examples=200)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "fume": st.integers(0, 60_000).map(lambda raw: raw / 100),
            "particulate": st.floats(0, 500, width=32),
            "nmhc": st.integers(-20, 60_000)
            .map(lambda raw: raw / 2 + 10)
            .filter(lambda value: value < 16_000),
            "temperature": st.integers(0, 4_000).map(lambda raw: raw / 10),
            "fan_current": st.integers(0, 2**40).map(float),
        },
    )
)
def test_an_image_reads_back_as_the_values_it_was_made_of(values: dict[str, float]) -> None:
    image = image_of(MODULE, FUME, values)
    faults: list[str] = []
    found = Reader(MODULE, FUME).values(READ, answer(image, READ), faults)
    assert {name: found[name] for name in values} == pytest.approx(values)
    assert all(math.isfinite(value) for value in found.values())
