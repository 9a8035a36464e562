"""What time alone does, outside of telemetry: deadlines, proofs, shelves that end, commands that wait or expire."""

from __future__ import annotations

import logging
from typing import Final

from sqlalchemy import Connection

from gateway.app.core import Core
from gateway.app.doors import Doors
from gateway.cases.record import Change
from gateway.errors import StoreError
from gateway.registry import commands
from gateway.registry.commands import Commands

log = logging.getLogger(__name__)

ROUND: Final = 0.5  # real seconds between two looks


class Rounds:
    def __init__(self, core: Core, doors: Doors, orders: Commands) -> None:
        self.core, self.doors, self.orders = core, doors, orders

    async def run(self) -> None:
        core = self.core
        while True:
            await core.clock.sleep(ROUND)
            try:
                changes = await core.store.write(self._round)
                await self.orders.offer_waiting()
            except StoreError as error:
                log.warning("operations cannot be written, trying again: %s", error)
                continue
            core.presence.settle()
            core.publish(changes, [])
            self.doors.count()

    def _round(self, conn: Connection) -> list[Change]:
        now = self.core.clock.now()
        commands.expire(conn, now)
        return self.core.desk.tick(conn, now)
