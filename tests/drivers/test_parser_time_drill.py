"""Drill: whatever 64 KiB a stranger sends, no parser works on them for more than 50 ms of CPU; the worst are printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from random import Random
from time import process_time
from typing import Final

import pytest

from drivers.dialogue import decode_command, decode_reply
from drivers.explain import explain
from drivers.families import FAMILIES
from drivers.hj212.frame import Frame as StationFrame
from drivers.hj212.frame import Framer
from drivers.hj212.readings import CHANNEL
from drivers.hj212.segment import decode as segment_of
from drivers.lorawan import downlinks
from drivers.modbus import exchange
from drivers.modbus.plan import Read
from drivers.modbus.wire import Desync, RtuFraming, TcpFraming, read_request
from drivers.mqtt.codes import ProtocolError
from drivers.mqtt.reader import Reader
from drivers.products import catalog
from drivers.refusal import Refusal, Refused
from gateway.decoding import Decoding
from gateway.ingest.inbox import Frame, Lane

SIZE: Final = 65_536
BOUND: Final = 0.050  # seconds of CPU
TRIES: Final = 3  # the best counts: the machine's noise is no parser's
PRODUCTS: Final = catalog()
REQUEST: Final = read_request(1, Read("holding", 0, 20))

UNITS: Final[dict[str, bytes]] = {
    "zeros": b"\0",
    "ones": b"\xff",
    "arrays": b"[",
    "objects": b'{"a":',
    "values": b'{"v":',
    "readings": b'{"v":{"pm10":1}},',
    "points": b'"pm10":1,',
    "escapes": b'"\\u0000',
    "quotes": b'"',
    "digits": b"9",
    "hashes": b"#",
    "frames": b"##0016CN=2011;CP=&&&&0000\r\n",
    "items": b"a34002-Rtd=1,a34002-Flag=N;",
    "codes": b"x-Rtd=1;",
    "slashes": b"//;=,&&",
    "envelopes": b'{"deviceInfo":{"devEui":"',
    "tlv": b"\x01\x75\x05",
    "slave": b"\x01\x03\x28",
    "refusals": b"\x01\x83\x02",
    "packets": b"\x30\x80\x80\x01",
    "utf-8": "井".encode(),
}


def hostile() -> Iterator[tuple[str, bytes]]:
    for name, unit in UNITS.items():
        yield name, (unit * (SIZE // len(unit) + 1))[:SIZE]
    yield "list", b"[" + b'{"v":{"pm10":1}},' * 3_854 + b"{}]"
    yield "object", b'{"v":{' + b'"pm10":1,' * 7_279 + b'"a":1}}'
    yield "segment", b"QN=1;CN=2011;MN=M;CP=&&" + b"a34002-Rtd=1;" * 5_039 + b"&&"
    yield "one item", b"QN=1;CN=2011;MN=M;CP=&&DataTime=20260922120000;" + b"a-b=1," * 10_914 + b"&&"
    yield "random", Random(7).randbytes(SIZE)


def parsers() -> Iterator[tuple[str, Callable[[bytes], object]]]:
    decoding = Decoding(PRODUCTS)
    for product in PRODUCTS.values():
        channels = (CHANNEL,) if product.hj212 else ("telemetry", "event", "status")
        for channel in channels:
            lane = decoding.lane(product.id, product.family, channel)
            yield f"{product.id} {channel}", partial(decoded, decoding, lane)
        yield f"explain {product.id}", partial(explain, product, received=0)
        if product.modbus is not None:
            yield f"exchange {product.id}", partial(exchange.decode, product.modbus, FAMILIES[product.family])
    yield (
        "HJ 212 frames",
        lambda data: [segment_of(one.data) for one in Framer().feed(data) if isinstance(one, StationFrame)],
    )
    yield "HJ 212 segment", segment_of
    yield "Modbus TCP", lambda data: asked(TcpFraming(), data)
    yield "Modbus RTU", lambda data: asked(RtuFraming((b"ping", b"CITY0001")), data)
    yield "MQTT", lambda data: Reader(SIZE * 2).feed(data)
    yield (
        "downlink fate",
        lambda data: downlinks.fate("application/1/device/70b3d5b020073208/event/ack", data),
    )
    yield "reply", decode_reply
    yield "command", decode_command


class Nobody:
    """Where frames of this drill come from."""

    address = "drill"

    def settle(self, tokens: Sequence[int], refused: Mapping[int, Refusal]) -> None: ...


def decoded(decoding: Decoding, lane: Lane, data: bytes) -> object:
    return decoding.decode([Frame(lane, 0, data, 0, Nobody(), 0, "")])


def asked(framing: TcpFraming | RtuFraming, data: bytes) -> object:
    framing.frame(REQUEST)
    return framing.take(data, REQUEST, [REQUEST])


def seconds(parse: Callable[[bytes], object], data: bytes) -> float:
    began = process_time()
    with suppress(Refused, Desync, ProtocolError):
        parse(data)
    return process_time() - began


@pytest.mark.drill
def test_no_parser_works_long_on_sixty_four_kibibytes() -> None:
    found: list[tuple[float, str, str]] = []
    for name, parse in parsers():
        for kind, data in hostile():
            took = seconds(parse, data)
            for _ in range(TRIES if took > BOUND / 2 else 0):
                took = min(took, seconds(parse, data))
            found.append((took, name, kind))
    found.sort(reverse=True)
    for took, name, kind in found[:10]:
        print(f"\n{1e3 * took:.1f} ms: {name}, {kind}", end="")
    print(f"\n{len(found)} pairs of a parser and what it was given")
    assert found[0][0] <= BOUND, found[:10]
