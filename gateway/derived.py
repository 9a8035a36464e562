"""State that history alone can rebuild: watermarks, rules, latest values (law 1).

Live ticks and replayed ticks pass through the same `judge`, so a restart says what the live run would have said.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from drivers.telemetry import Batch, Family
from gateway.history import snapshot
from gateway.history.duck import History
from gateway.history.latest import Latest
from gateway.history.snapshot import Snapshot
from gateway.offsets import Offsets
from rules.control import Control, Moment
from rules.engine import Engine
from rules.order import Order, Stamped
from rules.transition import Transition

log = logging.getLogger(__name__)


class Replayed(NamedTuple):
    """What so many ticks out of history say once more, by receive time. received: newest receive time of their rows."""

    ticks: int
    received: int
    transitions: list[Transition]


class Derived:
    """Owner of everything that is computed from the log of readings and control rows."""

    def __init__(
        self, families: Mapping[str, Family], order: Order, zone: str, offsets: Offsets | None = None
    ) -> None:
        self.families = families
        self.zone = zone
        self.order = order
        self.offsets = offsets or Offsets(families)  # of live samples only: a lost minute is learned again
        self.engine = Engine(families, zone)
        self.latest = Latest(families)
        self.tick = (
            0  # of the snapshot that was loaded; one of duplicates alone stores nothing and yet has a number
        )

    def stamp(self, batch: Batch) -> Stamped:
        """The rows with their event time and flags, before history has them; what their clocks said is noted."""
        said = batch.time.copy()
        stamped = self.order.stamp(batch)
        self.offsets.learn(stamped.batch, said)
        return stamped

    def judge(self, controls: Sequence[Control], batches: Sequence[Batch]) -> list[Transition]:
        """One committed tick: its control rows, then its readings."""
        said: list[Transition] = []
        for control in controls:
            if isinstance(control, Moment):
                said += self.engine.tick([], self.order.due(control.time))
            self.engine.control(control)
        for batch in batches:
            self.latest.update(batch)
        admitted = [self.order.admit(batch) for batch in batches]
        received = max((int(batch.received.max()) for batch in batches if len(batch)), default=0)
        return [*said, *self.engine.tick(batches, [*admitted, *self.order.due(received)])]

    def sweep(self, now: int) -> list[Transition]:
        """What the mere passing of time says by `now` (µs UTC, receive clock)."""
        return [*self.engine.tick([], self.order.due(now)), *self.engine.sweep(now)]

    def rebuild(self, history: History, folder: Path) -> Iterator[Replayed]:
        """Load the newest snapshot that can be used, then replay all later ticks; the caller applies the transitions.

        Ticks are judged in few pieces, since any batching of them says the same.
        """
        for saved in snapshot.whole(folder):
            if self._take_over(saved):
                break
        for span in history.spans(self.tick):
            for control in span.controls:
                self.order.control(control)
            for batch in span.batches:
                self.order.observe(batch)
            received = max((int(batch.received.max()) for batch in span.batches), default=0)
            said = sorted(self.judge(span.controls, span.batches), key=attrgetter("received"))
            yield Replayed(span.ticks, received, said)
        for family in self.families:
            self.offsets.heed(family, self.engine.clock_offsets(family))

    def _take_over(self, saved: Snapshot) -> bool:
        """False where another version wrote it, or its content is not what it should be: then it counts as none."""
        order, engine = (
            Order(self.families, self.order.ahead, self.order.behind),
            Engine(self.families, self.zone),
        )
        try:
            order.restore(saved.parts.pop("order"))
            engine.restore(saved.parts.pop("engine"))
            self.offsets.restore(saved.parts.pop("offsets", {}))
            self.latest.restore(saved.parts.pop("latest"))  # it never goes back, so a part of it does no harm
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            log.warning("the snapshot of tick %d is passed over: %s", saved.tick, error)
            return False
        self.tick, self.order, self.engine = saved.tick, order, engine
        return True

    def snapshot(self) -> dict[str, Any]:
        """A copy of all of it, as of the tick that is done."""
        return {
            "order": self.order.snapshot(),
            "engine": self.engine.snapshot(),
            "latest": self.latest.snapshot(),
            "offsets": self.offsets.snapshot(),
        }

    def save(self, folder: Path, tick: int, parts: dict[str, Any] | None = None) -> None:
        """Write the snapshot that names `tick`, whose SQL transaction is done. parts: a copy as of it; else as all stands."""
        snapshot.save(folder, tick, self.snapshot() if parts is None else parts)
