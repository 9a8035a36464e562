"""LoRaWAN network servers: through a real broker and at the endpoint, under their own topics, for their own devices."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from drivers.lorawan.envelopes import Uplink, write
from drivers.lorawan.topics import UPLINKS, parse
from drivers.products import catalog
from drivers.refusal import Reason, Refused
from gateway.app import App
from gateway.clock import CityClock
from gateway.config import Config
from gateway.decoding import Decoding
from gateway.ingest.link_routes import Routes
from gateway.ingest.link_settings import LinkSettings
from gateway.registry.directory import Directory, Entry, Principal, Voice
from gateway.registry.secret import digest
from gateway.registry.sources import Source
from tests.gateway.ingest.link_town import Broker, Town

EUI = "70b3d5b020073208"
UP = f"application/430/device/{EUI}/event/up"
TTS = "v3/city@ttn/devices/eui-70B3D5B020073208/up"
STATUS = bytes.fromhex("01F37F205E8244320916200701D20294550401FE50190012501900")


def directory(name: str = EUI, *, retired: bool = False) -> Directory:
    found = Directory()
    found.put([Entry(name, "streetlight", 4, "nas-ul20xx", "xuhui", retired, digest("s"))])
    found.put_voices(
        [
            Voice("lns", UPLINKS, None, "", digest("1")),
            Voice("city", ("city/#",), None, "", digest("2")),
            Voice("far", UPLINKS, None, "huangpu", digest("3")),
        ]
    )
    return found


def route(known: Directory, topic: str, source: str = "lns") -> Any:
    try:
        return known.resolve(Principal("source", source), topic)
    except Refused as refused:
        return refused.reason


@pytest.mark.parametrize(
    ("name", "topic"),
    [(EUI, UP), (EUI.upper(), UP), (EUI, TTS), (EUI.upper(), TTS), (f"eui-{EUI.upper()}", TTS)],
)
def test_a_topic_leads_to_the_device_by_its_eui_or_its_name_there(name: str, topic: str) -> None:
    found = ("nas-ul20xx", "streetlight", 4, "telemetry")
    assert route(directory(name), topic) == found
    routes = Routes(LinkSettings(name="lns", host="h"), catalog(), directory(name), Decoding(catalog()).lane)
    lane, index = routes.find(topic, b"")
    assert (lane.product, lane.family, index, lane.channel) == found


@pytest.mark.parametrize(
    ("topic", "source", "reason"),
    [
        (UP, "city", Reason.FOREIGN_TOPIC),
        (UP, "far", Reason.FOREIGN_TOPIC),
        (UP.replace("3208", "3209"), "lns", Reason.UNKNOWN_DEVICE),
        (UP.replace("/up", "/join"), "lns", Reason.FOREIGN_TOPIC),
        (TTS.replace("/up", "/down/ack"), "lns", Reason.FOREIGN_TOPIC),
    ],
)
def test_a_source_stays_in_its_filters_and_its_area(topic: str, source: str, reason: Reason) -> None:
    assert route(directory(), topic, source) is reason


def test_a_retired_device_is_none() -> None:
    assert route(directory(retired=True), UP) is Reason.UNKNOWN_DEVICE
    routes = Routes(LinkSettings(name="lns", host="h"), catalog(), directory(retired=True), Decoding({}).lane)
    with pytest.raises(Refused):
        routes.find(UP, b"")


@pytest.mark.parametrize(
    "topic",
    [
        UP.replace("/up", "/join"),
        TTS.replace("/up", "/down/ack"),
        "application/1/device//event/up",
        "v3/a/b",
        "v3/a",
    ],
)
def test_only_uplinks_carry_readings(topic: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(topic)
    assert caught.value.reason is Reason.UNKNOWN_TOPIC


def test_an_uplink_s_topic_says_where_its_downlinks_go() -> None:
    assert parse(UP).down == f"application/430/device/{EUI}/command/down"
    assert parse(TTS).down == "v3/city@ttn/devices/eui-70B3D5B020073208/down/push"


async def publish(port: int, topic: str, payload: bytes, *more: str) -> None:
    command = ["mosquitto_pub", "-p", str(port), "-q", "1", "-t", topic, "-s", *more]
    client = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
    await client.communicate(payload)
    assert client.returncode == 0


async def seen(gateway: App) -> dict[str, float]:
    """The newest values of the lamp, once there are any."""
    entry = gateway.core.directory.device(EUI)
    assert entry is not None
    for _ in range(1_500):
        found = gateway.core.derived.latest.get(entry.family, entry.index)
        if found:
            return {name: known.value for name, known in found.items()}
        await gateway.core.clock.sleep(0.02)
    raise AssertionError("nothing came")


@pytest.mark.peer("mosquitto")
@pytest.mark.parametrize("over", ["link", "endpoint"])
async def test_an_uplink_is_in_history(tmp_path: Path, over: str) -> None:
    broker = Broker(tmp_path)
    await broker.start()
    link = {"name": "lns", "host": "127.0.0.1", "port": broker.port, "filters": list(UPLINKS)}
    config = {
        "data": tmp_path / "data",
        "mqtt": {"endpoint": {"port": 0, "host": "127.0.0.1"}, "link": [link]},
        "http": {"port": 0},
        "notify": {"log": []},
    }
    clock = CityClock()
    async with App(Config.model_validate(config), clock) as gateway:
        await gateway.core.devices.create({"id": EUI, "product": "nas-ul20xx"}, "test")
        _, secret = await gateway.core.sources.create(Source("server", ["application/#"], None, ""), "test")
        await Town().until(lambda: next(iter(gateway.doors.links)).up)
        port = broker.port if over == "link" else gateway.doors.endpoint.port
        uplink = Uplink("chirpstack", EUI, "lamp", 23, 3, STATUS, clock.now())
        await publish(port, UP, write(uplink), "-u", "server", "-P", secret)
        newest = await seen(gateway)
    assert (newest["dimming"], newest["temperature"]) == (25.0, 22.0)
    assert newest["lux"] == pytest.approx(299.9, abs=0.05)
    await broker.stop()
