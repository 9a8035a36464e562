"""Envelopes of network servers as their documentation and recordings have them; what is left out is zero."""

from __future__ import annotations

import json
from operator import attrgetter
from typing import Any

import pytest

from drivers.lorawan.codec import Frames
from drivers.lorawan.envelopes import Gateway, Uplink, read
from drivers.products import catalog
from drivers.refusal import Reason, Refused

EUI = "70b3d5b020073208"
INFO = {"deviceName": "MH-1", "devEui": EUI, "applicationId": "430"}
IDS = {"device_id": "mh-1", "dev_eui": EUI.upper(), "application_ids": {"application_id": "city"}}


def of(**envelope: Any) -> Uplink:
    return read(json.dumps(envelope).encode())


def test_chirpstack_v4() -> None:
    uplink = of(
        deduplicationId="3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
        time="2022-07-18T09:34:15.775023242+00:00",
        deviceInfo=INFO | {"tenantId": "t", "deviceProfileName": "p", "tags": {"a": "b"}},
        devAddr="00189440",
        adr=True,
        dr=1,
        fCnt=12,
        fPort=3,
        confirmed=False,
        data="AQ==",
        object={"deep": {"er": [1]}},
        rxInfo=[{"gatewayId": "0016c001f153a14c", "uplinkId": 4217106255, "rssi": -36, "snr": 10.5}],
        txInfo={"frequency": 867100000, "modulation": {"lora": {"bandwidth": 125000}}},
    )
    heard = (Gateway("0016c001f153a14c", -36, 10.5),)
    expected = Uplink("chirpstack", EUI, "MH-1", 3, 12, b"\x01", 1_658_136_855_775_023, heard, "430")
    assert uplink == expected
    assert uplink.rssi == -36


def test_the_things_stack_leaves_out_what_is_zero() -> None:
    uplink = of(
        end_device_ids=IDS | {"join_eui": "0" * 16, "dev_addr": "00BCB929"},
        correlation_ids=["a"],
        received_at="2020-02-12T15:15:45.787Z",
        uplink_message={
            "session_key_id": "AXA50",
            "f_port": 1,
            "frm_payload": "AQ==",
            "rx_metadata": [
                {"gateway_ids": {"gateway_id": "gtw1", "eui": "9C5C8E00001A05C4"}, "rssi": -35, "snr": 5}
            ],
            "settings": {"data_rate": {}},
            "received_at": "2020-02-12T15:15:45.787Z",
            "consumed_airtime": "0.056s",
        },
    )
    expected = Uplink(
        "thethingsstack",
        EUI,
        "mh-1",
        1,
        0,
        b"\x01",
        1_581_520_545_787_000,
        (Gateway("gtw1", -35, 5),),
        "city",
    )
    assert uplink == expected


@pytest.mark.parametrize("eui", [EUI, EUI.upper(), "cLPVsCAHMgg="], ids=["hex", "upper", "base64"])
def test_chirpstack_v3_writes_an_eui_in_either_way(eui: str) -> None:
    assert of(devEUI=eui, fPort=1, data="AQ==").eui == EUI


def test_what_is_missing_is_zero_and_empty() -> None:
    assert of(deviceInfo={"devEui": EUI}) == Uplink("chirpstack", EUI, "", 0, 0, b"")
    assert of(deviceInfo={"devEui": EUI}, time=None, rxInfo=None, fCnt=None, data=None).time is None


