"""A person sees of a frame what the gateway makes of it."""

from __future__ import annotations

import json
from zoneinfo import ZoneInfo

import pytest

from drivers.hj212.crc import Crc
from drivers.hj212.explain import explain
from drivers.hj212.frame import encode_frame
from drivers.products import catalog

SHANGHAI = ZoneInfo("Asia/Shanghai")
DATA = b"QN=20240601080000000;ST=39;CN=2011;PW=123456;MN=M;Flag=5;CP=&&DataTime=20240601080000;LA-Rtd=50,LA-Flag=D&&"


def test_a_reading_with_units_quality_and_the_reply() -> None:
    [told] = explain(catalog()["hj212-dust"], encode_frame(DATA), SHANGHAI)
    assert json.loads(json.dumps(told)) == told
    assert told["points"] == {"noise": {"value": 50.0, "unit": "dB", "quality": "fault"}}
    assert told["device"] == "M"
    assert told["time"] == 1_717_200_000_000_000
    assert "QN=20240601080000000;ST=91;CN=9014;" in told["reply"]
    assert told["tolerated"] == ["mn_form"]


def test_refusals_have_reason_and_offset() -> None:
    dust = catalog()["hj212-dust"]
    wire = encode_frame(DATA) + b"noise" + encode_frame(DATA, Crc.MODBUS) + b"##0020" + b"x" * 20
    wire += b"%04X" % 0 + b"\r\n" + encode_frame(b"a" * 20)
    told = list(explain(dust, wire, SHANGHAI))
    assert [one.get("refused") for one in told] == [None, "bad_frame", "bad_crc", "bad_crc", "bad_frame"]
    assert told[1]["offset"] == len(encode_frame(DATA))
    assert "device" in next(iter(explain(dust, encode_frame(DATA, Crc.MODBUS), SHANGHAI, crc=Crc.MODBUS)))
    with pytest.raises(ValueError, match="does not speak"):
        list(explain(catalog()["generic-dust"], wire, SHANGHAI))
