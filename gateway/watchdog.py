"""A sign of life only while ticks really proceed: a loop that spins beside a dead pipeline is not alive.

A store that cannot be written does not count as death: the pipeline tries on, and a restart would not mend a disk.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from gateway.clock import Clock
from gateway.systemd import Manager

log = logging.getLogger(__name__)

PATIENCE: Final = (
    30.0  # seconds without a tick, begun or tried again, after which the pipeline counts as stuck
)
SIGNS: Final = 3  # signs of life in one interval of the manager
LOOK: Final = 5.0  # seconds between two status lines where the manager wants no sign


class Watchdog:
    """beat: real seconds of the pipeline's last sign of life. status: one line on what it does."""

    def __init__(
        self, manager: Manager, clock: Clock, beat: Callable[[], float], status: Callable[[], str]
    ) -> None:
        self._manager = manager
        self._clock = clock
        self._beat = beat
        self._status = status
        self._pause = manager.watchdog / SIGNS or LOOK
        self._patience = min(PATIENCE, manager.watchdog / 2 or PATIENCE)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.look()
            await self._clock.sleep(self._pause)

    def look(self) -> None:
        """Say that we live, or why we do not say it."""
        still = silence(self._clock, self._beat)
        if still <= self._patience:
            self._manager.alive(self._status())
        else:
            text = f"stuck: the pipeline has not ticked for {still:.0f} s"
            log.error("%s; no sign of life is given any more, so that the service manager starts anew", text)
            self._manager.status(text)


def silence(clock: Clock, beat: Callable[[], float]) -> float:
    """Real seconds since the pipeline's last sign of life."""
    return max(0.0, clock.monotonic() - beat())
