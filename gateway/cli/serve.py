"""`citygate run`: the gateway until it is told to stop, or a part of it fails."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable

from gateway.app import App
from gateway.config import Config
from gateway.errors import ConfigError
from gateway.systemd import Manager
from gateway.watchdog import Watchdog

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


async def serve(config: Config, read: Callable[[], Config]) -> int:
    """Returns the exit code. SIGHUP has the configuration read again."""
    loop = asyncio.get_running_loop()
    stop, again = asyncio.Event(), asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    loop.add_signal_handler(signal.SIGHUP, again.set)
    manager = Manager.of(os.environ)
    manager.status("opening stores and replaying history")
    gc.set_threshold(YOUNG, 20, 50)
    allow_connections(config.mqtt.endpoint.connections)
    async with App(config, read=read) as gateway:
        gc.freeze()
        if gateway.core.admin_token:
            sys.stdout.write(f"admin token, shown this once: {gateway.core.admin_token}\n")
        if not len(gateway.core.people.users):
            sys.stdout.write("nobody can log in yet: citygate users add NAME --role admin\n")
        if config.mqtt.endpoint.enabled:
            sys.stdout.write(f"MQTT   {config.mqtt.endpoint.host}:{gateway.doors.endpoint.port}\n")
        sys.stdout.write(f"HTTP   http://{config.http.host}:{gateway.doors.http.port}/api/v1\n")
        sys.stdout.flush()
        log.info("ready: %d devices, %d ticks replayed", len(gateway.core.directory), gateway.core.replayed)
        watchdog = Watchdog(
            manager, gateway.core.clock, lambda: gateway.core.pipeline.beat, lambda: _status(gateway)
        )
        manager.ready(_status(gateway))
        gateway.tasks.start("watchdog", watchdog.run())
        gateway.tasks.start("reload", _reloads(gateway, again))
        stopped, failed = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(gateway.failed())
        await asyncio.wait([stopped, failed], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        broken = failed.done()
        failed.cancel()
        manager.stopping()
    manager.close()
    return 1 if broken else 0


async def _reloads(gateway: App, again: asyncio.Event) -> None:
    while True:
        await again.wait()
        again.clear()
        try:
            await gateway.reload()
        except ConfigError as error:
            for fault in error.faults:
                log.error("configuration stays as it was: %s", fault)  # noqa: TRY400


def _status(gateway: App) -> str:
    """One line for `systemctl status`."""
    core = gateway.core
    said = f"{len(core.directory)} devices, {gateway.doors.endpoint.connections} MQTT connections"
    stalled = core.pipeline.stalled
    return f"{said}, tick {core.pipeline.number}" + (f"; not acknowledging: {stalled}" if stalled else "")
