"""Through a broker: how fast the gateway empties its queue at a mosquitto, beside a C subscriber that keeps nothing.

Both have a session there while they are away; as many messages wait for each, and nothing is published meanwhile.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import httpx

from gateway.cli.bench import loads
from gateway.cli.bench.figure import Figure, of
from gateway.cli.bench.flood import Plan, started
from gateway.cli.bench.service import CONFIG, Service, end, running
from gateway.clock import CityClock, Clock
from gateway.errors import CitygateError, LinkError

BROKER: Final = "mosquitto"
SUBSCRIBER: Final = "mosquitto_sub"
CONF: Final = """
persistence true
persistence_location {folder}/
autosave_interval 0
max_queued_messages 0
max_inflight_messages 0
log_type error
allow_anonymous true
listener {port} 127.0.0.1
"""
LINK: Final = """
[[mqtt.link]]
name = "bench"
host = "127.0.0.1"
port = {port}
watch = false
"""
FILTERS: Final = ("city/+/+/telemetry", "city/+/+/event", "city/+/+/status", "city/+/+/reply")
DEVICES: Final = 1_000
ROUNDS: Final = 3
WAITING: Final = 200_000  # messages for each, at least
INNER: Final = (0.1, 0.9)  # shares of the queue between which the gateway's rate is taken
LEAST: Final = 0.9
STRETCH: Final = 5.0  # real seconds of publishing at a time
LOOK: Final = 0.05  # real seconds between two looks
PATIENCE: Final = 120.0


async def links(waiting: int = WAITING, rounds: int = ROUNDS) -> list[Figure]:
    """The lines of the broker link; a figure with an error where it fails."""
    name = f"through mosquitto: {waiting:,} waiting messages"
    if shutil.which(BROKER) is None or shutil.which(SUBSCRIBER) is None:
        return [Figure(name, "msg/s", error=f"{BROKER} and {SUBSCRIBER} are not installed")]
    ours, theirs = list[float](), list[float]()
    try:
        with tempfile.TemporaryDirectory(prefix="citygate-bench-") as given:
            folder = Path(given)
            async with _broker(folder) as port:
                secrets = await _enrol(folder, port)
                await _subscriber(port, "-E")
                for _ in range(rounds):
                    sent = await _publish(folder, port, secrets, waiting)
                    theirs.append(await _drained_by_c(port, sent))
                    ours.append(await _drained_by_us(folder, port, sent))
    except (CitygateError, OSError, httpx.HTTPError) as error:
        return [Figure(name, "msg/s", error=f"{type(error).__name__}: {error}")]
    shares = [mine / best for mine, best in zip(ours, theirs, strict=True)]
    return [
        of(f"{name}: the gateway", "msg/s", ours, note="decoded, committed, judged, acknowledged"),
        of(f"{name}: {SUBSCRIBER}", "msg/s", theirs, note="output discarded"),
        of("the gateway's share of the C subscriber's rate", "x", shares, LEAST, least=True),
    ]


@asynccontextmanager
async def _broker(folder: Path) -> AsyncIterator[int]:
    """Its port."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = int(one.getsockname()[1])
    conf = folder / "mosquitto.conf"
    conf.write_text(CONF.format(folder=folder, port=port), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(BROKER, "-c", str(conf), stdout=DEVNULL, stderr=DEVNULL)
    try:
        await _listens(process, port, CityClock())
        yield port
    finally:
        await end(process)


async def _listens(process: Process, port: int, clock: Clock) -> None:
    began = clock.monotonic()
    while process.returncode is None and clock.monotonic() - began < PATIENCE:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await clock.sleep(LOOK)
    raise LinkError(f"{BROKER} does not listen on port {port}")


async def _enrol(folder: Path, port: int) -> dict[str, str]:
    """The city's devices; and the gateway's session at the broker, which stays. Secrets by device."""
    clock = CityClock()
    async with running(folder, CONFIG + LINK.format(port=port)) as service:
        secrets = await loads.enrol(service, DEVICES, clock)
        await _linked(service, clock)
    return secrets


async def _linked(service: Service, clock: Clock) -> None:
    began = clock.monotonic()
    while clock.monotonic() - began < PATIENCE:
        if 'citygate_link_up{link="bench"} 1.0' in (await service.remote.get("http://local/metrics")).text:
            return
        await clock.sleep(LOOK)
    raise LinkError("the link to the broker does not come up")


async def _publish(folder: Path, port: int, secrets: dict[str, str], least: int) -> int:
    """As fast as the broker takes them, until it has acknowledged so many; how many there are."""
    clock, plan, total = CityClock(), Plan(DEVICES, burst=10, window=20), 0
    while total < least:
        async with started(folder, port, plan, secrets) as flood:
            await clock.sleep(STRETCH)
        total += int(flood.report["acked"])
    return total


async def _subscriber(port: int, *words: str) -> float:
    """Run one with the session's name to its end; real seconds that it took."""
    filters = [word for each in FILTERS for word in ("-t", each)]
    clock = CityClock()
    began = clock.monotonic()
    process = await asyncio.create_subprocess_exec(
        *(SUBSCRIBER, "-h", "127.0.0.1", "-p", str(port), "-V", "5", "-q", "1", "-c", "-i", "bench-c"),
        *("-x", "86400", "-D", "connect", "receive-maximum", "10000", *filters, *words),
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            code = await process.wait()
    except TimeoutError:
        raise LinkError(f"{SUBSCRIBER} did not end within {PATIENCE:.0f} s") from None
    finally:
        await end(process)
    if code:
        raise LinkError(f"{SUBSCRIBER} ended with {code}")
    return clock.monotonic() - began


async def _drained_by_c(port: int, messages: int) -> float:
    return messages / await _subscriber(port, "-C", str(messages))


async def _drained_by_us(folder: Path, port: int, messages: int) -> float:
    """Messages a second between INNER: neither the start of the process nor the last ones of the queue count."""
    clock, marks = CityClock(), list[tuple[float, float]]()
    async with running(folder, CONFIG + LINK.format(port=port)) as service:
        began = clock.monotonic()
        while clock.monotonic() - began < PATIENCE:
            (acked,) = await service.counts("citygate_acked_total")
            marks.append((clock.monotonic(), acked))
            if acked >= messages:
                break
            await clock.sleep(LOOK)
        else:
            raise LinkError(f"{acked:,.0f} of {messages:,} messages after {PATIENCE:.0f} s")
    first = next(mark for mark in marks if mark[1] >= INNER[0] * messages)
    last = next(mark for mark in marks if mark[1] >= INNER[1] * messages)
    return (last[1] - first[1]) / max(last[0] - first[0], LOOK)
