"""The flow of design section 2: take, decode, stamp, commit, judge, record, acknowledge. Nothing is acked before its commit.

A tick takes all that arrived while the last one ran. Stages never call back; each gets values and returns values.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from drivers.decode import Reply
from drivers.refusal import Reason, Refusal
from drivers.telemetry import Batch
from gateway.cases.desk import Desk
from gateway.cases.facts import Facts
from gateway.cases.record import Change
from gateway.clock import CityClock, Verdict
from gateway.decoding import Decoding, Readings
from gateway.derived import Derived
from gateway.errors import StoreError, Unavailable
from gateway.history.duck import History, Kept
from gateway.ingest.inbox import Frame, Inbox, Origin
from gateway.ingest.quarantine import Quarantine
from gateway.metrics import Metrics
from gateway.registry.directory import Directory
from gateway.registry.rulebook_shadows import Shadows
from gateway.store import horizon
from gateway.store.store import Store
from gateway.tally import Tally
from gateway.timekeeping import Timekeeper, ended
from rules.control import Control, GatewayUp, LinkDown, Rules
from rules.order import Stamped
from rules.transition import Transition

log = logging.getLogger(__name__)

Replies = Sequence[tuple[Frame, Reply]]
Done = TypeVar("Done")


class PipelineSettings(BaseModel):
    """[pipeline]"""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tick_ms: int = Field(
        20, ge=1, le=1000, description="a tick begins at least this long after the last one began"
    )
    max_readings: int = Field(10_000, ge=1, description="payloads that one tick takes at most")
    max_pending: int = Field(40_000, ge=1, description="waiting payloads at which every socket is paused")
    sweep_ms: int = Field(250, ge=10, description="how often absence and deadlines are looked at")
    snapshot_s: int = Field(60, ge=1, description="how often the engine's state is saved")
    retry_ms: int = Field(500, ge=10, description="pause before a failed history commit is tried again")


@dataclass(slots=True)
class Parts:
    """What the flow runs on; each part owns its state."""

    inbox: Inbox
    decoding: Decoding
    derived: Derived
    history: History
    store: Store
    desk: Desk
    facts: Facts
    quarantine: Quarantine
    directory: Directory
    clock: CityClock
    metrics: Metrics
    snapshots: Path
    publish: Callable[[Sequence[Change], Sequence[Batch]], None]
    reply: Callable[[Connection, Replies, int], Replies]  # gives those that answer no command


class Announcement(NamedTuple):
    """Control rows from outside the flow, and who waits until they are in the log. done: "", or why they never will be."""

    controls: Sequence[Control]
    done: asyncio.Future[str]


class Pipeline:
    def __init__(self, parts: Parts, settings: PipelineSettings) -> None:
        self.parts = parts
        self.settings = settings
        self.number = 0  # of the newest committed tick
        self._stopping = False
        self.stalled: str | None = None  # why history cannot be written at the moment
        self._announced: list[Announcement] = []
        self._hearing: list[Announcement] = []  # of the tick that runs
        self._over = ""  # why there are no ticks any more
        self._began = 0.0
        self.beat = 0.0  # real seconds of the last sign of life: a tick begun, or a commit tried again
        self.sweeps = 0
        self.timekeeper = Timekeeper(parts.clock, parts.inbox)
        self._shadows = Shadows(parts.derived.zone, self._area)
        self._tally = Tally(parts.metrics)
        self._swept = 0.0
        self._saved = parts.clock.monotonic()
        self._saving: asyncio.Future[None] | None = None  # a snapshot that is being written
        self._safe_since = parts.clock.monotonic()
        self._saved_number = 0

    async def run(self) -> None:
        """Tick until stopped."""
        try:
            while not self._stopping:
                await self._pace()
                await self.tick()
        except BaseException as error:
            self._end(f"the pipeline has failed: {error!r}")
            raise

    async def stop(self, running: asyncio.Task[None]) -> None:
        """Finish the tick that runs and what has arrived since, then save: the next start replays nothing."""
        self._stopping = True
        self.parts.inbox.arrived()
        await asyncio.wait([running])
        try:
            if running.exception() is None and not self.stalled:
                await self.tick()
                await self._save(at_once=True)
        finally:
            self._end("the gateway stops")
        if self._saving is not None:
            await asyncio.wait([self._saving])

    async def tick(self) -> None:
        """One turn of the flow."""
        p = self.parts
        frames = p.inbox.take(self.settings.max_readings)
        self._hearing, self._announced = self._announced, []
        controls: list[Control] = [*self.timekeeper.look()]
        p.derived.offsets.trusted = p.clock.verdict is Verdict.TOGETHER
        controls += p.derived.offsets.turned()
        controls += [control for announcement in self._hearing for control in announcement.controls]
        controls = [*ended(controls, frames, p.clock.now()), *controls]
        for control in controls:
            p.derived.order.control(control)
        with p.metrics.stages["decode"].time():
            decoded = p.decoding.decode(frames)
        refusals = decoded.refusals
        with p.metrics.stages["stamp"].time():
            stamped = [p.derived.stamp(readings.batch) for readings in decoded.readings]
        controls += self._restarts(stamped)
        kept = await self._commit([s.batch for s in stamped], controls, [s.suspects for s in stamped])
        refusals += _conflicts(decoded.readings, kept)
        batches = [each.batch for each in kept]
        self._bind(controls)
        with p.metrics.stages["judge"].time():
            transitions = p.derived.judge(controls, batches) + self._sweep()
        now = p.clock.now()
        self._quarantine(frames, refusals, now)
        changes = await self._record(transitions, decoded.replies, now)
        with p.metrics.stages["settle"].time():
            _settle(frames, refusals)
        _tell(self._hearing, "")
        p.publish(changes, batches)
        p.metrics.tick.observe(p.clock.monotonic() - self._began)
        self._tally.ticked(self.number, frames, kept, transitions)
        await self._save()
        if p.history.checkpoint_due():
            await p.history.checkpoint()

    @property
    def snapshot_age(self) -> float:
        """Real seconds of work that a restart would replay; 0 while the newest tick is saved."""
        behind = self.number != self._saved_number
        return self.parts.clock.monotonic() - self._safe_since if behind else 0.0

    async def announce(self, controls: Sequence[Control]) -> None:
        """Put control rows into the log; returns once they are durable and in force.

        Raises Unavailable where no tick will hear of them any more, or the one that heard failed.
        """
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._announced.append(Announcement(controls, done))
        self.parts.inbox.arrived()
        if self._over:
            self._end(self._over)
        if why := await done:
            raise Unavailable(f"history hears of no change any more: {why}; start the gateway again")

    def _end(self, why: str) -> None:
        """Nobody waits for a tick that will not come. The first reason stands."""
        self._over = self._over or why
        _tell([*self._hearing, *self._announced], self._over)
        self._hearing, self._announced = [], []

    async def replay(self) -> int:
        """Rebuild the derived state at start; transitions that the desk missed are applied. Returns ticks replayed."""
        p = self.parts
        count = 0
        for replayed in p.derived.rebuild(p.history, p.snapshots):
            count += replayed.ticks
            if replayed.transitions:
                now = max(replayed.received, p.clock.now())
                await p.store.write(partial(self._apply, transitions=replayed.transitions, now=now))
        self.number = self._saved_number = max(p.derived.tick, p.history.last_tick())
        return count

    async def _pace(self) -> None:
        """Wait for work or the next sweep; never begin a tick too soon after the last."""
        clock = self.parts.clock
        early = self._began + self.settings.tick_ms / 1000 - clock.monotonic()
        if early > 0:
            await clock.sleep(early)
        try:
            async with asyncio.timeout(self.settings.sweep_ms / 1000):
                await self.parts.inbox.wait()
        except TimeoutError:
            pass
        self._began = self.beat = clock.monotonic()

    def _restarts(self, stamped: Sequence[Stamped]) -> list[Control]:
        restarts: list[Control] = [restart for stamp in stamped for restart in stamp.restarts]
        self.parts.metrics.watermark_restarts.inc(len(restarts))
        return restarts

    async def _commit(self, batches: list[Batch], controls: list[Control], suspects: list[Any]) -> list[Kept]:
        """Durable or not at all: while history cannot be written nothing is acked and nothing new is taken (law 5)."""
        if not batches and not controls:
            return []
        commit = self.parts.history.commit
        with self.parts.metrics.stages["commit"].time():
            kept = await self._surely("history", lambda: commit(self.number + 1, batches, controls, suspects))
        self.number += 1
        return kept

    async def _surely(self, store: str, attempt: Callable[[], Awaitable[Done]]) -> Done:
        """Try until it is done: a store that cannot be written costs acknowledgements, never data."""
        since = 0
        while True:
            try:
                done = await attempt()
            except StoreError as error:
                since = since or self.parts.clock.now()
                if self.stalled is None:
                    log.error("%s cannot be written, acknowledgements stop until it can: %s", store, error)  # noqa: TRY400
                self.stalled = f"{store}: {error}"
                self.parts.metrics.commit_failures.labels(store).inc()
                self.beat = self.parts.clock.monotonic()
                if self._stopping:
                    raise
                await self.parts.clock.sleep(self.settings.retry_ms / 1000)
            else:
                self.stalled = None
                if since:
                    self._resume(since)
                return done

    def _resume(self, since: int) -> None:
        """Nobody could be heard meanwhile: silence timers stand still over the stall, before the next sweep."""
        log.warning("the store can be written again")
        self._swept = self.parts.clock.monotonic()
        up = GatewayUp(since, self.parts.clock.now())
        self._announced.append(Announcement([up], asyncio.get_running_loop().create_future()))
        self.parts.inbox.arrived()

    def _bind(self, controls: Sequence[Control]) -> None:
        for control in controls:
            if isinstance(control, Rules):
                self.parts.desk.bind(control.told())

    def _area(self, family: str, index: int) -> str:
        entry = self.parts.directory.by_index(family, index)
        return entry.area if entry else ""

    def _sweep(self) -> list[Transition]:
        """Time goes on no further than what waits to be logged: a replay, which has no sweeps, must say the same."""
        p = self.parts
        if p.clock.monotonic() - self._swept < self.settings.sweep_ms / 1000:
            return []
        self._swept = p.clock.monotonic()
        self.sweeps += 1
        p.metrics.sweeps.inc()
        down = [c.time for each in self._announced for c in each.controls if isinstance(c, LinkDown)]
        return p.derived.sweep(min([p.clock.now(), *down, *(frame.received for frame in p.inbox.frames[:1])]))

    def _quarantine(self, frames: Sequence[Frame], refusals: Sequence[Refusal], now: int) -> None:
        for refusal in refusals:
            self._note(frames[refusal.frame], refusal.reason, refusal.detail, now)

    def _note(self, frame: Frame, reason: Reason, detail: str, now: int) -> None:
        entry = frame.lane and self.parts.directory.by_index(frame.lane.family, frame.device)
        device = entry.id if entry else frame.who
        address = frame.origin.address
        self.parts.quarantine.note(reason, now, device, address, frame.topic, frame.payload, detail)

    async def _record(self, transitions: list[Transition], replies: Replies, now: int) -> list[Change]:
        """One SQL transaction, and only if something changed; what it says is counted once it is done."""
        p = self.parts
        if not transitions and not replies and not p.quarantine.pending:
            return []

        def write(conn: Connection) -> tuple[list[Change], Replies]:
            changes = self._apply(conn, transitions, now)
            horizon.reach(conn, now)
            unasked = p.reply(conn, replies, now)
            p.quarantine.flush(conn)
            return changes, unasked

        with p.metrics.stages["record"].time():
            changes, unasked = await self._surely("operations", lambda: p.store.write(write))
        for frame, reply in unasked:
            detail = f"no command {reply.id!r:.40} was sent to this device"
            self._note(frame, Reason.NO_REPLY_EXPECTED, detail, now)
        return changes

    def _apply(self, conn: Connection, transitions: Sequence[Transition], now: int) -> list[Change]:
        """What a shadow says is counted, and nobody hears of it."""
        self._shadows.note(conn, [each for each in transitions if each.shadow])
        told = [each for each in transitions if not each.shadow]
        self.parts.facts.prime(conn, told)
        return self.parts.desk.apply(conn, told, now)

    async def _save(self, *, at_once: bool = False) -> None:
        """The snapshot names a tick whose SQL transaction is done (design 2, Restart): copied here, written meanwhile."""
        p, now = self.parts, self.parts.clock.monotonic()
        if self._saving is not None and at_once:
            await asyncio.wait([self._saving])
        too_soon = self._saving is not None or now - self._saved < self.settings.snapshot_s
        if not at_once and (too_soon or self.number == self._saved_number):
            return
        self._saved, number = now, self.number
        parts = await asyncio.to_thread(p.derived.snapshot)
        write = partial(p.derived.save, p.snapshots, number, parts)
        self._saving = asyncio.get_running_loop().run_in_executor(None, write)
        self._saving.add_done_callback(partial(self._written, number, now))

    def _written(self, number: int, now: float, done: asyncio.Future[None]) -> None:
        self._saving = None
        error = done.exception()
        if error is None:
            self._saved_number, self._safe_since = number, now
        else:  # the last one still counts: all it costs is a longer replay
            log.warning("the snapshot cannot be written: %s", error)


def _conflicts(readings: Sequence[Readings], kept: Sequence[Kept]) -> list[Refusal]:
    """Points that came again with another value; the frame is refused whole where no row of it stands."""
    refusals: list[Refusal] = []
    for source, each in zip(readings, kept, strict=True):
        standing = set(source.frame[each.rows].tolist()) | set(source.frame[each.duplicates].tolist())
        for row, names in each.conflicts:
            frame = int(source.frame[row])
            detail = f"{', '.join(names)} of the reading at {int(source.batch.time[row])} came again with another value"
            refusals.append(Refusal(frame, Reason.CONFLICT, detail, whole=frame not in standing))
    return refusals


def _tell(announcements: Sequence[Announcement], why: str) -> None:
    for announcement in announcements:
        if not announcement.done.done():
            announcement.done.set_result(why)


def _settle(frames: Sequence[Frame], refusals: Sequence[Refusal]) -> None:
    """Every origin once, its tokens in order of arrival, so that a connection's acks leave in one write."""
    tokens: dict[Origin, list[int]] = defaultdict(list)
    for frame in frames:
        if frame.token:
            tokens[frame.origin].append(frame.token)
    refused: dict[Origin, dict[int, Refusal]] = defaultdict(dict)
    for refusal in refusals:
        frame = frames[refusal.frame]
        if refusal.whole or frame.token not in refused[frame.origin]:
            refused[frame.origin][frame.token] = refusal
    for origin, mine in tokens.items():
        origin.settle(mine, refused.get(origin, {}))
