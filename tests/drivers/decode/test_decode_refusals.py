"""Each thing that cannot be used has its own reason and a detail that says what, where and what to do (law 4)."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.decode import Decoded, Decoder, Limits
from drivers.products import catalog
from drivers.refusal import Reason
from drivers.telemetry import NO_TIME, Kind
from tests.drivers.decode.vectors import told

LIMITS = Limits(size=400, depth=8, readings=4)


def decode(*payloads: bytes, product: str = "generic-dust", channel: str = "telemetry") -> Decoded:
    decoder = Decoder(catalog()[product], channel, LIMITS)
    return decoder.decode(payloads, range(len(payloads)), [5] * len(payloads))


def only(
    payload: bytes, product: str = "generic-dust", channel: str = "telemetry"
) -> tuple[Reason, bool, str]:
    decoded = decode(payload, product=product, channel=channel)
    assert len(decoded.refusals) == 1, decoded.refusals
    return decoded.refusals[0].reason, decoded.refusals[0].whole, decoded.refusals[0].detail


WHOLE = [
    (b"", Reason.EMPTY, "no bytes"),
    (b" ", Reason.BAD_JSON, "line 1 column 2"),
    (b"{}", Reason.EMPTY, 'no "v"'),
    (b"[]", Reason.EMPTY, "list of no readings"),
    (b'{"v":{}}', Reason.EMPTY, "no point"),
    (b'{"ts":1,"v":{},"q":{}}', Reason.EMPTY, "no point"),
    (b'{"v":{"pm10":}}', Reason.BAD_JSON, "line 1 column 14"),
    (b'{"v":{"pm10":1}}x', Reason.BAD_JSON, "Extra data"),
    (b'\xef\xbb\xbf{"v":{"pm10":1}}', Reason.BAD_JSON, "line 1 column 1"),
    ('{"v":{"pm10":1}}'.encode("utf-16"), Reason.BAD_JSON, "UTF-8"),
    (b'{"v":{"pm10\xff":1}}', Reason.BAD_JSON, "byte 11 is not UTF-8"),
    (b'{"v":{"pm10":1},"n":"' + b"x" * 400 + b'"}', Reason.OVERSIZE, "limit 400"),
    (b'{"v":{"pm10":' + b"[" * 9 + b"]" * 9 + b"}}", Reason.TOO_DEEP, "8 levels"),
    (b"[" * 300, Reason.TOO_DEEP, "8 levels"),
    (b"5", Reason.WRONG_TYPE, "not a number"),
    (b"null", Reason.WRONG_TYPE, "not null"),
    (b'"x"', Reason.WRONG_TYPE, "not a string"),
    (b"[[]]", Reason.WRONG_TYPE, "element 0: a reading is an object, not a list"),
    (b'{"v":[]}', Reason.WRONG_TYPE, '"v" is a list'),
    (b'{"v":null}', Reason.WRONG_TYPE, '"v" is null'),
    (b'{"v":{"pm10":true}}', Reason.WRONG_TYPE, "pm10 is true"),
    (b'{"v":{"pm10":"80"}}', Reason.WRONG_TYPE, "pm10 is '80'"),
    (b'{"v":{"pm10":null}}', Reason.WRONG_TYPE, "pm10 is null"),
    (b'{"v":{"pm10":{"a":1}}}', Reason.WRONG_TYPE, "pm10 is"),
    (b'{"v":{"pm10":1},"hist":1}', Reason.WRONG_TYPE, '"hist" is 1'),
    (b'{"v":{"pm10":1},"q":[]}', Reason.WRONG_TYPE, '"q" is a list'),
    (b'{"v":{"pm10":NaN}}', Reason.NOT_FINITE, "pm10"),
    (b'{"v":{"pm10":-Infinity}}', Reason.NOT_FINITE, "pm10"),
    (b'{"v":{"pm10":1e999}}', Reason.NOT_FINITE, "pm10"),
    (b'{"v":{"pm10":' + b"9" * 350 + b"}}", Reason.NOT_FINITE, "pm10"),
    (b'{"v":{"pm10":-1}}', Reason.OUT_OF_RANGE, "pm10 -1 is not within 0 to 10000 ug/m3"),
    (b'{"v":{"pm10":9999999999999999999999}}', Reason.OUT_OF_RANGE, "pm10 1e+22"),
    (b'{"v":{"spray":2}}', Reason.OUT_OF_RANGE, "spray 2 is none of 0=off, 1=on"),
    (b'{"v":{"spray":0.5}}', Reason.OUT_OF_RANGE, "spray 0.5 is none of"),
    (b'{"v":{"spray":"maybe"}}', Reason.OUT_OF_RANGE, "spray 'maybe' is none of off, on"),
    (b'{"v":{"pm99":1}}', Reason.UNKNOWN_POINT, "v.'pm99' is no point of dust; it has pm10"),
    (b'{"v":{"online":1}}', Reason.UNKNOWN_POINT, "v.'online'"),
    (b'{"v":{"event":1}}', Reason.UNKNOWN_POINT, "v.'event'"),
    (b'{"v":{"pm10":1},"q":{"pm10":"superb"}}', Reason.UNKNOWN_QUALITY, "quality 'superb' of pm10"),
    (b'{"v":{"pm10":1},"q":{"pm10":"absent"}}', Reason.UNKNOWN_QUALITY, "'absent'"),
    (b'{"v":{"pm10":1},"q":{"pm10":0}}', Reason.UNKNOWN_QUALITY, "quality 0"),
    (b'{"ts":"1700000000000","v":{"pm10":1}}', Reason.BAD_TIME, "'1700000000000'"),
    (b'{"ts":null,"v":{"pm10":1}}', Reason.BAD_TIME, "null"),
    (b'{"ts":true,"v":{"pm10":1}}', Reason.BAD_TIME, "true"),
    (b'{"ts":-1,"v":{"pm10":1}}', Reason.BAD_TIME, "1970 to 9999"),
    (b'{"ts":1.5,"v":{"pm10":1}}', Reason.BAD_TIME, "whole millisecond"),
    (b'{"ts":NaN,"v":{"pm10":1}}', Reason.BAD_TIME, "NaN"),
    (b'{"ts":1e999,"v":{"pm10":1}}', Reason.BAD_TIME, "Infinity"),
    (b'{"ts":253402300800000,"v":{"pm10":1}}', Reason.BAD_TIME, "253402300800000"),
    (b'{"ts":99999999999999999999999,"v":{"pm10":1}}', Reason.BAD_TIME, "1e+23"),
    (b"[" + b",".join([b'{"v":{"pm10":1}}'] * 5) + b"]", Reason.TOO_MANY, "5 readings, limit 4"),
]


@pytest.mark.parametrize(("payload", "reason", "words"), WHOLE, ids=lambda value: str(value)[:40])
def test_a_payload_of_no_use_is_refused_whole_with_its_reason(
    payload: bytes, reason: Reason, words: str
) -> None:
    found, whole, detail = only(payload)
    assert (found, whole) == (reason, True)
    assert words in detail


PART = [
    (b'{"v":{"pm10":80,"pm99":1}}', Reason.UNKNOWN_POINT),
    (b'{"v":{"pm10":80},"x":1}', Reason.UNKNOWN_POINT),
    (b'{"v":{"pm10":80,"pm25":true}}', Reason.WRONG_TYPE),
    (b'{"v":{"pm10":80,"pm25":1e999}}', Reason.NOT_FINITE),
    (b'{"v":{"pm10":80,"pm25":-1}}', Reason.OUT_OF_RANGE),
    (b'{"v":{"pm10":80,"spray":"x"}}', Reason.OUT_OF_RANGE),
    (b'{"v":{"pm10":80,"pm25":1},"q":{"pm25":"?"}}', Reason.UNKNOWN_QUALITY),
    (b'{"v":{"pm10":80},"q":{"pm25":"good"}}', Reason.UNKNOWN_QUALITY),
    (b'{"v":{"pm10":80},"q":{"pm99":"good"}}', Reason.UNKNOWN_POINT),
    (b'{"v":{"pm10":80},"event":"pm10TooHigh"}', Reason.UNKNOWN_EVENT),
]


@pytest.mark.parametrize(("payload", "reason"), PART, ids=lambda value: str(value)[:40])
def test_what_is_sound_beside_a_fault_is_kept(payload: bytes, reason: Reason) -> None:
    found, whole, _ = only(payload)
    assert (found, whole) == (reason, False)
    assert told(decode(payload)) == [{"time": None, "values": {"pm10": 80.0}}]


def test_one_payload_never_harms_another_nor_one_reading_its_neighbours() -> None:
    good = b'{"ts":1,"v":{"pm10":80}}'
    decoded = decode(good, b'{"v":', b"[" + good + b',7,{"v":{"noise":61}}]', b"\xff", good)
    assert decoded.frame.tolist() == [0, 2, 2, 4]
    assert decoded.batch.device.tolist() == [0, 2, 2, 4]
    assert decoded.batch.time.tolist() == [1000, 1000, NO_TIME, 1000]
    assert [(one.frame, one.reason, one.whole) for one in decoded.refusals] == [
        (1, Reason.BAD_JSON, True),
        (2, Reason.WRONG_TYPE, False),
        (3, Reason.BAD_JSON, True),
    ]
    assert "element 1: " in decoded.refusals[1].detail


def test_several_faults_of_one_reading_are_told_once_a_reason() -> None:
    points = ",".join(f'"x{i}":1' for i in range(9))
    decoded = decode(f'{{"v":{{{points},"pm10":"a","pm25":true}}}}'.encode())
    assert [one.reason for one in decoded.refusals] == [Reason.UNKNOWN_POINT, Reason.WRONG_TYPE]
    assert decoded.refusals[0].detail.endswith("; and 4 more")
    assert all(one.whole for one in decoded.refusals)


def test_no_payloads_give_no_rows() -> None:
    decoded = decode()
    assert len(decoded.batch) == len(decoded.refusals) == len(decoded.frame) == 0


def test_status_is_the_point_online_alone() -> None:
    decoded = decode(b'{"state":"online"}', b'{"ts":2,"state":"offline"}', channel="status")
    assert [row["values"] for row in told(decoded)] == [{"online": 1.0}, {"online": 0.0}]
    assert decoded.batch.kind.tolist() == [Kind.STATUS, Kind.STATUS]
    for payload, reason in (
        (b"{}", Reason.EMPTY),
        (b'{"state":1}', Reason.WRONG_TYPE),
        (b'{"state":"away"}', Reason.OUT_OF_RANGE),
        (b'{"state":"online","ts":-1}', Reason.BAD_TIME),
    ):
        assert only(payload, channel="status")[:2] == (reason, True)
    assert only(b'{"state":"online","why":1}', channel="status")[:2] == (Reason.UNKNOWN_POINT, False)


def test_an_event_needs_no_points_but_a_name_of_its_family() -> None:
    decoded = decode(b'{"event":"pm10TooHigh"}', b'{"event":"normal","v":{"pm10":"bad"}}', channel="event")
    assert [row.get("event") for row in told(decoded)] == ["pm10TooHigh", "normal"]
    assert [one.reason for one in decoded.refusals] == [Reason.WRONG_TYPE]
    for payload in (b"{}", b'{"event":"lampFailure"}', b'{"event":3}', b'{"event":["x"]}'):
        assert only(payload, channel="event")[:2] == (Reason.UNKNOWN_EVENT, True)


def test_a_value_that_is_not_judged_may_be_absurd_but_a_label_may_not() -> None:
    assert decode(b'{"v":{"pm10":99999},"q":{"pm10":"calibrating"}}').refusals == []
    assert only(b'{"v":{"pm10":99999},"q":{"pm10":"over_range"}}')[0] is Reason.OUT_OF_RANGE
    assert only(b'{"v":{"spray":7},"q":{"spray":"fault"}}')[0] is Reason.OUT_OF_RANGE


def test_time_may_be_an_integral_float() -> None:
    assert decode(b'{"ts":1.7e12,"v":{"pm10":1}}').batch.time.tolist() == [1_700_000_000_000_000]


def test_an_unknown_channel_is_our_own_fault() -> None:
    with pytest.raises(ValueError, match="no such channel"):
        Decoder(catalog()["generic-dust"], "reply")


MAPPED = [
    ("article-manhole-tilt", b'{"tilt":"22","ts":1}', Reason.WRONG_TYPE),
    ("article-manhole-tilt", b'{"tilt":22,"ts":"1"}', Reason.BAD_TIME),
    ("article-manhole-tilt", b'{"tilt":22,"ts":1e300}', Reason.BAD_TIME),
    ("article-manhole-tilt", b'{"tilt":1e999}', Reason.NOT_FINITE),
    ("article-manhole-tilt", b'{"tilt":500}', Reason.OUT_OF_RANGE),
    ("article-manhole-tilt", b'{"status":"gone"}', Reason.UNKNOWN_EVENT),
    ("article-manhole-tilt", b'{"status":{"a":1}}', Reason.UNKNOWN_EVENT),
    ("article-manhole-tilt", b'{"status":"overfull"}', Reason.UNKNOWN_EVENT),
    ("article-manhole-tilt", b"[1]", Reason.WRONG_TYPE),
    ("fiware-streetlight", b'{"voltage":220,"observationDateTime":"2021-01-11T15:51:02"}', Reason.BAD_TIME),
    ("fiware-streetlight", b'{"voltage":220,"observationDateTime":"noon"}', Reason.BAD_TIME),
    ("fiware-streetlight", b'{"voltage":220,"observationDateTime":"1960-01-11T15:51:02Z"}', Reason.BAD_TIME),
    ("fiware-streetlight", b'{"voltage":220,"observationDateTime":5}', Reason.BAD_TIME),
    ("fiware-streetlight", b'{"powerState":"dim"}', Reason.OUT_OF_RANGE),
    ("fiware-streetlight", b'{"powerState":["on"]}', Reason.OUT_OF_RANGE),
    ("fiware-streetlight", b"{", Reason.BAD_JSON),
]


@pytest.mark.parametrize(("product", "payload", "reason"), MAPPED, ids=lambda value: str(value)[:40])
def test_a_mapped_payload_of_no_use_has_its_reason(product: str, payload: bytes, reason: Reason) -> None:
    assert only(payload, product)[:2] == (reason, True)


def test_details_are_short_and_printable_whatever_the_stranger_sent() -> None:
    nasty = b'{"v":{"\\ud800\\u0000' + b"x" * 200 + b'":1,"pm10":"' + b"y" * 90 + b'"}}'
    for refusal in decode(nasty).refusals:
        assert refusal.detail.isprintable()
        refusal.detail.encode()
        assert len(refusal.detail) < 1000


def test_columns_are_writable_and_typed() -> None:
    batch = decode(b'{"v":{"pm10":1}}').batch
    batch.values[0, 0] = 2.0
    types = [column.dtype for column in (batch.device, batch.time, batch.received, batch.kind, batch.flags)]
    assert types == [np.int32, np.int64, np.int64, np.uint8, np.uint8]
    assert batch.values.dtype == np.float64
    assert batch.quality.dtype == np.uint8
