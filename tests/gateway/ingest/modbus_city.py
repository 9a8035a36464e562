"""A gateway's edge with Modbus buses and nothing else: an inbox to read from, a register of devices, simulated slaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec

from drivers.families import FAMILIES
from drivers.modbus.register_map import RegisterMap
from drivers.modbus.values import images
from drivers.products import catalog
from drivers.refusal import Reason
from gateway.clock import CityClock
from gateway.ingest.inbox import Frame, Inbox, Lane
from gateway.ingest.modbus_bus import City
from gateway.ingest.modbus_buses import Buses
from gateway.ingest.modbus_settings import ModbusSettings
from gateway.tasks import Tasks
from simulators.modbus_slaves import Fault, Line, Slave

PATIENCE = 30.0  # seconds for what must come


@dataclass
class Device:
    id: str
    family: str
    product: str
    index: int
    retired: bool = False


class Register:
    """As much of the directory as a bus asks."""

    def __init__(self, *devices: Device) -> None:
        self.generation = 1
        self.devices = {device.id: device for device in devices}

    def device(self, id: str, /) -> Device | None:  # noqa: A002
        return self.devices.get(id)


class ModbusCity:
    def __init__(self, register: Register, *settings: ModbusSettings) -> None:
        self.register = register
        self.inbox = Inbox(10_000)
        self.clock = CityClock()
        self.lanes: dict[tuple[str, str, str], Lane] = {}
        self.city = City(self.inbox, register, self._lane, catalog(), self.clock)
        self.buses = Buses(settings, self.city, Random(1))
        self.frames: list[Frame] = []

    def _lane(self, product: str, family: str, channel: str) -> Lane:
        return self.lanes.setdefault((product, family, channel), Lane(product, family, channel))

    async def until(
        self, count: int, channel: str = "telemetry", device: int | None = None
    ) -> list[dict[str, Any]]:
        """The next `count` payloads of a channel, as documents; frames are consumed."""
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(PATIENCE):
            while len(found) < count:
                await self.inbox.wait()
                for frame in self.inbox.take(10_000):
                    self.frames.append(frame)
                    if (
                        frame.lane is not None
                        and frame.lane.channel == channel
                        and device in {None, frame.device}
                    ):
                        found.append(msgspec.json.decode(frame.payload))
        return found[:count]

    async def refused(self) -> tuple[Reason, str, bytes]:
        async with asyncio.timeout(PATIENCE):
            while True:
                await self.inbox.wait()
                for frame in self.inbox.take(10_000):
                    if frame.verdict is not None:
                        return frame.verdict, frame.detail, frame.payload


@asynccontextmanager
async def running(register: Register, *settings: ModbusSettings) -> AsyncIterator[ModbusCity]:
    city = ModbusCity(register, *settings)
    async with Tasks() as tasks:
        await city.buses.start(tasks)
        try:
            yield city
        finally:
            await city.buses.stop()


def bus(kind: str = "tcp", **given: Any) -> ModbusSettings:
    return ModbusSettings.model_validate({"name": "b", "kind": kind, "timeout": "200ms"} | given)


def registers(product: str) -> RegisterMap:
    found = catalog()[product].modbus
    assert found is not None
    return found


def slaves(
    product: str, units: dict[str, int], values: dict[str, float], fault: Fault | None = None
) -> list[Slave]:
    """The slaves of one device of a product, saying these values."""
    said = images(registers(product), FAMILIES[catalog()[product].family], values)
    return [Slave(unit, said[module], fault or Fault()) for module, unit in units.items()]


def line(*members: Slave, rtu: bool = False, baud: int = 0) -> Line:
    return Line(members, Random(2), rtu=rtu, baud=baud)
