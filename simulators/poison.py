"""Bad messages, made from a good one: the same device, told wrong in one way that the gateway has a word for."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from drivers.mqtt import topics
from drivers.telemetry import HOUR

if TYPE_CHECKING:
    from collections.abc import Callable

OVERSIZE: Final = 70_000  # bytes: beyond the largest payload that a decoder takes by default
AHEAD: Final = 3 * HOUR  # of a clock that is wrong


class Expect(IntEnum):
    """What should become of a message once it is acknowledged."""

    STORED = 0  # a row of history under the device's own time
    REFUSED = 1  # at least in part, so history need not have it
    RESTAMPED = 2  # a row under its receive time
    REPEATED = 3  # a row that is already there


class Message(NamedTuple):
    topic: str
    payload: bytes
    expect: Expect


def _values(payload: bytes, **changed: object) -> bytes:
    document = msgspec.json.decode(payload)
    document["v"] |= changed
    encoded: bytes = msgspec.json.encode(document)
    return encoded


def _first(payload: bytes) -> str:
    return str(next(iter(msgspec.json.decode(payload)["v"])))


def _infinite(payload: bytes) -> bytes:
    point = _first(payload)
    return _values(payload, **{point: 0.125}).replace(b"0.125", b"1e999", 1)


def _ahead(payload: bytes) -> bytes:
    document = msgspec.json.decode(payload)
    document["ts"] += AHEAD // 1_000
    encoded: bytes = msgspec.json.encode(document)
    return encoded


def _foreign(topic: str) -> str:
    own = topics.parse(topic)
    return topics.build(own.family, f"{own.device}-neighbour", own.channel)


SPOIL: Final[dict[str, Callable[[str, bytes], Message]]] = {
    "bad_json": lambda topic, payload: Message(topic, payload[:-1], Expect.REFUSED),
    "wrong_type": lambda topic, payload: Message(
        topic, _values(payload, **{_first(payload): [1]}), Expect.REFUSED
    ),
    "not_finite": lambda topic, payload: Message(topic, _infinite(payload), Expect.REFUSED),
    "out_of_range": lambda topic, payload: Message(
        topic, _values(payload, **{_first(payload): 9e9}), Expect.REFUSED
    ),
    "unknown_point": lambda topic, payload: Message(topic, _values(payload, phlogiston=1), Expect.REFUSED),
    "foreign_topic": lambda topic, payload: Message(_foreign(topic), payload, Expect.REFUSED),
    "oversize": lambda topic, payload: Message(topic, payload.ljust(OVERSIZE), Expect.REFUSED),
    "wrong_clock": lambda topic, payload: Message(topic, _ahead(payload), Expect.RESTAMPED),
    "duplicate": lambda topic, payload: Message(topic, payload, Expect.REPEATED),
}
