"""One module under its unit id, as the master knows it: its plan, how it fares, and which answers it still owes.

A slave that fails is asked again ever more rarely; one that owes an answer is first asked something that cannot be mistaken for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from drivers.modbus.plan import Plan, Read, plan
from drivers.modbus.values import Reader
from drivers.modbus.wire import read_request

if TYPE_CHECKING:
    from drivers.modbus.register_map import Module
    from drivers.modbus.wire import Request
    from drivers.telemetry import Family

FIRST_PAUSE: Final = 2.0  # seconds after the second failure in a row; it doubles
LONGEST_PAUSE: Final = 60.0
OWED: Final = 10.0  # seconds after which nobody waits for a late answer any more


class Station:
    """Times are seconds of the caller's monotonic clock."""

    def __init__(self, unit: int, module: Module, family: Family) -> None:
        self.unit = unit
        self.module = module
        self.reader = Reader(module, family)
        self.plan: Plan = plan(module)
        self.points = frozenset(one.point for one in module.registers)
        self.failures = 0  # in a row
        self.trial_at = 0.0  # not asked before, while it fails
        self.newest: dict[str, float] = {}  # of each point, the last value read
        self.owed: dict[Request, float] = {}
        self._requests: dict[Read, Request] = {}

    @property
    def healthy(self) -> bool:
        return self.failures == 0

    def request(self, read: Read) -> Request:
        found = self._requests.get(read)
        if found is None:
            found = self._requests[read] = read_request(self.unit, read)
        return found

    def failed(self, now: float) -> None:
        """No answer that can be used. The first failure costs nothing but the poll; a second is a habit."""
        self.failures += 1
        pause = FIRST_PAUSE * 2.0 ** min(self.failures - 2, 10) if self.failures > 1 else 0.0
        self.trial_at = now + min(pause, LONGEST_PAUSE)

    def answered(self) -> None:
        """What it owed came before this or never will: a line delivers in order."""
        self.failures = 0
        self.owed.clear()

    def revive(self) -> None:
        """The line is new: all that failed deserves another look."""
        self.failures, self.trial_at = 0, 0.0

    def refused(self, read: Read) -> tuple[Read, ...] | None:
        """The device says that a read is none of its own: what to read in its place. None: it has nothing of ours."""
        before = set(self.plan.reads)
        split = self.plan.refused(read)
        self.plan = split if split.reads else plan(self.module)
        return tuple(one for one in split.reads if one not in before) if split.reads else None

    def unmistakable(self, request: Request, now: float) -> bool:
        """Whether no answer still owed looks like the one to this."""
        if not self.owed:
            return True
        for late in [one for one, since in self.owed.items() if now - since > OWED]:
            del self.owed[late]
        return all(one.shape != request.shape for one in self.owed)

    def sequence(self, now: float) -> list[tuple[Read, bool]]:
        """The reads of a round in order, True for a probe whose values do not count. Empty where none is unmistakable."""
        reads = self.plan.reads
        if not self.owed:
            return [(read, False) for read in reads]
        clear = [read for read in reads if self.unmistakable(self.request(read), now)]
        if len(clear) == len(reads):
            return [(read, False) for read in reads]
        if clear:
            return [(clear[0], False), *((read, False) for read in reads if read != clear[0])]
        for read in reads:
            for end in sorted({atom.end for atom in self.plan.inside(read)}):
                probe = read._replace(length=end - read.start)
                if self.unmistakable(self.request(probe), now):
                    return [(probe, True), *((one, False) for one in reads)]
        return []
