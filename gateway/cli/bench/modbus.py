"""Modbus: a thousand slaves behind the running gateway, and how much CPU a request costs beside pymodbus' own client.

The slaves are in a process of their own. Both clients ask the same slaves for the same registers, one after the other.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path
from time import process_time
from typing import Any, Final

import httpx
from pymodbus.client import AsyncModbusTcpClient

from drivers.families import FAMILIES
from drivers.modbus.master import Limits, Master
from drivers.modbus.poll import BOUNDS, Target
from drivers.modbus.register_map import Module, Register
from drivers.modbus.station import Station
from drivers.modbus.wire import TcpFraming
from gateway.cli.bench.cpu import spent
from gateway.cli.bench.figure import Figure, of
from gateway.cli.bench.service import CONFIG, Service, running
from gateway.cli.bench.simulator import simulating
from gateway.cli.bench.stopwatch import collected_as_in_service
from gateway.cli.remote import ask
from gateway.clock import CityClock, Clock
from gateway.errors import CitygateError, LinkError

SLAVES: Final = 1_000
CONNECTIONS: Final = 50
TURNS: Final = 3  # of each client
WARM: Final = 5.0  # seconds that do not count
PATIENCE: Final = 60.0  # seconds until everyone is polled
FARM: Final = "simulators.modbus_farm"
LATE: Final = 100.0  # ms of jitter
TWICE: Final = 2.0
BEYOND: Final = 1e3 * BOUNDS[-1]  # ms: what the histogram's last bucket is given as

# ten float32 in a row: 20 registers, one read
POINTS: Final = ("voltage_a", "voltage_b", "voltage_c", "current_a", "current_b", "current_c")
POINTS_MORE: Final = ("power", "energy", "temperature", "leakage")
REGISTERS: Final = tuple(
    Register(name, 2 * place, "f32") for place, name in enumerate((*POINTS, *POINTS_MORE))
)
MODULE: Final = Module("main", REGISTERS)
LENGTH: Final = 2 * len(REGISTERS)

PRODUCT: Final = "bench-meter"
DECLARED: Final = (
    f"""
[[product]]
id = "{PRODUCT}"
maker = "bench"
model = "twenty registers"
family = "cabinet"
[product.modbus]
kind = "f32"
[product.modbus.points]
"""
    + "\n".join(f"{one.point} = {one.address}" for one in REGISTERS)
    + "\n"
)
BUS: Final = """
[[modbus]]
name = "b{number}"
kind = "tcp"
port = {port}
[[modbus.slaves]]
device = "C-{number}"
unit = 1
period = "1s"
"""
JITTER: Final = re.compile(
    r'^citygate_modbus_jitter_seconds_bucket\{.*?le="([^"]+)".*?\} (\S+)$', re.MULTILINE
)


async def modbus(seconds: float, slaves: int = SLAVES) -> list[Figure]:
    """The lines of Modbus; figures with an error where it fails."""
    found: list[Figure] = []
    for name, measured in (
        (f"Modbus: {slaves:,} slaves x {LENGTH} registers, 1 s", _polled(seconds, slaves)),
        (f"Modbus: requests a CPU second, {CONNECTIONS} connections", _beside(seconds)),
    ):
        try:
            found += await measured
        except (CitygateError, OSError, httpx.HTTPError) as error:
            found.append(Figure(name, "", error=f"{type(error).__name__}: {error}"))
    return found


async def _polled(seconds: float, slaves: int) -> list[Figure]:
    """Jitter as the gateway itself measures it: how far two polls of a device lie off their period."""
    clock = CityClock()
    with tempfile.TemporaryDirectory(prefix="citygate-bench-") as name:
        folder = Path(name)
        async with simulating(folder, FARM, 1) as farm:
            buses = "".join(BUS.format(number=n, port=farm.first) for n in range(slaves))
            async with running(folder, CONFIG + DECLARED + buses) as service:
                await _enrol(service, slaves)
                await _all_polled(service, slaves, clock)
                before, began = await _jitter(service), clock.monotonic()
                used = spent(service.process.pid, [farm.pid])
                await clock.sleep(max(seconds, 3.0))
                after, passed = await _jitter(service), clock.monotonic() - began
                used = spent(service.process.pid, [farm.pid]).since(used)
    counts = [after[edge] - before[edge] for edge in after]
    polls = counts[-1]
    share = used.gateway / passed
    note = (
        f"{polls / passed:,.0f} polls/s; the whole gateway took {share:.0%} of a core; "
        f"others {(used.machine - used.ours) / passed:.0%}"
    )
    title = f"Modbus: {slaves:,} slaves x {LENGTH} registers, 1 s: p99 jitter, at most"
    value = _edge(list(after), counts, 0.99)
    return [
        Figure(title, "ms", value, samples=round(polls), budget=LATE, note=note),
        Figure(
            f"Modbus: polls a second of {slaves:,}",
            "polls/s",
            polls / passed,
            samples=1,
            budget=0.99 * slaves,
            least=True,
        ),
    ]


async def _enrol(service: Service, slaves: int) -> None:
    roll = "id,product,lat,lon\n" + "".join(f"C-{n},{PRODUCT},31.2,121.4\n" for n in range(slaves))
    done = await ask(service.remote, "POST", "/devices/import", content=roll.encode())
    if len(done["created"]) < slaves:
        raise LinkError(f"only {len(done['created'])} of {slaves} devices could be registered")


async def _all_polled(service: Service, slaves: int, clock: Clock) -> None:
    until, last = clock.monotonic() + PATIENCE, 0.0
    while clock.monotonic() < until:
        await clock.sleep(WARM)
        now = max((await _jitter(service)).values())
        if now - last >= 0.9 * WARM * slaves:
            return
        last = now
    raise LinkError(f"{slaves} slaves were not all polled within {PATIENCE:g} s")


async def _jitter(service: Service) -> dict[str, float]:
    """Polls so far by upper edge of jitter (seconds), over all buses; cumulative, +Inf last."""
    answer = await service.remote.get("http://local/metrics")
    answer.raise_for_status()
    totals = dict.fromkeys([*map(str, BOUNDS), "+Inf"], 0.0)
    for edge, count in JITTER.findall(answer.text):
        totals[edge] += float(count)
    return totals


def _edge(edges: list[str], cumulative: list[float], share: float) -> float:
    """ms: the upper edge of the bucket in which this share is reached."""
    for edge, count in zip(edges, cumulative, strict=True):
        if count >= share * cumulative[-1]:
            return BEYOND if edge == "+Inf" else 1e3 * float(edge)
    return BEYOND


class _Fast(asyncio.Protocol):
    """Our master, as fast as its slave answers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        target = Target("D", (Station(1, MODULE, FAMILIES["cabinet"]),), 1e-6)
        self.master = Master(TcpFraming(), [target], Limits(), clock.monotonic())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self.master.receive(data, self._clock.monotonic())
        self.master.events.clear()
        self._send()

    def _send(self) -> None:
        data = self.master.send(self._clock.monotonic())
        if data is not None:
            self._transport.write(data)


