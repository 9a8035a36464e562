"""A scenario played into a gateway's pipeline in virtual time: frames into its inbox, a crew at its desk, nothing else.

The gateway's clock is moved only here; a tick of the script begins when the last one is acknowledged.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, select

from drivers.refusal import Reason, Refusal, Refused
from drivers.telemetry import HOUR, MINUTE
from gateway.cases.lifecycle import CaseEvent, CaseState
from gateway.clock import CityClock
from gateway.ingest.inbox import Frame, Lane
from gateway.registry.directory import DEVICE, Principal
from gateway.store.schema.cases import case as case_table

if TYPE_CHECKING:
    from gateway.pipeline import Pipeline
    from simulators.drill.scenario import Scenario
    from simulators.drill.script import Said, Script

CHUNK: Final = HOUR  # of the script, made at once
ROUND: Final = 5 * MINUTE  # between two looks of the crew
CREW: Final = "drill"
AFTER: Final = 3 * MINUTE  # until the last windows and minutes have closed
OPEN: Final = (CaseState.FILED, CaseState.DISPATCHED, CaseState.ACCEPTED, CaseState.IN_REPAIR)
NEXT: Final = {CaseState.FILED: CaseEvent.DISPATCH, CaseState.VERIFIED: CaseEvent.CLOSE}


class StageClock(CityClock):
    """City time that only the drill moves; monotonic time goes with it, so that sweeps and snapshots do."""

    def __init__(self, start: int) -> None:
        super().__init__(start)
        self._at = start

    def now(self) -> int:
        return self._at

    def not_before(self, moment: int) -> None:
        self._at = max(self._at, moment)

    def reach(self, moment: int) -> None:
        """City time is now this moment (µs UTC), where it was not later already."""
        self._at = max(self._at, moment)

    def monotonic(self) -> float:
        return self._at / 1e6


class Fleet:
    """The origin of every frame: counts what is settled, and keeps why faulty messages were refused."""

    address = "drill:fleet"

    def __init__(self) -> None:
        self.settled = self.sent = 0
        self.refused: dict[int, set[Reason]] = defaultdict(set)  # by injury
        self.unexpected: list[Refusal] = []
        self._injuries: dict[int, int] = {}  # by token
        self._reached = asyncio.Event()

    def token(self, injury: int) -> int:
        self.sent += 1
        if injury >= 0:
            self._injuries[self.sent] = injury
        return self.sent

    def settle(self, tokens: Sequence[int], refused: Mapping[int, Refusal]) -> None:
        for token, refusal in refused.items():
            if token in self._injuries:
                self.refused[self._injuries[token]].add(refusal.reason)
            else:
                self.unexpected.append(refusal)
        self.settled += len(tokens)
        if self.settled >= self.sent:
            self._reached.set()

    async def done(self) -> None:
        """All that was sent is settled."""
        while self.settled < self.sent:
            self._reached.clear()
            await self._reached.wait()


class Stage:
    def __init__(self, pipeline: Pipeline, clock: StageClock, script: Script, scenario: Scenario) -> None:
        self.fleet = Fleet()
        self.script, self.scenario = script, scenario
        self._pipeline, self._clock = pipeline, clock
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._crew_at = scenario.begin

    async def play(self) -> None:
        """From the first reading of the scenario to the last."""
        begin, end, step = self.scenario.begin, self.scenario.end, self.scenario.step
        for start in range(begin, end, CHUNK):
            until = min(start + CHUNK, end)
            said = self.script.chunk(start, until)
            place = 0
            for moment in range(start + step, until + step, step):
                place = self._feed(said, place, min(moment, until))
                await self.fleet.done()
                await self._crew()
        self._clock.reach(end + AFTER)
        swept = self._pipeline.sweeps
        while self._pipeline.sweeps == swept:
            self._pipeline.parts.inbox.arrived()
            await self._clock.sleep(0.005)
        await self._crew(at_once=True)

    def _feed(self, said: Sequence[Said], place: int, moment: int) -> int:
        """Everything that arrives up to `moment`; returns the place in the script after it."""
        inbox, first = self._pipeline.parts.inbox, place
        while place < len(said) and said[place].received <= moment:
            inbox.frames.append(self._frame(said[place]))
            place += 1
        self._clock.reach(moment)
        if place > first:
            inbox.arrived()
        return place

    def _frame(self, said: Said) -> Frame:
        parts, token = self._pipeline.parts, self.fleet.token(said.injury)
        lane = self._lanes.get((said.family, said.channel))
        if lane is None:
            lane = parts.decoding.lane(f"generic-{said.family}", said.family, said.channel)
            self._lanes[said.family, said.channel] = lane
        if said.injury < 0:
            return Frame(lane, said.device, said.payload, said.received, self.fleet, token, said.topic)
        return self._checked(said, lane, token)

    def _checked(self, said: Said, lane: Lane, token: int) -> Frame:
        """As the endpoint does with a topic that may be another's."""
        device = self.script.city.cohorts[said.family].ids[said.device]
        try:
            self._pipeline.parts.directory.resolve(Principal(DEVICE, device), said.topic)
        except Refused as refused:
            frame = Frame(None, -1, said.payload, said.received, self.fleet, token, said.topic)
            frame.verdict, frame.detail, frame.who = refused.reason, refused.detail, device
            return frame
        return Frame(lane, said.device, said.payload, said.received, self.fleet, token, said.topic)

    async def _crew(self, *, at_once: bool = False) -> None:
        """Now and then: what telemetry no longer shows is repaired, what it has proved is closed."""
        now = self._clock.now()
        if now - self._crew_at < ROUND and not at_once:
            return
        self._crew_at = now
        await self._pipeline.parts.store.write(partial(self._work, now=now))

    def _work(self, conn: Connection, now: int) -> None:
        desk, c = self._pipeline.parts.desk, case_table.c
        done = (c.state.in_(OPEN) & (c.standing == 0)) | (c.state == CaseState.VERIFIED)
        for row in list(conn.execute(select(c.id, c.state).where(done))):
            event = NEXT.get(CaseState(row.state), CaseEvent.REPAIRED)
            desk.act(conn, row.id, event, CREW, now, note="drill", crew=CREW)
        desk.tick(conn, now)
