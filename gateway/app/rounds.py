"""What time alone does, outside of telemetry: deadlines, proofs, shelves that end, commands that wait or expire."""

from __future__ import annotations

import logging
from typing import Final

from sqlalchemy import Connection, select

from drivers.families.every import CLONED
from gateway.app.core import Core
from gateway.app.doors import Doors
from gateway.app.figures import Figures
from gateway.app.readiness import Readiness
from gateway.cases import open311
from gateway.cases.record import Change
from gateway.errors import StoreError
from gateway.notify.publish import Seen
from gateway.store.schema.cases import UNCLEARED, alarm

log = logging.getLogger(__name__)

ROUND: Final = 0.5  # real seconds between two looks


class Rounds:
    def __init__(self, core: Core, doors: Doors, figures: Figures, readiness: Readiness) -> None:
        self.core, self.doors = core, doors
        self.figures, self.readiness = figures, readiness
        self._seen: Seen | None = None

    async def run(self) -> None:
        core = self.core
        while True:
            await core.clock.sleep(ROUND)
            self.readiness.look()
            try:
                if self._seen is None:
                    core.presence.recall(await core.store.read(_cloned))
                changes, seen = await self.figures.timed(self._round)
                self._look_at(seen)
                await core.commands.turn()
                await core.linkage.turn()
                await core.devices.announcer.again()
            except StoreError as error:
                log.warning("operations cannot be written, trying again: %s", error)
                continue
            core.presence.settle()
            core.directory.expire()
            core.publish(changes, [])
            await self.figures.refresh()

    def _look_at(self, seen: Seen) -> None:
        if seen != self._seen:
            self.core.flow.wake()
        self._seen = seen

    def _round(self, conn: Connection) -> tuple[list[Change], Seen]:
        core = self.core
        now, publishing = core.clock.now(), core.publishing
        changes = [*core.desk.tick(conn, now), *open311.take(core.desk, conn, now)]
        core.outbox.escalate(conn, now)
        core.quarantine.flush(conn)
        if self._seen is None:
            publishing.begin(conn, now)
        lost = {link.name: link.counters.sessions_lost for link in self.doors.links}
        return changes, publishing.round(conn, now, self._seen or Seen(), core.directory.generation, lost)


def _cloned(conn: Connection) -> list[str]:
    """Devices whose identity the gateway has called cloned and not yet their own again."""
    return list(conn.scalars(select(alarm.c.device).where(alarm.c.name == CLONED.name, UNCLEARED)))
