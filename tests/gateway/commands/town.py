"""A town of lamps under commands: a real store and registry, a clock that stands still, and lamps that do as they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from drivers.dialogue import Order, Reply, decode_command
from drivers.families import FAMILIES
from drivers.telemetry import SECOND, Batch, Quality
from gateway.commands.commands import Commands
from gateway.commands.lifecycle import State
from gateway.commands.record import Change, Command, Instruction
from gateway.commands.request import Wish
from gateway.commands.selection import Target
from gateway.commands.settings import CommandSettings
from gateway.history.latest import Latest
from tests.gateway.registry.city import PRODUCTS, City, csv, open_city

ZONE: Final = ZoneInfo("Asia/Shanghai")
NOON: Final = int(datetime(2026, 9, 22, 12, tzinfo=ZONE).timestamp()) * SECOND
NIGHT: Final = int(datetime(2026, 9, 22, 21, tzinfo=ZONE).timestamp()) * SECOND
ANN, BOB = "token:ann", "token:bob"


@dataclass
class Lamps:
    """Every transport at once. away: lamps that no transport reaches."""

    away: set[str] = field(default_factory=set)
    sent: list[tuple[str, Order, int]] = field(default_factory=list)
    halted: bool = False
    clock: Any = None

    def deliver(self, family: str, device: str, payload: bytes, expires: int) -> bool:
        assert family in FAMILIES
        assert not self.halted, "the switch is pulled"
        if device in self.away:
            return False
        order = decode_command(payload)
        assert order.expires == expires // 1000
        assert self.clock.now() < expires, "an expired command never leaves"
        self.sent.append((device, order, self.clock.now()))
        return True

    def halt(self) -> None:
        self.halted = True

    def resume(self) -> None:
        self.halted = False

    def told(self) -> list[str]:
        return [device for device, _, _ in self.sent]


@dataclass
class Town:
    city: City
    commands: Commands
    lamps: Lamps
    latest: Latest
    changes: list[Change]

    async def lamp(self, *ids: str, product: str = "generic-streetlight", **fields: Any) -> None:
        form = {
            "lat": 31.2,
            "lon": 121.4,
            "attributes": {"rated_power": 100},
            "area": "xuhui/tianping",
            **fields,
        }
        for name in ids:
            await self.city.devices.create({**form, "id": name, "product": product}, "token:test")

    async def street(self, n: int, area: str = "xuhui/tianping", parent: str = "") -> list[str]:
        """n lamps of an area, by the CSV import."""
        street = area.rpartition("/")[2]
        ids = [f"{street}-{number:04}" for number in range(n)]
        lines = [f"{one},generic-streetlight,{area},31.2,121.4,{parent},100" for one in ids]
        file = csv(["id,product,area,lat,lon,parent,attr.rated_power", *lines])
        done = await self.city.devices.import_csv(BytesIO(file), "token:test")
        assert not done.faults, done.faults[:3]
        return ids

    async def wish(self, name: str, args: dict[str, Any], actor: str = ANN, **more: Any) -> Instruction:
        target = Target(
            **{key: more.pop(key) for key in ("devices", "cabinet", "road", "area", "family") if key in more}
        )
        return await self.commands.request(Wish(name, target, args, **more), actor)

    async def passes(self, seconds: float) -> None:
        self.city.clock.time += round(seconds * SECOND)
        await self.commands.turn()

    async def reply(self, device: str, result: str = "applied", id: str = "", **values: float) -> bool:  # noqa: A002
        """To what this lamp was sent last."""
        name = id or next(order.id for told, order, _ in reversed(self.lamps.sent) if told == device)
        reply, now = Reply(name, result, None, values), self.city.clock.now()
        return await self.city.store.write(lambda conn: self.commands.answer(conn, device, reply, now))

    async def obey(self, devices: Sequence[str]) -> None:
        """They answer, and a second later their readings show it."""
        for device in devices:
            order = next(order for told, order, _ in reversed(self.lamps.sent) if told == device)
            await self.reply(device)
            level = order.args.get("level", 100 * order.args.get("state", 1))
            self.says(device, switch=float(level > 0), dimming=level, power=level or 0.6)
        await self.passes(1)

    def says(self, device: str, **values: float) -> None:
        """A reading of half a second from now, heard by the gateway then."""
        entry = self.city.directory.device(device)
        assert entry is not None
        family = FAMILIES[entry.family]
        batch = Batch.empty(family, 1)
        batch.device[0] = entry.index
        batch.time[0] = batch.received[0] = self.city.clock.now() + SECOND // 2
        for name, value in values.items():
            batch.values[family.index[name], 0] = value
            batch.quality[family.index[name], 0] = np.uint8(Quality.GOOD)
        self.latest.update(batch)
        self.commands.hear([batch])

    async def of(self, one: Instruction) -> list[Command]:
        return await self.commands.of_instruction(one.id, 0, 100_000)

    async def states(self, one: Instruction) -> list[State]:
        return [each.state for each in await self.of(one)]

    async def again(self, one: Instruction) -> Instruction:
        return await self.commands.find(one.id)

    def restart(self, **settings: Any) -> Town:
        """Another process on the same store; it has to `load`."""
        return build(self.city, self.lamps, self.latest, CommandSettings(**settings))


def build(city: City, lamps: Lamps, latest: Latest, settings: CommandSettings) -> Town:
    changes: list[Change] = []
    commands = Commands(
        city.store,
        city.clock,
        city.directory,
        PRODUCTS,
        latest,
        settings,
        lambda told, _: changes.extend(told),
    )
    commands.bind(lamps)
    return Town(city, commands, lamps, latest, changes)


@asynccontextmanager
async def open_town(path: Path, start: int = NOON, url: str = "", **settings: Any) -> AsyncIterator[Town]:
    async with open_city(path, url) as city:
        city.clock.time = start
        town = build(city, Lamps(clock=city.clock), Latest(FAMILIES), CommandSettings(**settings))
        await town.commands.load()
        yield town
