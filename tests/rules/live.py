"""An engine that is fed the log of a small city, with restarts, in batches of any size."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field

from rules.control import Control
from rules.engine import Engine
from rules.transition import Transition
from tests.rules.streams import FAMILIES, START, Restart, Row, Step, Sweep, batch_of


@dataclass
class Live:
    """An engine that is fed a log, `size` rows at a time at most."""

    size: int
    sweeps: bool = True
    engine: Engine = field(default_factory=lambda: Engine(FAMILIES))
    out: list[Transition] = field(default_factory=list)

    def run(self, log: Iterable[Step]) -> list[Transition]:
        rows: list[Row] = []
        steps = list(log)
        for place, step in enumerate(steps):
            if isinstance(step, Row):
                rows.append(step)
                if len(rows) >= self.size:
                    self.tick(rows)
                continue
            self.tick(rows)
            self.other(step, last=place == len(steps) - 1)
        self.tick(rows)
        return sorted(self.out, key=lambda each: (each.time, each.rule, each.family, each.index))

    def tick(self, rows: list[Row]) -> None:
        families = dict.fromkeys(row.family.name for row in rows)
        heard = [batch_of([row for row in rows if row.family.name == family]) for family in families]
        self.take(self.engine.tick(heard, [batch.take(batch.flags == 0) for batch in heard]))
        rows.clear()

    def other(self, step: Step, last: bool) -> None:
        if isinstance(step, Sweep):
            if self.sweeps or last or step.now == START:
                self.take(self.engine.sweep(step.now))
        elif isinstance(step, Restart):
            saved = copy.deepcopy(self.engine.snapshot())
            self.engine.snapshot()["families"]["probe"]["memory"]["heard"][:] = 0  # a snapshot is a copy
            self.engine = Engine(FAMILIES)
            self.engine.restore(saved)
        else:
            assert not isinstance(step, Row)
            control: Control = step
            self.engine.control(control)

    def take(self, said: list[Transition]) -> None:
        keys = [(each.time, each.rule, each.family, each.index) for each in said]
        assert keys == sorted(keys)
        self.out += said
