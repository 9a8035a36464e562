"""A command to a lamp behind a LoRaWAN network server: queued there, heard after the next uplink, told of, and applied."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

from drivers.families import FAMILIES
from drivers.lorawan.codec import Frames
from drivers.lorawan.envelopes import Server
from drivers.products import catalog
from gateway.app import App
from gateway.commands.record import Command
from gateway.commands.request import Wish
from gateway.commands.selection import Target
from gateway.config import Config
from gateway.registry.sources import Source
from simulators.lorawan_server import Faults, NetworkServer, Node
from tests.gateway.ingest.link_town import Broker
from tests.scenarios.city import HandClock, moment

EUI = "70b3d5b020073208"
NAME = f"eui-{EUI.upper()}"  # as The Things Stack calls it
PATIENCE = 10  # s
FILTERS = [
    "application/+/device/+/event/up",
    "application/+/device/+/event/ack",
    "application/+/device/+/event/txack",
    "v3/+/devices/+/up",
    "v3/+/devices/+/down/+",
]


@dataclass
class Lamp:
    """A UL20xx as its driver sees it."""

    level: float = 0.0
    told: list[str] = field(default_factory=list)

    def say(self) -> Mapping[str, float]:
        return {"dimming": self.level, "temperature": 21.0}

    def obey(self, command: str, args: Mapping[str, float]) -> None:
        self.told.append(command)
        self.level = args["level"]


@dataclass
class Scene:
    gateway: App
    clock: HandClock
    server: NetworkServer
    lamp: Lamp

    async def until(self, reached: Any) -> None:
        async with asyncio.timeout(PATIENCE):
            while not await reached():
                await self.clock.sleep(0.01)

    async def uplink(self, seconds: int = 10) -> None:
        """The lamp reports, and history has it."""
        self.clock.move(self.clock.now() + seconds * 1_000_000)
        self.server.uplink(EUI, self.clock.now())

        async def settled() -> bool:
            return self.server.settled

        await self.until(settled)

    async def dim(self, level: float) -> str:
        wish = Wish("dim", Target(devices=(EUI,)), {"level": level}, lifetime=600_000_000)
        return (await self.gateway.core.commands.request(wish, "token:ann")).id

    async def command(self, id_: str) -> Command:
        await self.gateway.core.commands.turn()
        return (await self.gateway.core.commands.of_instruction(id_, -1, 1))[0]

    async def is_in(self, id_: str, state: str) -> Command:
        async def reached() -> bool:
            return (await self.command(id_)).state == state

        try:
            await self.until(reached)
        except TimeoutError:
            raise AssertionError(await self.command(id_)) from None
        return await self.command(id_)

    async def waits_there(self) -> None:
        async def queued() -> bool:
            return len(self.server.nodes[EUI].waiting) == 1

        await self.until(queued)

    def quarantined(self) -> int:
        return self.gateway.core.quarantine.counts.total()


@asynccontextmanager
async def scene(
    folder: Path,
    over: str,
    kind: Server = "chirpstack",
    faults: Faults | None = None,
    login: str = "lns",
) -> AsyncIterator[Scene]:
    broker = Broker(folder)
    link = {"name": "lns", "host": "127.0.0.1", "port": broker.port, "filters": FILTERS, "coalesce_ms": 0}
    mqtt = {"endpoint": {"port": 0, "host": "127.0.0.1"}, "link": [link] if over == "link" else []}
    config = {"data": folder / "data", "mqtt": mqtt, "http": {"port": 0}, "notify": {"log": []}}
    config |= {"pipeline": {"tick_ms": 1}, "commands": {"rate": "0s"}}
    clock = HandClock(moment("12:00"))
    codec = catalog()["nas-ul20xx"].codec
    assert isinstance(codec, Frames)
    lamp = Lamp()
    async with broker, App(Config.model_validate(config), clock) as gateway:
        form = {"id": EUI, "product": "nas-ul20xx", "area": "xuhui", "attributes": {"rated_power": 100}}
        if gateway.core.directory.device(EUI) is None:
            await gateway.core.devices.create(form, "test")
        _, secret = await gateway.core.sources.create(
            Source(login, ["application/#", "v3/#"], None, ""), "test"
        )
        at = (broker.port, None) if over == "link" else (gateway.doors.endpoint.port, (login, secret))
        node = Node(EUI, NAME, codec, lamp.say, lamp.obey)
        server = NetworkServer([node], Random(7), kind, "430", login=at[1], faults=faults)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: server, "127.0.0.1", at[0])
        assert await server.ready == (1,), "it may hear the commands for its devices"
        it = Scene(gateway, clock, server, lamp)

        async def up() -> bool:
            return all(link.up for link in gateway.doors.links)

        await it.until(up)
        yield it
        server.leave()
        await server.gone


WAYS = [("link", "chirpstack"), ("link", "thethingsstack"), ("endpoint", "chirpstack")]


@pytest.mark.peer("mosquitto")
@pytest.mark.parametrize(("over", "kind"), WAYS)
async def test_a_command_reaches_the_lamp_and_its_next_uplink_shows_it(
    tmp_path: Path, over: str, kind: Server
) -> None:
    async with scene(tmp_path, over, kind) as it:
        await it.uplink()
        one = await it.dim(40.0)
        await it.is_in(one, "sent")
        await it.waits_there()
        assert it.lamp.told == [], "class A: it hears after its next uplink"
        await it.uplink()
        assert it.lamp.told == ["dim"]
        assert (await it.command(one)).state == "sent", "sent by a gateway is not yet heard by a lamp"
        await it.uplink()
        await it.is_in(one, "applied")
        history = await it.gateway.core.commands.history(one, 0, 20)
        assert [line.event for line in history if line.command][-3:] == ["send", "deliver", "apply"]
        assert it.quarantined() == 0


@pytest.mark.peer("mosquitto")
@pytest.mark.parametrize(("over", "kind"), WAYS)
async def test_a_command_that_the_lamp_does_not_hear_has_failed(
    tmp_path: Path, over: str, kind: Server
) -> None:
    async with scene(tmp_path, over, kind, Faults(lost_downlinks=1.0)) as it:
        await it.uplink()
        one = await it.dim(40.0)
        await it.waits_there()
        await it.uplink()
        await it.uplink()
        failed = await it.is_in(one, "failed")
        assert failed.error == "the device did not acknowledge it"
        assert it.lamp.level == 0.0


async def test_before_its_first_uplink_there_is_no_way_to_a_lamp(tmp_path: Path) -> None:
    async with scene(tmp_path, "endpoint") as it:
        one = await it.dim(40.0)
        assert (await it.command(one)).state == "approved"
        await it.uplink()
        await it.is_in(one, "sent")
        await it.waits_there()


async def test_the_way_down_survives_a_restart(tmp_path: Path) -> None:
    async with scene(tmp_path, "endpoint") as it:
        await it.uplink()
    async with scene(tmp_path, "endpoint", login="lns-2") as it:
        one = await it.dim(40.0)
        await it.is_in(one, "sent")
        await it.waits_there()
        assert it.lamp.told == [], "it has not spoken since the start"


async def test_copies_and_spelled_out_zeros_are_one_reading_each(tmp_path: Path) -> None:
    async with scene(tmp_path, "endpoint", faults=Faults(duplicates=1.0, zeros=0.5)) as it:
        for _ in range(20):
            await it.uplink(600)
        assert len(it.server.handed) == len(it.server.acked) == 20
        start, end = moment("00:00"), moment("23:59")
        found = it.gateway.core.queries.readings(FAMILIES["streetlight"], start, end)
        times = [time async for rows in found for time in rows.time.tolist()]
        assert times == sorted(time for _, time in it.server.handed)
        assert it.quarantined() == 0


async def test_who_may_not_speak_for_a_lamp_neither_hears_its_commands_nor_tells_of_them(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, "endpoint") as it:
        wanted = Source("far", ["application/#"], None, "huangpu")
        _, secret = await it.gateway.core.sources.create(wanted, "test")
        codec = it.server.nodes[EUI].codec
        spy = NetworkServer(
            [Node(EUI, NAME, codec, it.lamp.say, it.lamp.obey)], Random(1), login=("far", secret)
        )
        port = it.gateway.doors.endpoint.port
        await asyncio.get_running_loop().create_connection(lambda: spy, "127.0.0.1", port)
        assert await spy.ready == (1,)
        await it.uplink()
        one = await it.dim(40.0)
        await it.waits_there()
        assert not spy.nodes[EUI].waiting
        spy.nodes[EUI].unacknowledged = (it.server.nodes[EUI].waiting[0], True)
        spy.uplink(EUI, it.clock.now())

        async def told() -> bool:
            return spy.settled

        await it.until(told)
        assert (await it.command(one)).state == "sent"
        assert it.quarantined() == 2, "its uplink and its word on the command"
        spy.leave()
        await spy.gone


async def test_the_kill_switch_takes_back_what_a_server_has_not_fetched(tmp_path: Path) -> None:
    async with scene(tmp_path, "endpoint") as it:
        await it.uplink()
        it.server.leave()
        await it.server.gone
        one = await it.dim(40.0)
        assert (await it.command(one)).state == "approved", "its server is away, and keeps no session"
        await it.gateway.core.commands.stop("token:ann", "test")
        assert (await it.command(one)).state == "failed"
