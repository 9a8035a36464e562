"""State that history alone can rebuild: watermarks, rules, latest values (law 1).

Live ticks and replayed ticks pass through the same `judge`, so a restart says what the live run would have said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from drivers.telemetry import Batch, Family
from gateway.history import snapshot
from gateway.history.duck import History
from gateway.history.latest import Latest
from rules.control import Control
from rules.engine import Engine
from rules.order import Order
from rules.transition import Transition


class Replayed(NamedTuple):
    """What a tick out of history says once more."""

    tick: int
    received: int
    transitions: list[Transition]


class Derived:
    """Owner of everything that is computed from the log of readings and control rows."""

    def __init__(self, families: Mapping[str, Family], order: Order, zone: str) -> None:
        self.order = order
        self.engine = Engine(families, zone)
        self.latest = Latest(families)
        self.tick = (
            0  # of the snapshot that was loaded; one of duplicates alone stores nothing and yet has a number
        )

    def judge(self, controls: Sequence[Control], batches: Sequence[Batch]) -> list[Transition]:
        """One committed tick: its control rows, then its readings."""
        for control in controls:
            self.engine.control(control)
        transitions: list[Transition] = []
        for batch in batches:
            self.latest.update(batch)
            transitions += self.engine.hear(batch)
            transitions += self.engine.evaluate(self.order.admit(batch))
        return transitions

    def sweep(self, now: int) -> list[Transition]:
        """What the mere passing of time says by `now` (µs UTC, receive clock)."""
        transitions: list[Transition] = []
        for batch in self.order.due(now):
            transitions += self.engine.evaluate(batch)
        return transitions + self.engine.sweep(now)

    def rebuild(self, history: History, folder: Path) -> Iterator[Replayed]:
        """Load the newest snapshot, then replay every later tick; the caller applies the transitions."""
        saved = snapshot.load(folder)
        if saved is not None:
            self.tick = saved.tick
            self.order.restore(saved.parts["order"])
            self.engine.restore(saved.parts["engine"])
            self.latest.restore(saved.parts["latest"])
        for tick, batches, controls in history.replay(self.tick):
            for control in controls:
                self.order.control(control)
            for batch in batches:
                self.order.observe(batch)
            received = max((int(batch.received.max()) for batch in batches), default=0)
            yield Replayed(tick, received, self.judge(controls, batches))

    def save(self, folder: Path, tick: int) -> None:
        """Write the snapshot that names `tick`, whose SQL transaction is done."""
        parts = {
            "order": self.order.snapshot(),
            "engine": self.engine.snapshot(),
            "latest": self.latest.snapshot(),
        }
        snapshot.save(folder, tick, parts)
