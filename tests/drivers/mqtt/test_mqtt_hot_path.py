"""Reports what one PUBLISH costs; asserts only that the frequent form and the general one agree."""

from __future__ import annotations

from timeit import repeat

import pytest

from drivers.mqtt.packets import V5, V311, Connect, Packet, Publish
from drivers.mqtt.reader import Reader
from drivers.mqtt.writer import encode


@pytest.mark.parametrize("version", [V311, V5])
def test_many_small_publishes_in_one_read(version: int, capsys: pytest.CaptureFixture[str]) -> None:
    packets: list[Packet] = [
        Publish(f"city/dust/DU-{number % 40:05}/telemetry", bytes(55 + number % 60), 1, number + 1)
        for number in range(550)
    ]
    data = b"".join(encode(packet, version, server=False) for packet in packets)
    reader = Reader(1 << 18)
    reader.feed(encode(Connect("c", version), version))
    assert reader.feed(data) == packets
    best = min(repeat(lambda: reader.feed(data), number=3, repeat=10)) / 3 / len(packets)
    with capsys.disabled():
        print(f"\nMQTT level {version}: {best * 1e6:.2f} us a PUBLISH of {len(data) // len(packets)} bytes")
