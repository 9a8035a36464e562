"""A cover that is opened and closed again and again, and a metronome: what a device sees while others load the gateway.

An alarm's time runs from the write of its reading until the event stream says that its transition is committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import pairwise
from typing import Any, Final

import httpx
import msgspec

from drivers.encode import encode
from drivers.mqtt.packets import MAX_PACKET_ID, V5, Will
from drivers.mqtt.topics import status_topic, telemetry_topic
from drivers.mqtt.writer import Publisher
from drivers.products import catalog
from gateway.cli.bench.service import Service
from gateway.cli.remote import ask
from gateway.clock import Clock
from gateway.errors import LinkError
from simulators.link import Identity, Link

FAMILY: Final = "manhole"
PRODUCT: Final = "generic-manhole"
RULE_POINT: Final = "cover"  # the rule cover-open judges a single reading, and has no hold
PATIENCE: Final = 10.0  # real seconds until a transition, or an answer, is given up
SHORTEST, SPREAD = (
    0.02,
    0.06,
)  # real seconds between two turns of the cover: longer than a tick, in step with none
GOLDEN: Final = 0.6180339887
BEAT: Final = 0.005  # real seconds between two strokes of the metronome
STROKES: Final = 4  # devices that take turns, so that a tick holds one reading of each


class Probe(Link):
    """One manhole device of our own."""

    __slots__ = ("_clock", "_publisher", "_sent", "acks", "ready")

    def __init__(self, number: int, device: str, secret: str, clock: Clock) -> None:
        will = Will(status_topic(FAMILY, device), b'{"state":"offline"}', qos=1)
        identity = Identity(number, device, secret, version=V5, keepalive=300, will=will)
        super().__init__(identity, self._ended)
        self._clock = clock
        self._publisher = Publisher(telemetry_topic(FAMILY, device), V5)
        self._sent = 0
        self.acks: list[float] = []  # when they came, real seconds
        self.ready = asyncio.get_running_loop().create_future()

    def opened(self) -> None:
        self.ready.set_result(None)

    def _ended(self, _: Link) -> None:
        if not self.ready.done():
            self.ready.set_exception(LinkError(f"the probe was refused (0x{self.code:02x})"))

    def say(self, **values: float) -> float:
        """Publish at QoS 1; the moment of the write, real seconds."""
        self._sent += 1
        payload = encode(catalog()[PRODUCT], "telemetry", self._clock.now(), values)
        frame = self._publisher.encode(payload, (self._sent - 1) % MAX_PACKET_ID + 1)
        at = self._clock.monotonic()
        self.write(frame)
        return at

    def acknowledged(self, packet_id: int, code: int) -> None:
        del packet_id, code
        self.acks.append(self._clock.monotonic())


async def enrol(service: Service, n: int) -> list[tuple[str, str]]:
    """n devices of ours: ids and secrets."""
    found = []
    for number in range(n):
        form = {"id": f"BENCH-{number + 1}", "product": PRODUCT, "name": "bench"}
        made = await ask(service.remote, "POST", "/devices", json=form)
        found.append((made["device"]["id"], made["secret"]))
    return found


@asynccontextmanager
async def connected(
    service: Service, devices: list[tuple[str, str]], clock: Clock
) -> AsyncIterator[list[Probe]]:
    loop = asyncio.get_running_loop()
    probes = [Probe(number, name, secret, clock) for number, (name, secret) in enumerate(devices)]
    try:
        for probe in probes:
            await loop.create_connection(partial(_same, probe), "127.0.0.1", service.port)
            async with asyncio.timeout(PATIENCE):
                await probe.ready
        yield probes
    finally:
        for probe in probes:
            probe.leave()
        await clock.sleep(BEAT)


def _same(probe: Probe) -> Probe:
    return probe


class Turns:
    """Alarm events of one device, from the gateway's event stream."""

    def __init__(self, device: str, clock: Clock) -> None:
        self._device = device
        self._clock = clock
        self._heard: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
        self.open = asyncio.Event()

    async def listen(self, remote: httpx.AsyncClient) -> None:
        """Until cancelled."""
        query = {"kind": "alarm", "family": FAMILY}
        async with remote.stream("GET", "/stream", params=query, timeout=None) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                self.open.set()
                if line.startswith("data: "):
                    change: dict[str, Any] = msgspec.json.decode(line[6:])
                    if change.get("device") == self._device:
                        self._heard.put_nowait((change["event"], self._clock.monotonic()))

    async def of(self, event: str) -> float:
        """When the next event of this name came."""
        async with asyncio.timeout(PATIENCE):
            while True:
                name, at = await self._heard.get()
                if name == event:
                    return at


async def alarms(service: Service, probe: Probe, seconds: float, clock: Clock) -> list[float]:
    """Real seconds of every transition, raised and cleared in turn, for so long."""
    turns = Turns(str(probe.identity.connect.username), clock)
    listening = asyncio.ensure_future(turns.listen(service.remote))
    try:
        async with asyncio.timeout(PATIENCE):
            await turns.open.wait()
        return await _turn(probe, turns, clock.monotonic() + seconds, clock)
    except TimeoutError as error:
        raise LinkError(f"a transition did not come within {PATIENCE:.0f} s") from error
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening


async def _turn(probe: Probe, turns: Turns, until: float, clock: Clock) -> list[float]:
    found: list[float] = []
    while clock.monotonic() < until:
        opens = not len(found) % 2
        said = probe.say(**{RULE_POINT: float(opens)})
        found.append(await turns.of("raise" if opens else "clear") - said)
        await clock.sleep(SHORTEST + SPREAD * (len(found) * GOLDEN % 1))
    return found


async def metronome(probes: list[Probe], seconds: float, clock: Clock) -> list[float]:
    """A reading each BEAT, of the probes in turn; real seconds between successive acknowledgements."""
    end, stroke = clock.monotonic() + seconds, 0
    while clock.monotonic() < end:
        probes[stroke % len(probes)].say(tilt=1.0)
        stroke += 1
        await clock.sleep(BEAT)
    heard = sorted(at for probe in probes for at in probe.acks)
    return [later - sooner for sooner, later in pairwise(heard)]
