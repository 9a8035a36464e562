"""The running gateway: builds core and doors, starts them in order, stops them in reverse."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from drivers.families import FAMILIES
from gateway.api.http import build
from gateway.api.services import Services
from gateway.app.core import Core
from gateway.app.doors import Doors
from gateway.app.readiness import Readiness
from gateway.app.rounds import Rounds
from gateway.clock import CityClock
from gateway.config import Config
from gateway.registry.commands import Commands
from gateway.tasks import Tasks


class App:
    """One gateway on one data directory. As a context it runs: replayed, listening, and watched.

    `listening` False opens no socket: `doors.local` then serves commands of this process only.
    """

    def __init__(
        self,
        config: Config,
        clock: CityClock | None = None,
        *,
        listening: bool = True,
        core: Callable[[Config, CityClock, AsyncExitStack], Core] = Core,
    ) -> None:
        self.listening = listening
        self._closing = AsyncExitStack()
        self.core = core(config, clock or CityClock(), self._closing)

    async def __aenter__(self) -> Self:
        core = self.core
        try:
            await core.open_stores()
            core.build()
            self.doors = Doors(core)
            self.commands = Commands(core.store, core.clock, core.directory, self.doors.deliver)
            self.doors.serve(build(self._services()))
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

    async def _open(self) -> None:
        self.tasks.start("rounds", Rounds(self.core, self.doors, self.commands).run())
        if not self.listening:
            return
        self.core.care.start(self.tasks)
        self.tasks.start("notify", self.core.flow.run())
        await self.doors.open(self.tasks, self._closing)

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
            rulebook=core.rulebook,
            commands=self.commands,
            directory=core.directory,
            desk=core.desk,
            queries=core.queries,
            care=core.care,
            latest=core.derived.latest,
            inbox=core.inbox,
            lanes=core.decoding,
            quarantine=core.quarantine,
            hub=core.hub,
            metrics=core.metrics.registry,
            ready=Readiness(core).reasons,
        )
