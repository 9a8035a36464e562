"""What of the configuration changes while the gateway runs, and how. Everything else needs a restart, and is named."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final

from drivers.telemetry import DAY, SECOND
from gateway import log
from gateway.app.core import Core
from gateway.app.doors import Doors
from gateway.config import Config
from gateway.ingest.hj212_settings import Hj212Settings
from gateway.notify.flow import Flow, channels
from gateway.reload import Part, Reload, Report
from gateway.store import audit
from gateway.tasks import Tasks

HISTORY: Final = (
    "checkpoint_seconds",
    "checkpoint_kb",
    "part_rows",
    "settle_minutes",
    "keep_days",
    "keep",
    "low_mb",
    "floor_mb",
    "reserve_mb",
    "shed_history",
)
ENDPOINT: Final = (  # what no client was promised otherwise when it connected
    "payload_limit",
    "connect_timeout",
    "sessions",
    "session_commands",
    "subscriptions",
    "takeovers",
    "sweep",
    "limits.device_messages",
    "limits.device_bytes",
    "limits.connection_messages",
    "limits.connection_bytes",
    "limits.burst",
    "limits.clients",
    "limits.packet_timeout",
    "limits.topic_bytes",
    "limits.topic_levels",
)
STATIONS: Final = tuple(key for key in Hj212Settings.model_fields if key != "forward")


class Live:
    """The parts of a running gateway that take new settings."""

    def __init__(self, core: Core, doors: Doors, tasks: Tasks, *, listening: bool) -> None:
        self.core, self.doors, self._tasks, self._listening = core, doors, tasks, listening
        self._notifying = tasks.start("notify", core.flow.run()) if listening else None

    def reload(self, read: Callable[[], Config]) -> Reload[Config]:
        parts = [
            Part(("log_level", "log_format", "log_repeats"), self._log),
            Part(("clocks.ahead_s", "clocks.behind_days"), self._clocks),
            Part(("pipeline",), self._pipeline),
            Part(tuple(f"history.{key}" for key in HISTORY), self._history),
            Part(("desk", "case", "fold", "inhibit"), self._desk),
            Part(("labels",), self._labels),
            Part(("notify",), self._notify),
            Part(("commands",), self._commands),
            Part(("evaluation",), self._evaluation),
            Part(tuple(f"mqtt.endpoint.{key}" for key in ENDPOINT), self._endpoint),
            Part(("mqtt.link",), self._links, _nothing_published),
            Part(("modbus",), self._modbus),
            Part(tuple(f"hj212.{key}" for key in STATIONS), self._stations),
        ]
        return Reload(self.core.config, read, parts, self._told)

    async def _told(self, report: Report) -> None:
        """The trail names keys, never values."""
        detail = {"applied": report.applied, "restart": report.restart, "failed": len(report.failed)}
        now = self.core.clock.now()
        await self.core.store.write(
            lambda conn: audit.record(conn, now, "gateway", "reloaded", "config:file", detail)
        )

    async def _log(self, config: Config) -> None:
        log.set_up(
            config.log_level, config.log_format, config.log_repeats, config.zone, log.secrets_of(config)
        )

    async def _clocks(self, config: Config) -> None:
        order = self.core.derived.order
        order.ahead, order.behind = config.clocks.ahead_s * SECOND, config.clocks.behind_days * DAY

    async def _pipeline(self, config: Config) -> None:
        self.core.pipeline.settings = config.pipeline
        self.core.inbox.bound = config.pipeline.max_pending

    async def _history(self, config: Config) -> None:
        self.core.care.change(config.history)

    async def _desk(self, config: Config) -> None:
        await self.core.change_desk(config)

    async def _labels(self, config: Config) -> None:
        self.core.labels.change(config.labels)

    async def _notify(self, config: Config) -> None:
        """What is on its way goes out once more; channels that are gone keep what waits for them."""
        core = self.core
        core.outbox.channels = (*config.notify.channels, *core.config.open311.forward)
        core.links.change(config.notify.base_url, config.notify.link_life)
        core.events.change(config.notify.source, config.notify.base_url)
        if self._notifying is None:
            return
        self._notifying.cancel()
        await asyncio.wait([self._notifying])
        core.flow = Flow(
            core.store,
            channels(config.notify, core.clock, config.zone, core.links, core.events, core.labels),
            config.notify,
            core.clock,
            random.SystemRandom(),
        )
        self.doors.join(core.flow)
        self._notifying = self._tasks.start("notify", core.flow.run())

    async def _commands(self, config: Config) -> None:
        await self.core.commands.change(config.commands)

    async def _evaluation(self, config: Config) -> None:
        self.core.facilities.change(config.evaluation)

    async def _endpoint(self, config: Config) -> None:
        self.doors.endpoint.change(config.mqtt.endpoint)

    async def _links(self, config: Config) -> None:
        if self._listening:
            await self.doors.links.change(config.links(), self._tasks)

    async def _modbus(self, config: Config) -> None:
        if self._listening:
            await self.doors.change_modbus(config.modbus, self._tasks)

    async def _stations(self, config: Config) -> None:
        if self._listening:
            await self.doors.change_stations(config.hj212, self._tasks)


def _nothing_published(before: Config, after: Config) -> bool:
    """What links publish is taken back at a start only."""
    return not any(link.publish for link in (*before.mqtt.link, *after.mqtt.link))
