"""Every frame of the field decodes to the values beside it, or is refused with the stated reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from drivers.hj212.crc import Crc
from drivers.hj212.frame import Damage, Frame, Framer, encode_frame
from drivers.hj212.readings import StationDecoder
from drivers.hj212.segment import decode, encode
from drivers.products import catalog
from drivers.telemetry import Kind
from tests.drivers.decode.vectors import told

VECTORS = Path(__file__).parents[2] / "vectors"
SHANGHAI = ZoneInfo("Asia/Shanghai")
RECORDED = {
    f"{file.parent.name}/{file.stem}": json.loads(file.read_text("utf-8"))
    for file in sorted(VECTORS.glob("hj212-*/*.json"))
}


def framed(vector: dict[str, Any]) -> Frame | Damage:
    [found] = Framer().feed(vector["frame"].encode() + b"\r\n")
    return found


def test_all_frames_of_the_field_are_here() -> None:
    assert len(RECORDED) == 28


@pytest.mark.parametrize("vector", RECORDED.values(), ids=list(RECORDED))
def test_a_frame_means_what_stands_beside_it(vector: dict[str, Any]) -> None:
    found = framed(vector)
    if "damage" in vector:
        assert isinstance(found, Damage)
        assert [found.reason, found.detail] == vector["damage"]
        return
    assert isinstance(found, Frame)
    segment, oddities = decode(found.data)
    assert found.crc == vector["crc"]
    assert [*found.oddities, *oddities] == vector["tolerated"]
    said = {"CN": segment.cn, "MN": segment.mn, "QN": segment.qn, "ST": segment.st, "PW": segment.pw}
    numbers = {"Flag": segment.flag, "PNUM": segment.pnum, "PNO": segment.pno}
    assert {**said, **{name: value for name, value in numbers.items() if value is not None}} == vector[
        "fields"
    ]
    for name, value in vector.get("cp", {}).items():
        assert segment.get(name) == value
    decoded = StationDecoder(catalog()[vector["product"]], SHANGHAI).decode([found.data], [0], [0])
    rows = told(decoded)
    for place, row in enumerate(rows):
        row["kind"] = Kind(decoded.batch.kind[place]).name.lower()
    assert rows == vector["readings"]
    assert [[one.reason, one.whole, one.detail] for one in decoded.refusals] == vector["refusals"]


@pytest.mark.parametrize("vector", RECORDED.values(), ids=list(RECORDED))
def test_what_a_frame_says_can_be_written_again(vector: dict[str, Any]) -> None:
    """Byte for byte, where the frame is as the standard would have it."""
    found = framed(vector)
    if isinstance(found, Damage):
        return
    segment = decode(found.data).segment
    assert decode(encode(segment)).segment == segment
    if not vector["tolerated"]:
        assert encode_frame(encode(segment)).decode() == vector["frame"] + "\r\n"


@pytest.mark.parametrize("mode", list(Crc))
def test_a_device_that_must_send_one_sum_is_held_to_it(mode: Crc) -> None:
    modbus = framed(RECORDED["hj212-frames/modbus_set_clock_2005"])
    standard = framed(RECORDED["hj212-frames/set_clock"])
    assert isinstance(modbus, Frame)
    assert isinstance(standard, Frame)
    assert modbus.passes(mode) is (mode is not Crc.HJ212)
    assert standard.passes(mode) is (mode is not Crc.MODBUS)
