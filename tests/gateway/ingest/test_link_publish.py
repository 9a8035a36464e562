"""What a link publishes for other platforms, over a real mosquitto that goes and comes back."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.mqtt.packets import V5, Connack, Connect, Publish, Subscribe, Subscription
from drivers.mqtt.reader import Reader
from drivers.mqtt.writer import encode, pubacks
from gateway.app import App
from gateway.cases import query
from gateway.clock import CityClock
from gateway.config import Config
from gateway.ingest.link import Link
from gateway.store.schema.cases import outbox
from tests.gateway.ingest.link_town import Broker, linked

pytestmark = pytest.mark.peer("mosquitto")

PATIENCE = 10.0
CLOCK = CityClock()


class Platform(asyncio.Protocol):
    """Another platform at the broker: what it knows of each topic, as of now. emptied: topics that were taken back."""

    kinds = frozenset(("alarms", "cases", "devices"))

    def __init__(self, port: int, pattern: str = "city/#") -> None:
        self.known: dict[str, dict[str, Any]] = {}
        self.emptied: set[str] = set()
        self.heard: list[str] = []  # ids, in order
        self._port = port
        self._pattern = pattern
        self._reader = Reader(1 << 20, V5)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(encode(Connect("platform", V5, keepalive=60), V5, server=False))

    def data_received(self, data: bytes) -> None:
        for packet in self._reader.feed(data):
            if isinstance(packet, Connack):
                ask = Subscribe(1, (Subscription(self._pattern, 1),))
                self.transport.write(encode(ask, V5, server=False))
            elif isinstance(packet, Publish):
                if packet.qos:
                    self.transport.write(pubacks((packet.packet_id,)))
                if packet.topic.split("/")[1] in self.kinds:
                    self._take(packet)

    def _take(self, packet: Publish) -> None:
        if packet.payload:
            self.known[packet.topic] = document = json.loads(packet.payload)
            self.heard.append(document["id"])
        else:
            self.known.pop(packet.topic, None)
            self.emptied.add(packet.topic)

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not true():
                await CLOCK.sleep(0.01)

    def under(self, kind: str) -> list[dict[str, Any]]:
        return [known for topic, known in self.known.items() if topic.startswith(f"city/{kind}/")]


@asynccontextmanager
async def platform(port: int, pattern: str = "city/#") -> AsyncIterator[Platform]:
    it = Platform(port, pattern)
    await asyncio.get_running_loop().create_connection(lambda: it, "127.0.0.1", port)
    try:
        yield it
    finally:
        it.transport.abort()
        await CLOCK.sleep(0)


def configuration(folder: Path, port: int, **more: Any) -> Config:
    options: dict[str, Any] = {"publish": ["alarms", "cases", "devices"], "reconnect_cap": 1.0}
    link = linked(port, **(options | more)).model_dump(exclude_unset=True)
    return Config.model_validate(
        {
            "data": folder / "data",
            "mqtt": {"endpoint": {"enabled": False}, "link": [link]},
            "http": {"port": 0},
            "notify": {"log": []},
        }
    )


def link_of(gateway: App) -> Link:
    return next(iter(gateway.doors.links))


async def up(gateway: App) -> None:
    async with asyncio.timeout(PATIENCE):
        while not link_of(gateway).up:
            await CLOCK.sleep(0.01)


async def lid(port: int, device: str, state: str) -> None:
    payload = json.dumps({"v": {"cover": state}})
    words = ["mosquitto_pub", "-p", str(port), "-q", "1", "-t", f"city/manhole/{device}/telemetry"]
    process = await asyncio.create_subprocess_exec(*words, "-m", payload)
    assert await process.wait() == 0


async def cover(gateway: App, device: str) -> None:
    form = {"id": device, "product": "generic-manhole", "link": "broker", "area": "city/old-town"}
    await gateway.core.devices.create(form, "test")


async def test_alarms_cases_and_devices_are_told_and_taken_back(tmp_path: Path) -> None:
    async with Broker(tmp_path) as broker, platform(broker.port) as it:
        async with App(configuration(tmp_path, broker.port, publish_keep=0)) as gateway:
            await up(gateway)
            await cover(gateway, "MH-1")
            await it.until(lambda: "city/devices/MH-1" in it.known)
            told = it.known["city/devices/MH-1"]
            assert (told["event"], told["device"]["product"]) == ("device.changed", "generic-manhole")
            assert "digest" not in told["device"]
            await lid(broker.port, "MH-1", "open")
            await it.until(lambda: it.under("alarms") and it.under("cases"))
            (alarm,), (case,) = it.under("alarms"), it.under("cases")
            assert (alarm["alarm"]["device"], alarm["alarm"]["state"]) == ("MH-1", "active")
            assert case["case"]["id"] == alarm["alarm"]["case"]
            await lid(broker.port, "MH-1", "closed")
            await it.until(lambda: f"city/alarms/{alarm['alarm']['id']}" in it.emptied)
            assert not it.under("alarms")
            await gateway.core.devices.change("MH-1", {"retired": "true"}, "test")
            await it.until(lambda: "city/devices/MH-1" in it.emptied)
        async with platform(broker.port) as late:  # what stands is retained
            await late.until(lambda: late.under("cases"))
            assert not late.under("alarms")
            assert not late.under("devices")


async def test_an_outage_costs_lag_and_the_last_word_is_the_truth(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    async with broker, App(configuration(tmp_path, broker.port)) as gateway:
        await up(gateway)
        for number in range(20):
            await cover(gateway, f"MH-{number}")
        await broker.stop()
        async with asyncio.timeout(PATIENCE):
            while link_of(gateway).up:
                await CLOCK.sleep(0.01)
        for number in range(20):
            await gateway.core.devices.change(f"MH-{number}", {"name": f"cover {number}"}, "test")
        await broker.start()
        async with platform(broker.port) as it:
            await it.until(lambda: len([d for d in it.under("devices") if d["device"]["name"]]) == 20)


async def test_what_was_undelivered_at_a_stop_goes_out_with_the_next_start(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    async with App(configuration(tmp_path, broker.port)) as gateway:  # the broker is not there yet
        await cover(gateway, "MH-1")
    async with broker, App(configuration(tmp_path, broker.port)), platform(broker.port) as it:
        await it.until(lambda: it.under("devices"))


async def test_a_broker_that_lost_everything_is_told_everything_anew(tmp_path: Path) -> None:
    broker = Broker(tmp_path, "persistence false\n")
    async with broker, App(configuration(tmp_path, broker.port)) as gateway:
        await up(gateway)
        await cover(gateway, "MH-1")
        await lid(broker.port, "MH-1", "open")
        async with platform(broker.port) as it:
            await it.until(lambda: it.under("cases") and it.under("devices"))
        await broker.stop(signal.SIGKILL)
        await broker.start()
        async with platform(broker.port) as again:
            await again.until(
                lambda: again.under("alarms") and again.under("cases") and again.under("devices")
            )
            assert again.under("alarms")[0]["event"] == "alarm.stands"


async def test_what_stood_before_is_told_when_publishing_begins_and_taken_back_when_it_ends(
    tmp_path: Path,
) -> None:
    async with Broker(tmp_path) as broker, platform(broker.port) as it:
        async with App(configuration(tmp_path, broker.port, publish=[])) as gateway:
            await up(gateway)
            await cover(gateway, "MH-1")
            await lid(broker.port, "MH-1", "open")
            async with asyncio.timeout(PATIENCE):
                while not (await gateway.core.store.read(query.cases)).items:
                    await CLOCK.sleep(0.01)
        assert not it.under("cases")
        async with App(configuration(tmp_path, broker.port)):
            await it.until(lambda: it.under("alarms") and it.under("cases") and it.under("devices"))
        async with App(configuration(tmp_path, broker.port, publish=["cases"])):
            await it.until(lambda: not it.under("alarms") and not it.under("devices"))
            assert it.under("cases")


async def test_a_refused_topic_is_tried_again_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "acl").write_text("topic read #\ntopic write city/manhole/#\n")
    listener = f"allow_anonymous true\nacl_file {tmp_path}/acl\n"
    async with (
        Broker(tmp_path, listener=listener) as broker,
        App(configuration(tmp_path, broker.port)) as gateway,
    ):
        await up(gateway)
        await cover(gateway, "MH-1")
        async with asyncio.timeout(PATIENCE):
            while not (kept := await gateway.core.store.read(_errors)):
                await CLOCK.sleep(0.02)
        assert kept == ["the broker refuses city/devices/MH-1: 0x87"]


def _errors(conn: Any) -> list[str]:
    return [row.error for row in conn.execute(outbox.select()) if row.error]
