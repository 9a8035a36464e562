"""The engine: committed rows and control rows in, transitions out. Any batching of the same log says the same.

It sees nothing but what the log holds and the `now` of sweeps, so history alone can rebuild it (design 2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from drivers.telemetry import MINUTE, Batch, Family
from rules.city import LAG, City
from rules.control import (
    Calendar,
    Clock,
    ClockStep,
    Control,
    Devices,
    GatewayUp,
    LinkDown,
    LinkUp,
    Moment,
    Parameter,
    Rules,
    WatermarkRestart,
)
from rules.document import Rule, read_rules
from rules.judge import Judge, Standing
from rules.parameters import Overrides
from rules.transition import Transition
from rules.tree import Elsewhere, Peers
from rules.zone import Zone

if TYPE_CHECKING:
    from drivers.telemetry import Float64

FORMAT: Final = 5  # of snapshots
_order = attrgetter("time", "rule", "family", "index", "shadow")


class Engine:
    """Rules over families. zone: the city's, for times of day.

    Every call returns its transitions in order of (time, rule, family, index).
    """

    def __init__(self, families: Mapping[str, Family], zone: str = "Asia/Shanghai") -> None:
        self.families = dict(families)
        self.rules: list[Rule] = []
        self.links: dict[str, int | None] = {}  # since when each link of the log is down; None: it is up
        self._overrides = Overrides()
        self._out: list[Transition] = []
        self._city = City(Zone(zone))
        self._judges = {
            name: Judge(family, self._city, self._overrides, self._out) for name, family in families.items()
        }

    @property
    def calendar(self) -> Calendar:
        """The working calendar in force."""
        return self._city.dates.calendar

    def overrides(self, scope: str) -> list[Parameter]:
        """The parameters in force in one scope."""
        return self._overrides.of_scope(scope)

    def control(self, control: Control) -> None:
        """Take a control row, in log order. Transitions it causes come with the next call that returns some.

        Rules that cannot be used raise RulesError and change nothing.
        """
        match control:
            case Devices(family=family, rows=rows):
                self._judges[family].register(rows)
            case Rules(rules=documents):
                self._employ(read_rules(documents, self.families, self.rules))
            case Parameter():
                self._overrides.put(control)
                for judge in self._judges.values():
                    judge.tune()
            case Calendar() | Clock():
                self._learn(control)
            case Moment() | GatewayUp() | ClockStep() | LinkDown() | LinkUp():
                self._timed(control)
            case WatermarkRestart(family=family, device=device):
                self._judges[family].restart(device)

    def _employ(self, rules: list[Rule]) -> None:
        self.rules = rules
        for name, judge in self._judges.items():
            judge.employ([rule for rule in rules if name in rule.meanings])
        self._city.watch(set(_watched(rules)))

    def _learn(self, control: Calendar | Clock) -> None:
        if isinstance(control, Calendar):
            self._city.dates.follow(control)
        else:
            devices = self._judges[control.family].memory.devices
            devices.learn("clock_offset", control.devices, control.offsets)

    def _timed(self, control: Moment | GatewayUp | ClockStep | LinkDown | LinkUp) -> None:
        """What names the time of its own effect."""
        if isinstance(control, Moment):
            self._finish(control.time)
        elif isinstance(control, GatewayUp):
            self._stand_still(control.down, control.up)
        elif isinstance(control, ClockStep):
            self._stand_still(control.before, control.after)
            for judge in self._judges.values():
                judge.carry(control.after - control.before)
        else:
            self._link(control)

    def _stand_still(self, down: int, up: int) -> None:
        """What had run out when the gateway went down is said first: a replay without sweeps must say it too."""
        self._finish(down)
        for judge in self._judges.values():
            judge.stand_still(down, up)
        for link, since in self.links.items():
            if since is not None:
                self._resume(link, min(since, down), up)
                self.links[link] = up

    def _link(self, control: LinkDown | LinkUp) -> None:
        """Down: as the gateway, but for those behind the link. Said twice, the first counts."""
        since = self.links.get(control.link)
        if isinstance(control, LinkUp):
            if since is not None:
                self._resume(control.link, since, control.time)
            self._cut(control.link, None)
        elif since is None:
            self._finish(control.time)
            self._cut(control.link, control.time)

    def _cut(self, link: str, since: int | None) -> None:
        self.links[link] = since
        down = [name for name, when in self.links.items() if when is not None]
        for judge in self._judges.values():
            judge.memory.cut(down)

    def _resume(self, link: str, down: int, up: int) -> None:
        for judge in self._judges.values():
            judge.stand_still(down, up, link)

    def tick(self, heard: Sequence[Batch], judged: Sequence[Batch]) -> list[Transition]:
        """One tick of the log. heard: every committed row, in order of arrival: silence ends, or had begun before.

        judged: samples in judge order, neither late nor historical; `received` never falls for a device. Where rules look
        at other devices the rows go by minutes of receipt, all families together.
        """
        if len(heard) and len(heard[0]):
            self._begin(int(heard[0].received[0]))
        for hears, judges in self._by_minutes(heard, judged):
            for batch in hears:
                self._judges[batch.family.name].hear(batch)
            with np.errstate(all="ignore"):
                for batch in judges:
                    self._judges[batch.family.name].evaluate(batch)
        return self._said()

    def hear(self, batch: Batch) -> list[Transition]:
        """Rows that are heard; where rules look at other devices, `tick` alone keeps their order with the rows judged."""
        return self.tick([batch], []) if len(batch) else self._said()

    def evaluate(self, batch: Batch) -> list[Transition]:
        """Rows that are judged; as `hear`."""
        return self.tick([], [batch]) if len(batch) else self._said()

    def _by_minutes(
        self, heard: Sequence[Batch], judged: Sequence[Batch]
    ) -> Iterator[tuple[list[Batch], list[Batch]]]:
        """The rows of each minute of receipt, after the minutes that others see have closed for it."""
        left = [[batch for batch in batches if len(batch)] for batches in (heard, judged)]
        if not self._city.watches:
            yield left[0], left[1]
            return
        while any(left):
            first = min(int(batch.received.min()) for batches in left for batch in batches)
            self._reach(first)
            end = (first // MINUTE + 1) * MINUTE
            now = [[_before(batch, end) for batch in batches] for batches in left]
            left = [[_since(batch, end) for batch in batches] for batches in left]
            left = [[batch for batch in batches if len(batch)] for batches in left]
            yield ([batch for batch in now[0] if len(batch)], [batch for batch in now[1] if len(batch)])

    def _reach(self, now: int) -> None:
        """Close the minutes that close by then; what had ended before each is said first, with what was seen before."""
        while (minute := self._city.due(now)) is not None:
            while self._sweep((minute + LAG) * MINUTE - 1):
                pass
            self._city.close(minute)
        self._city.reach(now)

    def sweep(self, now: int) -> list[Transition]:
        """Absence, holds and buckets that ended by receive time. now (µs UTC) is not before any row given so far.

        What is beyond a bound comes with the next sweeps, or with the device's next row, and is said to be of the same time.
        """
        self._reach(now)
        self._sweep(now)
        return self._said()

    def _finish(self, now: int) -> None:
        """All that had ended by then, however much."""
        self._reach(now)
        while self._sweep(now):
            pass

    def _sweep(self, now: int) -> bool:
        """True where more has ended than one sweep takes."""
        self._begin(now)
        with np.errstate(all="ignore"):
            more = [judge.sweep(now) for judge in self._judges.values()]
        return any(more)

    def _begin(self, now: int) -> None:
        for judge in self._judges.values():
            judge.begin(now)

    def _said(self) -> list[Transition]:
        said = sorted(self._out, key=_order)
        self._out.clear()
        return said

    def clock_offsets(self, family: str) -> Float64:
        """By device index, what the log last said of its clock (s); NaN where it said nothing. Maybe shorter."""
        column = self._judges[family].memory.devices.attributes.get("clock_offset")
        return np.empty(0) if column is None else column

    def standing(self, family: str, index: int) -> list[Standing]:
        """The alarms that stand on a device."""
        return self._judges[family].standing(index)

    def explain(self, rule: str, family: str, index: int) -> dict[str, Any] | None:
        """What a rule sees of a device now: values, windows, thresholds and their scopes; None if it does not judge it."""
        with np.errstate(all="ignore"):
            return self._judges[family].explain(rule, index)

    def snapshot(self) -> dict[str, Any]:
        """Everything, as nested plain data and numpy arrays of its own."""
        return {
            "format": FORMAT,
            "rules": [dict(rule.document) for rule in self.rules],
            "links": dict(self.links),
            "city": self._city.snapshot(),
            "overrides": self._overrides.snapshot(),
            "families": {name: judge.snapshot() for name, judge in self._judges.items()},
            "owed": [msgspec.structs.asdict(each) for each in self._out],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Become the engine that was snapshot, and take over its arrays; this one must be new, with the same families and zone."""
        if state["format"] != FORMAT:
            raise ValueError(f"a snapshot of format {state['format']}, expected {FORMAT}")
        self._overrides.restore(state["overrides"])
        self._employ(read_rules(state["rules"], self.families))
        for name, saved in state["families"].items():
            self._judges[name].restore(saved)
        self._city.restore(state["city"])
        for link, since in state["links"].items():
            self._cut(link, since)
        self._out[:] = [Transition(**each) for each in state["owed"]]


def _watched(rules: list[Rule]) -> Iterator[tuple[str, int]]:
    """(family, point) of every value that some rule looks at on other devices."""
    for rule in rules:
        for node in (node for meaning in rule.meanings.values() for node in meaning.nodes()):
            if isinstance(node, Elsewhere):
                yield from node.rows
            elif isinstance(node, Peers):
                yield node.family, node.point.row


def _before(batch: Batch, end: int) -> Batch:
    mask = batch.received < end
    return batch if mask.all() else batch.take(mask)


def _since(batch: Batch, end: int) -> Batch:
    return batch.take(batch.received >= end)
