"""`citygate run`: the gateway until it is told to stop, or a part of it fails."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import signal
import sys

from gateway.app import App
from gateway.config import Config

log = logging.getLogger(__name__)

YOUNG = 50_000  # allocations between two collections of the youngest: frames live for one tick only
SPARE = 256  # file descriptors beside those of device connections


def allow_connections(n: int) -> None:
    """Let this process have as many file descriptors as n connections need, or as many as the system grants."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= n + SPARE:
        return
    wanted = n + SPARE if hard == resource.RLIM_INFINITY else min(n + SPARE, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    if wanted < n:
        log.warning("%d connections are allowed, but only %d open files: raise the hard limit", n, wanted)


async def serve(config: Config) -> int:
    """Returns the exit code."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    gc.set_threshold(YOUNG, 20, 50)
    allow_connections(config.mqtt.endpoint.connections)
    async with App(config) as gateway:
        gc.freeze()
        if gateway.core.admin_token:
            sys.stdout.write(f"admin token, shown this once: {gateway.core.admin_token}\n")
        if config.mqtt.endpoint.enabled:
            sys.stdout.write(f"MQTT   {config.mqtt.endpoint.host}:{gateway.doors.endpoint.port}\n")
        sys.stdout.write(f"HTTP   http://{config.http.host}:{gateway.doors.http.port}/api/v1\n")
        sys.stdout.flush()
        log.info("ready: %d devices, %d ticks replayed", len(gateway.core.directory), gateway.core.replayed)
        stopped, failed = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(gateway.failed())
        await asyncio.wait([stopped, failed], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        broken = failed.done()
        failed.cancel()
    return 1 if broken else 0
