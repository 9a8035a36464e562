"""Drills of the bus on real sockets: a line timed as 9,600 baud, a thousand slaves, and speed beside pymodbus' own client."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
import uvloop
from pymodbus.client import AsyncModbusTcpClient

from drivers.families import FAMILIES
from drivers.modbus.master import Limits, Master
from drivers.modbus.poll import BOUNDS, Target
from drivers.modbus.register_map import Module, Register
from drivers.modbus.station import Station
from drivers.modbus.wire import TcpFraming
from gateway.clock import CityClock
from simulators.modbus_slaves import Fault, Line, Slave, Slaves
from tests.gateway.ingest.modbus_city import Device, bus, running, slaves
from tests.gateway.ingest.modbus_city import Register as Roll

ROOT = Path(__file__).parents[3]
BAUD = 9_600
BAD = {3: Fault(dead=True), 7: Fault(late=0.8), 11: Fault(garbled=1.0), 14: Fault(exception=4)}


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@contextmanager
def farm(units: int) -> Iterator[int]:
    command = [sys.executable, "-m", "tests.gateway.ingest.modbus_farm", str(units)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield int(process.stdout.readline())
        process.stdin.close()


@pytest.mark.drill
async def test_a_line_of_sixteen_at_9600_baud() -> None:
    """Twelve healthy slaves beside a dead, a late, a garbling and an excepting one; the wire's own time is the measure."""
    seconds, warm, turnaround = 40.0, 10.0, 0.01
    members: list[Slave] = []
    for unit in range(1, 17):
        said = {"pm10": 1000.0 + unit, "pm25": 2000.0 + unit, "wind_speed": 1.0, "rain": 0.2}
        (one,) = slaves("renke-fsxcs", {"main": unit}, said, BAD.get(unit))
        one.turnaround = turnaround
        members.append(one)
    peer = Slaves(Line(members, Random(3), rtu=True, baud=BAUD))
    await peer.listen()
    roll = Roll(*(Device(f"ST-{unit}", "dust", "renke-fsxcs", unit) for unit in range(1, 17)))
    given = [{"device": f"ST-{unit}", "unit": unit, "period": "10ms"} for unit in range(1, 17)]
    settings = bus("rtu-tcp", port=peer.port, slaves=given, timeout="500ms", silence="60s")
    counts = dict.fromkeys(range(1, 17), 0)
    async with running(roll, settings) as city:
        begin = city.clock.monotonic() + warm
        end = begin + seconds
        while city.clock.monotonic() < end:
            for document, device in await _readings(city):
                counts[device] += city.clock.monotonic() >= begin
                assert document["v"]["pm10"] == 1000.0 + device
                assert document["v"]["pm25"] == 2000.0 + device
        overshoot = city.buses.buses[0].master.counters.overshoot
    await peer.close()
    exchange = peer.line.wire(8) + turnaround + peer.line.wire(5 + 28)
    ideal = seconds / (12 * exchange)
    healthy = [count for unit, count in counts.items() if unit not in BAD]
    print(
        f"\nbus: {min(healthy)} to {max(healthy)} polls of {ideal:.0f} = {min(healthy) / ideal:.1%}, overshoot {overshoot * 1000:.1f} ms"
    )
    assert min(healthy) >= 0.95 * ideal
    assert all(counts[unit] == 0 for unit in BAD)
    assert overshoot <= 0.1


async def _readings(city: Any) -> list[tuple[dict[str, Any], int]]:
    await city.inbox.wait()
    return [
        (msgspec.json.decode(frame.payload), frame.device)
        for frame in city.inbox.take(1_000)
        if frame.lane is not None and frame.lane.channel == "telemetry"
    ]


@pytest.mark.drill
def test_a_thousand_slaves_each_second() -> None:
    """1,000 Modbus TCP slaves of 20 registers, each on its own connection, at a period of 1 s, on one core."""

    async def drill(port: int) -> tuple[int, float, float]:
        roll = Roll(*(Device(f"C-{n}", "streetlight", "modbus-lamp", n) for n in range(1_000)))
        settings = [
            bus(
                name=f"b{n}",
                port=port,
                timeout="1s",
                slaves=[{"device": f"C-{n}", "unit": 1, "period": "1s"}],
            )
            for n in range(1_000)
        ]
        async with running(roll, *settings) as city:
            await city.clock.sleep(5)
            began, used = city.clock.monotonic(), cpu()
            for one in city.buses.buses:
                one.members[0].target.pace.jitter = [0] * (len(BOUNDS) + 1)
            while city.clock.monotonic() < began + 20:
                city.inbox.take(10_000)
                await city.clock.sleep(0.1)
            share = (cpu() - used) / (city.clock.monotonic() - began)
            totals = [
                sum(each)
                for each in zip(*(one.members[0].target.pace.jitter for one in city.buses.buses), strict=True)
            ]
        rounds, running_ = sum(totals), 0
        for bound, count in zip((*BOUNDS, 99.0), totals, strict=True):
            running_ += count
            if running_ >= 0.99 * rounds:
                return rounds, bound, share
        raise AssertionError

    with farm(1) as port:
        rounds, p99, share = uvloop.run(drill(port))
    print(f"\n1,000 slaves: {rounds} polls in 20 s, p99 jitter ≤ {p99 * 1000:g} ms, {share:.0%} of a core")
    assert rounds >= 19_000
    assert p99 <= 0.1


MODULE = Module("main", tuple(Register("pm10", address) for address in range(20)))


class Fast(asyncio.Protocol):
    """Our master, as fast as its slave answers."""

    def __init__(self, clock: CityClock) -> None:
        self._clock = clock
        target = Target("D", (Station(1, MODULE, FAMILIES["dust"]),), 1e-6)
        self.master = Master(TcpFraming(), [target], Limits(), clock.monotonic())

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self.master.receive(data, self._clock.monotonic())
        self.master.events.clear()
        self._send()

    def _send(self) -> None:
        data = self.master.send(self._clock.monotonic())
        if data is not None:
            self._transport.write(data)


@pytest.mark.drill
def test_requests_a_second_beside_the_client_of_pymodbus() -> None:
    clock = CityClock()

    async def ours(port: int) -> float:
        loop, began = asyncio.get_running_loop(), cpu()
        links = [await loop.create_connection(lambda: Fast(clock), "127.0.0.1", port) for _ in range(50)]
        await clock.sleep(5)
        count = sum(protocol.master.counters.answers for _, protocol in links)
        used = cpu() - began
        for transport, _ in links:
            transport.abort()
        return count / used

    async def theirs(port: int) -> float:
        began, counts = cpu(), [0] * 50
        clients = [AsyncModbusTcpClient("127.0.0.1", port=port) for _ in range(50)]
        for client in clients:
            await client.connect()
        end = clock.monotonic() + 5

        async def poll(number: int) -> None:
            while clock.monotonic() < end:
                await clients[number].read_holding_registers(0, count=20, device_id=1)
                counts[number] += 1

        await asyncio.gather(*(poll(number) for number in range(50)))
        for client in clients:
            client.close()
        return sum(counts) / (cpu() - began)

    with farm(1) as port:
        mine, other = uvloop.run(ours(port)), uvloop.run(theirs(port))
    print(
        f"\nrequests a CPU second over 50 connections: ours {mine:,.0f}, pymodbus' client {other:,.0f}, {mine / other:.1f} times"
    )
    assert mine >= 1.4 * other  # the aim is twice; what the machine gives is printed
