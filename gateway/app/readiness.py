"""Whether the gateway can do its work: found out by doing it, not by asking. Each trouble says since when and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, insert

from gateway.api.trouble import Trouble
from gateway.app.core import Core
from gateway.app.doors import Doors
from gateway.app.figures import Figures
from gateway.clock import SECOND
from gateway.errors import StoreError
from gateway.history.space import Level
from gateway.store.schema.registry import meta
from gateway.watchdog import PATIENCE, silence

PROBE: Final = "probe"
MEND: Final = {
    "history": "see that the data folder's disk has space and can be written; the gateway goes on by itself",
    "operations": "see that the database can be reached and has space; the gateway goes on by itself",
}
SPACE: Final = (
    "free space in the data folder, or give history a shorter retention; the gateway goes on by itself"
)
BUSY: Final = "look at citygate_stage_seconds for the slow stage; devices wait, nothing is lost"
BROKER: Final = "see that the broker runs, and that host, port and credentials in [[mqtt.link]] are right"
MIRROR: Final = "see that the database of [mirror] runs; it catches up by itself"
DEAD: Final = "mend the channel's other side, then revive its dead messages"
STUCK: Final = "restart the gateway; what was acknowledged is safe"
CLOCK: Final = (
    "see that the host's clock is kept by NTP; if it is right and not believed, raise [clocks] believed_days"
)
OPENING: Final = "wait; if it lasts, look at the log"


class Fault(NamedTuple):
    part: str
    what: str
    remedy: str
    blocking: bool


class Readiness:
    """`look` keeps since when a part has been in trouble; it is called every round."""

    def __init__(self, core: Core, doors: Doors, figures: Figures) -> None:
        self.core, self.doors, self.figures = core, doors, figures
        self._since: dict[str, int] = {}

    async def troubles(self) -> list[Trouble]:
        """Writes to both stores to find out."""
        probed = [
            Fault(name, str(error), MEND[name], blocking=True)
            for name, error in [
                ("operations", await self._probe_store()),
                ("history", await self._probe_history()),
            ]
            if error is not None
        ]
        return self._known([*self._standing(), *probed])

    def look(self) -> None:
        """What can be seen without a write."""
        self._known([*self._standing()])

    def stuck(self) -> Trouble | None:
        """Why only a new start helps."""
        still = silence(self.core.clock, lambda: self.core.pipeline.beat)
        if still <= PATIENCE:
            return None
        since = self.core.clock.now() - round(still * self.core.clock.speed * 1_000_000)
        text = f"no tick has begun for {still:.0f} s"
        return Trouble(part="pipeline", what=text, remedy=STUCK, since=since)

    def _known(self, faults: list[Fault]) -> list[Trouble]:
        """One of a part; parts that are well are forgotten, so that their next trouble begins then."""
        first = {fault.part: fault for fault in reversed(faults)}
        now = self.core.clock.now()
        self._since = {part: self._since.get(part, now) for part in first}
        return [Trouble(**fault._asdict(), since=self._since[fault.part]) for fault in first.values()]

    def _standing(self) -> Iterator[Fault]:
        core = self.core
        if stalled := core.pipeline.stalled:
            name, _, why = stalled.partition(": ")
            yield Fault(name, why, MEND[name], blocking=True)
        level = core.history.space.level()
        if level is not Level.PLENTY:
            yield Fault("disk", core.history.space.reason(), SPACE, blocking=level is Level.FLOOR)
        if core.inbox.paused:
            what = "sockets are paused: more readings wait than the bound"
            yield Fault("pipeline", what, BUSY, blocking=True)
        yield from self._clock()
        if not self.doors.opened:
            yield Fault("doors", "still opening", OPENING, blocking=True)
        yield from self._outside()

    def _clock(self) -> Iterator[Fault]:
        """City time is not the host's, or most devices say that the host's is wrong."""
        if (trouble := self.core.pipeline.timekeeper.trouble()) is not None:
            yield Fault("clock", trouble, CLOCK, blocking=False)
        offsets = self.core.derived.offsets
        consensus = offsets.consensus()
        if consensus is not None and abs(consensus) > offsets.limit:
            way = "ahead of" if consensus > 0 else "behind"
            what = f"city time is {abs(consensus) / SECOND:.0f} s {way} most devices' clocks"
            yield Fault("clock", what, CLOCK, blocking=False)

    def _outside(self) -> Iterator[Fault]:
        """Other sides that are away: what they miss waits, and telemetry is acknowledged all the same."""
        for link in self.doors.links:
            if not link.up:
                yield Fault(f"link {link.name}", link.why, BROKER, blocking=False)
        mirror = self.core.care.mirror
        if mirror is not None and (error := mirror.status().error):
            yield Fault("mirror", error, MIRROR, blocking=False)
        for (channel, state), n in self.figures.desk.outbox.items():
            if state == "dead" and n:
                yield Fault(f"channel {channel}", f"{n:.0f} messages were given up", DEAD, blocking=False)

    async def _probe_history(self) -> StoreError | None:
        try:
            await self.core.history.probe()
        except StoreError as error:
            return error
        return None

    async def _probe_store(self) -> StoreError | None:
        now = self.core.clock.now()

        def write(conn: Connection) -> None:
            conn.execute(delete(meta).where(meta.c.key == PROBE))
            conn.execute(insert(meta).values(key=PROBE, value=str(now)))

        try:
            await self.core.store.write(write)
        except StoreError as error:
            return error
        return None
