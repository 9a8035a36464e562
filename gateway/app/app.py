"""The running gateway: builds core and doors, starts them in order, stops them in reverse."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from drivers.families import FAMILIES
from drivers.telemetry import DAY
from gateway.api.georeport import GeoReport
from gateway.api.http import build
from gateway.api.journeys import Journeys
from gateway.api.services import Services
from gateway.app.core import Core
from gateway.app.doors import Doors
from gateway.app.figures import Figures
from gateway.app.live import Live
from gateway.app.readiness import Readiness
from gateway.app.rounds import Rounds
from gateway.backtest.backtests import Backtests
from gateway.backup.backup import Backup, Origin
from gateway.clock import CityClock
from gateway.config import Config
from gateway.console import console
from gateway.reload import Report
from gateway.tasks import Tasks


class App:
    """One gateway on one data directory. As a context it runs: replayed, listening, and watched.

    `listening` False opens no socket: `doors.local` then serves commands of this process only. read: where the
    configuration came from, for a reload.
    """

    def __init__(
        self,
        config: Config,
        clock: CityClock | None = None,
        *,
        listening: bool = True,
        core: Callable[[Config, CityClock, AsyncExitStack], Core] = Core,
        read: Callable[[], Config] | None = None,
    ) -> None:
        self.listening = listening
        self._read = read or (lambda: config)
        self._closing = AsyncExitStack()
        self.core = core(
            config, clock or CityClock(believed=config.clocks.believed_days * DAY), self._closing
        )

    async def __aenter__(self) -> Self:
        core = self.core
        try:
            await core.open_stores()
            core.build()
            self.doors = Doors(core)
            self.backup = self._backup()
            self.backtests = self._backtests()
            self.figures = Figures(core, self.doors)
            self.readiness = Readiness(core, self.doors, self.figures)
            application = build(self._services())
            console.install(application)
            self.doors.serve(application)
            await core.rebuild()
            self.tasks = await self._closing.enter_async_context(Tasks())
            await core.run(self.tasks, self.doors.links.controls(core.clock.now(), core.derived.engine.links))
            await self._open()
        except BaseException:
            await self._closing.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._closing.aclose()

    async def failed(self) -> BaseException:
        """Wait until a part fails; the owner then leaves the context."""
        assert self.tasks.failed is not None
        return await self.tasks.failed

    async def reload(self) -> Report:
        """Read the configuration again and apply what can be; raises ConfigError with every fault, and changes nothing."""
        return await self._reload.reload()

    async def _open(self) -> None:
        self.tasks.start("rounds", Rounds(self.core, self.doors, self.figures, self.readiness).run())
        self.tasks.start("joining", self.core.joining.run())
        self.tasks.start("backtests", self.backtests.run())
        self.tasks.start("sessions", self.core.people.sessions.run())
        self.tasks.start("checkpoints", self.core.checkpoints.run())
        self._closing.push_async_callback(self.core.joining.stop)
        live = Live(self.core, self.doors, self.tasks, listening=self.listening)
        self._reload = live.reload(self._read)
        if not self.listening:
            return
        self.core.care.start(self.tasks)
        await self.doors.open(self.tasks, self._closing)

    def _backtests(self) -> Backtests:
        core, config = self.core, self.core.config
        folder = config.data / "backtest"
        return Backtests(
            core.history, core.store, core.desk, core.clock, config.zone, config.backtest, folder
        )

    def _backup(self) -> Backup:
        core = self.core
        turn = core.devices.announcer.turn
        origin = Origin(core.store, core.history, core.care.compactor, turn, core.clock, core.config.data)
        backup = Backup(origin)
        self._closing.push_async_callback(backup.close)
        return backup

    def _services(self) -> Services:
        core = self.core
        return Services(
            store=core.store,
            clock=core.clock,
            families=FAMILIES,
            products=core.products,
            devices=core.devices,
            sources=core.sources,
            tokens=core.tokens,
            logins=core.logins,
            people=core.people,
            checkpoints=core.checkpoints,
            provider=core.provider,
            journeys=Journeys(core.clock),
            open311=GeoReport(core.config.open311, core.clock, core.config.zone),
            rulebook=core.rulebook,
            explanations=core.explanations,
            commands=core.commands,
            directory=core.directory,
            joining=core.joining,
            offsets=core.derived.offsets,
            desk=core.desk,
            album=core.album,
            queries=core.queries,
            care=core.care,
            backup=self.backup,
            backtests=self.backtests,
            composer=core.composer,
            reload=self.reload,
            latest=core.derived.latest,
            inbox=core.inbox,
            lanes=core.decoding,
            quarantine=core.quarantine,
            hub=core.hub,
            metrics=core.metrics,
            ready=self.readiness.troubles,
            stuck=self.readiness.stuck,
            links=core.links,
            events=core.events,
            zone=core.config.zone,
            idempotency=core.config.idempotency,
            labels=core.labels,
        )
