"""Whether the gateway can do its work: found out by doing it, not by asking."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, delete, insert

from gateway.app.core import Core
from gateway.errors import StoreError
from gateway.history.space import Level
from gateway.store.schema.registry import meta

PROBE: Final = "probe"


class Readiness:
    def __init__(self, core: Core) -> None:
        self.core = core

    async def reasons(self) -> list[str]:
        """Why the gateway cannot do its work, one line a reason; writes to both stores to find out."""
        core = self.core
        reasons: list[str] = []
        if core.pipeline.stalled:
            reasons.append(core.pipeline.stalled)
        for name, write in (("operations", self._probe_store), ("history", core.history.probe)):
            try:
                await write()
            except StoreError as error:
                reasons.append(f"{name}: {error}")
        if core.history.space.level() is Level.FLOOR:
            reasons.append(f"disk: {core.history.space.reason()}")
        if core.inbox.paused:
            reasons.append("pipeline: sockets are paused, more readings wait than the bound")
        return reasons

    async def _probe_store(self) -> None:
        now = self.core.clock.now()

        def write(conn: Connection) -> None:
            conn.execute(delete(meta).where(meta.c.key == PROBE))
            conn.execute(insert(meta).values(key=PROBE, value=str(now)))

        await self.core.store.write(write)