@pytest.mark.parametrize(
    ("envelope", "reason", "words"),
    [
        ({}, Reason.BAD_FRAME, "no uplink of a known network server"),
        ({"deviceInfo": {}}, Reason.UNKNOWN_DEVICE, "16 hex digits"),
        ({"deviceInfo": {"devEui": "x" * 16}}, Reason.UNKNOWN_DEVICE, "16 hex digits"),
        ({"devEUI": "é"}, Reason.BAD_FRAME, "no base64"),
        ({"devEUI": "AQ=="}, Reason.UNKNOWN_DEVICE, "16 hex digits"),
        ({"end_device_ids": IDS}, Reason.EMPTY, "no uplink_message"),
        ({"deviceInfo": INFO, "fPort": "3"}, Reason.WRONG_TYPE, "fPort"),
        ({"deviceInfo": INFO, "fPort": 256}, Reason.OUT_OF_RANGE, "port 256"),
        ({"deviceInfo": INFO, "fPort": 1, "fCnt": -1}, Reason.OUT_OF_RANGE, "counter -1"),
        ({"deviceInfo": INFO, "data": "AQ=="[:3]}, Reason.BAD_FRAME, "base64"),
        ({"deviceInfo": INFO, "data": "A" * 400}, Reason.OVERSIZE, "300 bytes"),
        ({"deviceInfo": INFO, "time": "noon"}, Reason.BAD_TIME, "noon"),
        ({"deviceInfo": INFO, "time": "2022-07-18T09:34:15"}, Reason.BAD_TIME, "zone"),
        ({"deviceInfo": INFO, "time": "1960-07-18T09:34:15Z"}, Reason.BAD_TIME, "1970"),
        ([], Reason.WRONG_TYPE, "array"),
        (7, Reason.WRONG_TYPE, "int"),
    ],
    ids=str,
)
def test_what_is_no_uplink_is_refused_with_its_reason(envelope: Any, reason: Reason, words: str) -> None:
    with pytest.raises(Refused) as caught:
        read(json.dumps(envelope, ensure_ascii=False).encode())
    assert caught.value.reason is reason
    assert words in caught.value.detail


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff", b"\x0a\x24", b'{"deviceInfo"'])
def test_what_is_no_json_is_refused(payload: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read(payload)
    assert caught.value.reason in {Reason.BAD_JSON, Reason.EMPTY}


@pytest.mark.parametrize(
    ("product", "command", "args", "port", "frame"),
    [
        ("dingtek-dc410", "reportInterval", {"interval": 4 * 3600.0}, 3, b"80029999010481"),
        ("dingtek-dc410", "tiltThreshold", {"tilt": 45.0}, 3, b"80029999042D81"),
        ("nas-ul20xx", "dim", {"level": 100.0}, 60, b"\x01\xfe\x64"),
        ("nas-ul20xx", "switch", {"state": 0.0}, 60, b"\x01\xfe\x00"),
        ("nas-ul20xx", "switch", {"state": 1.0}, 60, b"\x01\xfe\x64"),
        ("nas-ul20xx", "reportInterval", {"interval": 3600.0}, 50, bytes.fromhex("07100e0000")),
        ("nas-ul20xx", "restart", {}, 51, b"\xfe"),
        ("milesight-em400-mud", "restart", {}, 85, b"\xff\x10\xff"),
    ],
)
def test_a_command_is_sent_as_its_maker_publishes_it(
    product: str, command: str, args: dict[str, float], port: int, frame: bytes
) -> None:
    codec = catalog()[product].codec
    assert isinstance(codec, Frames)
    assert codec.downlink(command, args) == (port, frame)


@pytest.mark.parametrize(
    ("product", "command", "args", "words"),
    [
        ("dingtek-dc410", "reportInterval", {"interval": 60.0}, "not within 3600 to 604800"),
        ("dingtek-dc410", "tiltThreshold", {"tilt": 10.0}, "not within 15 to 90"),
        ("nas-ul20xx", "dim", {"level": 101.0}, "not within 0 to 100"),
        ("nas-ul20xx", "reportInterval", {"interval": 2.0**32}, "does not fit"),
        ("nas-ul20xx", "dim", {"level": 1.0, "colour": 2.0}, "no argument colour"),
        ("bosch-tps110", "restart", {}, "no command restart; it has none"),
    ],
)
def test_a_command_beyond_its_product_is_a_fault_of_the_caller(
    product: str, command: str, args: dict[str, float], words: str
) -> None:
    codec = catalog()[product].codec
    assert isinstance(codec, Frames)
    with pytest.raises(ValueError, match=words):
        codec.downlink(command, args)


@pytest.mark.parametrize(
    "product", [one for one in catalog().values() if isinstance(one.codec, Frames)], ids=attrgetter("id")
)
def test_every_downlink_is_a_command_of_the_family(product: Any) -> None:
    from drivers.families import FAMILIES  # noqa: PLC0415

    known = {
        command.name: {arg.name for arg in command.args} for command in FAMILIES[product.family].commands
    }
    assert product.codec.downlinks.keys() <= known.keys()
