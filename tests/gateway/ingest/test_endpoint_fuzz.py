"""Whatever a client says, its connection lives on or ends; nothing else happens to the gateway."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.mqtt.packets import V5, Connect, Packet
from drivers.mqtt.reader import Reader
from drivers.mqtt.writer import encode
from gateway.ingest.connection import Connection
from gateway.ingest.endpoint_settings import EndpointSettings
from tests.drivers.mqtt import strategies as mqtt
from tests.gateway.ingest.mqtt_city import SECRET, City, Memory


class Wire(asyncio.Transport):
    """Notes what is written; its own end is the protocol's business."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.written += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@settings(max_examples=60)
@given(st.data(), mqtt.VERSIONS, st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=2))
def test_any_dialogue_is_answered_in_mqtt(
    data: st.DataObject, version: int, damage: list[tuple[int, int]]
) -> None:
    it = City(EndpointSettings(), Memory(), 1000)
    wire = Wire()
    connection = Connection(it.endpoint._hub)
    connection.connection_made(wire)
    hello = Connect(
        "c", version, username="DU-1", password=SECRET.encode(), will=data.draw(mqtt.wills(version))
    )
    packets: list[Packet] = data.draw(st.lists(mqtt.from_client(version), max_size=6))
    said = bytearray(b"".join(encode(packet, version, server=False) for packet in packets))
    for place, byte in damage:
        if said:
            said[place % len(said)] = byte
    connection.data_received(encode(hello, version))
    for start in range(0, len(said), 50):
        connection.data_received(bytes(said[start : start + 50]))
    taken = it.inbox.take(1000)
    it.settle(taken)
    connection.connection_lost(None)
    assert connection.over
    answers = Reader(1 << 20, version).feed(wire.written)
    assert answers
    assert all(frame.verdict or frame.lane for frame in taken)
    assert it.endpoint.connections == 0
    assert version == V5 or it.endpoint.sessions == 0
