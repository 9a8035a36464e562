"""Downlinks as ChirpStack v4 and The Things Stack v3 take them, and what these tell of each afterwards."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.lorawan.downlinks import Fate, Queued, fate, push, pushed, tell
from drivers.lorawan.topics import DOWNLINKS, queues
from drivers.refusal import Reason, Refused
from drivers.telemetry import SECOND

EUI = "70b3d5b020073208"
UP = f"application/430/device/{EUI}/event/up"
TTS = "v3/city@ttn/devices/lamp-7/up"
ID = "0123456789abcdef"
ITEM = "30313233-3435-3637-3839-616263646566"  # the same, as ChirpStack's id
ONE = Queued(ID, 60, b"\x01\xfe\x64", 1_790_000_000 * SECOND)


def test_chirpstack_gets_a_queue_item_of_its_own_id_that_expires() -> None:
    topic, payload = push(UP, ONE)
    assert topic == f"application/430/device/{EUI}/command/down"
    assert json.loads(payload) == {
        "id": ITEM,
        "devEui": EUI,
        "confirmed": True,
        "fPort": 60,
        "data": "Af5k",
        "expiresAt": "2026-09-21T14:13:20Z",
    }


def test_the_things_stack_gets_a_frame_with_the_id_among_its_correlations() -> None:
    topic, payload = push(TTS, ONE)
    assert topic == "v3/city@ttn/devices/lamp-7/down/push"
    frame = {"f_port": 60, "frm_payload": "Af5k", "confirmed": True, "priority": "NORMAL"}
    assert json.loads(payload) == {"downlinks": [{**frame, "correlation_ids": [f"citygate:command:{ID}"]}]}


FRAME = {"f_port": 60, "correlation_ids": ["as:downlink:01H", f"citygate:command:{ID}"]}
NACK = "the device did not acknowledge it"


@pytest.mark.parametrize(
    ("topic", "event", "expected"),
    [
        (
            f"application/430/device/{EUI}/event/ack",
            {"queueItemId": ITEM, "acknowledged": True},
            Fate(ID, True),
        ),
        (f"application/430/device/{EUI}/event/ack", {"queueItemId": ITEM}, Fate(ID, False, NACK)),
        (
            f"application/430/device/{EUI}/event/txack",
            {"queueItemId": ITEM, "gatewayId": "g"},
            Fate(ID, None),
        ),
        ("v3/city@ttn/devices/lamp-7/down/ack", {"downlink_ack": FRAME}, Fate(ID, True)),
        ("v3/city@ttn/devices/lamp-7/down/nack", {"downlink_nack": FRAME}, Fate(ID, False, NACK)),
        ("v3/city@ttn/devices/lamp-7/down/sent", {"downlink_sent": {}, **FRAME}, Fate(ID, None)),
        ("v3/city@ttn/devices/lamp-7/down/queued", {**FRAME}, Fate(ID, None)),
        (
            "v3/city@ttn/devices/lamp-7/down/failed",
            {"downlink_failed": {"downlink": FRAME, "error": {"message_format": "device not found"}}},
            Fate(ID, False, "the network server gave it up: device not found"),
        ),
        (
            "v3/city@ttn/devices/lamp-7/down/failed",
            {"downlink_failed": {"downlink": FRAME}},
            Fate(ID, False, "the network server gave it up: no reason given"),
        ),
    ],
)
def test_an_event_tells_what_became_of_a_command(topic: str, event: Any, expected: Fate) -> None:
    assert fate(topic, json.dumps(event).encode()) == expected


@pytest.mark.parametrize(
    ("topic", "event"),
    [
        (f"application/430/device/{EUI}/event/ack", {"queueItemId": "8d0a3f1c-0c5e-4f0b-9a59-7c3f4f4d4a11"}),
        (f"application/430/device/{EUI}/event/ack", {"acknowledged": True}),
        ("v3/city@ttn/devices/lamp-7/down/ack", {"downlink_ack": {"correlation_ids": ["as:downlink:01H"]}}),
        (UP, {}),
        ("city/streetlight/L1/telemetry", {}),
    ],
)
def test_what_others_have_queued_is_none_of_ours(topic: str, event: Any) -> None:
    assert fate(topic, json.dumps(event).encode()) is None


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff", b"[]", b'{"queueItemId": 7}'])
def test_an_event_that_cannot_be_read_is_refused(payload: bytes) -> None:
    with pytest.raises(Refused) as caught:
        fate(f"application/430/device/{EUI}/event/ack", payload)
    assert caught.value.reason is (Reason.BAD_JSON if payload else Reason.EMPTY)


def test_what_nests_without_end_is_refused_and_breaks_nothing() -> None:
    for read, topic in ((fate, "event/ack"), (pushed, "command/down")):
        with pytest.raises(Refused):
            read(f"application/430/device/{EUI}/{topic}", b'{"a":' * 13_000)


@pytest.mark.parametrize("payload", [b"", b"{", b'{"data": "?"}', b'{"fPort": "x"}'])
def test_a_server_refuses_what_is_no_downlink(payload: bytes) -> None:
    with pytest.raises(Refused):
        pushed(f"application/430/device/{EUI}/command/down", payload)


def test_an_id_that_no_queue_item_holds_is_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match="holds 16"):
        push(UP, Queued("x" * 17, 1, b""))


@given(
    up=st.sampled_from([UP, TTS]),
    id_=st.from_regex(r"[0-9a-zA-Z]{1,16}", fullmatch=True),
    port=st.integers(1, 223),
    frame=st.binary(max_size=50),
    event=st.sampled_from(["txack", "ack", "failed"]),
    acknowledged=st.booleans(),
)
@settings(max_examples=200)
def test_what_is_pushed_arrives_and_what_is_told_of_it_comes_back(
    up: str, id_: str, port: int, frame: bytes, event: str, *, acknowledged: bool
) -> None:
    one = Queued(id_, port, frame)
    topic, payload = push(up, one)
    assert pushed(topic, payload) == [one]
    told = fate(*tell(up, event, one, acknowledged=acknowledged))
    if event == "failed" and up == UP:
        assert told is None, "ChirpStack has no such event"
    else:
        assert told is not None
        assert (told.id, told.delivered) == (
            id_,
            {"txack": None, "ack": acknowledged, "failed": False}[event],
        )


@pytest.mark.parametrize("pattern", [*DOWNLINKS, f"application/430/device/{EUI}/command/down"])
def test_a_network_server_may_ask_for_downlinks(pattern: str) -> None:
    assert queues(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["application/#", "#", "application/+/device/+/event/up", "v3/+/devices/+/up", "city/+/+/command"],
)
def test_nothing_else_is_a_queue(pattern: str) -> None:
    assert not queues(pattern)