async def _beside(seconds: float) -> list[Figure]:
    """Requests a second of this process's CPU: its own loop, both clients in turn, so the machine's load is the same."""
    clock, length = CityClock(), max(1.0, seconds / TURNS / 2)
    ours: list[float] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory(prefix="citygate-bench-") as name, collected_as_in_service():
        async with simulating(Path(name), FARM, 1) as farm:
            for _ in range(TURNS):
                ours.append(await _ours(int(farm.first), length, clock))
                theirs.append(await _theirs(int(farm.first), length, clock))
    title = f"Modbus: requests a CPU second, {CONNECTIONS} connections"
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return [
        of(title, "req/s", ours, note="our master, values decoded"),
        of(f"{title}: pymodbus' client", "req/s", theirs),
        of("Modbus: times pymodbus' client", "x", ratios, TWICE, least=True),
    ]


async def _ours(port: int, seconds: float, clock: Clock) -> float:
    """Requests a CPU second, once all connections stand."""
    loop = asyncio.get_running_loop()
    links = [
        await loop.create_connection(lambda: _Fast(clock), "127.0.0.1", port) for _ in range(CONNECTIONS)
    ]
    masters = [protocol.master for _, protocol in links]
    began, used = sum(one.counters.answers for one in masters), process_time()
    await clock.sleep(seconds)
    requests, used = sum(one.counters.answers for one in masters) - began, process_time() - used
    for transport, _ in links:
        transport.abort()
    return requests / used


async def _theirs(port: int, seconds: float, clock: Clock) -> float:
    clients = [AsyncModbusTcpClient("127.0.0.1", port=port) for _ in range(CONNECTIONS)]
    for client in clients:
        await client.connect()
    end, counts, used = clock.monotonic() + seconds, [0] * CONNECTIONS, process_time()

    async def poll(number: int) -> None:
        while clock.monotonic() < end:
            await clients[number].read_holding_registers(0, count=LENGTH, device_id=1)
            counts[number] += 1

    await asyncio.gather(*map(poll, range(CONNECTIONS)))
    used = process_time() - used
    for client in clients:
        client.close()
    return sum(counts) / used
