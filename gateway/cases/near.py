"""The alarms that one transaction has at hand for correlation: which may explain, which may be explained, and where they stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from sqlalchemy import ColumnElement

from gateway.cases.ledger import Ledger
from gateway.cases.record import Alarm
from gateway.cases.topology import Topology
from gateway.store.schema.cases import UNCLEARED
from gateway.store.schema.cases import alarm as table
from rules.correlate import Correlation, Explanation, Labels

SOURCE: Final = "alarm:"  # before the id, in what an alarm says that it suppresses

Place = tuple[str, str]  # "at" a device, or the value of a label


def source_of(alarm: Alarm) -> str | None:
    """The alarm that explains this one, while it is suppressed by one."""
    by = alarm.suppressed_by or ""
    return by.removeprefix(SOURCE) if by.startswith(SOURCE) else None


class Near:
    """Loaded with `load` or `load_held`; alarms that are raised meanwhile are put in with `add`."""

    def __init__(self, ledger: Ledger, correlation: Correlation) -> None:
        self.ledger = ledger
        self.correlation = correlation
        self.topology = Topology(ledger.conn)
        self._others = sorted(correlation.labels - {"device"})
        self._sources: dict[Place, dict[str, Alarm]] = {}
        self._targets: dict[Place, dict[str, Alarm]] = {}

    def labels(self, alarm: Alarm) -> Labels:
        return Labels(
            id=alarm.id,
            alarm=alarm.name,
            rule=alarm.rule,
            family=alarm.family,
            severity=alarm.severity,
            device=alarm.device,
            parent=alarm.parent,
            area=alarm.area,
            raised=alarm.raised,
            cleared=None if alarm.standing else alarm.cleared,
            above=self.topology.from_(alarm.parent),
        )

    def chain(self, alarm: Alarm) -> tuple[str, ...]:
        """Its device and what stands above it."""
        return (alarm.device, *self.topology.from_(alarm.parent))

    def load(self, raised: Iterable[Alarm]) -> None:
        """All that these may be explained by, and all that they may explain."""
        raised = list(raised)
        self.topology.learn(alarm.parent for alarm in raised)
        tables = [(alarm, self.labels(alarm)) for alarm in raised]
        self._load_sources([alarm for alarm, labels in tables if self.correlation.is_target(labels)])
        self._load_targets([alarm for alarm, labels in tables if self.correlation.sources(labels)])
        known = list(self.ledger.alarms)
        self.topology.learn(alarm.parent for alarm in known)
        for alarm in known:
            self.add(alarm)

    def add(self, alarm: Alarm) -> None:
        labels = self.labels(alarm)
        here = [("at", alarm.device), *((name, getattr(alarm, name)) for name in self._others)]
        if self.correlation.sources(labels):
            for place in here:
                self._sources.setdefault(place, {})[alarm.id] = alarm
        if self.correlation.is_target(labels):
            for place in (*here, *(("at", name) for name in labels.above)):
                self._targets.setdefault(place, {})[alarm.id] = alarm

    def explain(self, alarm: Alarm) -> Explanation | None:
        """What explains this alarm, of all that stands or has cleared so lately that its time is not over."""
        target = self.labels(alarm)
        places = [("at", name) for name in (alarm.device, *target.above)]
        places += [(name, getattr(alarm, name)) for name in self._others]
        found = {
            one.id: self.labels(one)
            for place in places
            for one in self._sources.get(place, {}).values()
            if one.standing or one.release is not None
        }
        return self.correlation.explain(target, found.values())

    def targets(self, source: Alarm) -> Iterator[Alarm]:
        """Alarms that stand where this one may explain them, the earliest first."""
        places = [("at", source.device), *((name, getattr(source, name)) for name in self._others)]
        found = {one.id: one for place in places for one in self._targets.get(place, {}).values()}
        yield from sorted(
            (one for one in found.values() if one.standing), key=lambda one: (one.raised, one.id)
        )

    def _load_sources(self, targets: list[Alarm]) -> None:
        devices = {name for alarm in targets for name in self.chain(alarm)}
        for where in (UNCLEARED, table.c.release > 0):  # so written, both are found by an index
            self.ledger.find_alarms_in(table.c.device, devices, where)
            for name in self._others:
                self.ledger.find_alarms_in(
                    table.c[name], {getattr(one, name) for one in targets} - {""}, where
                )

    def _load_targets(self, sources: list[Alarm]) -> None:
        below = self.topology.below(alarm.device for alarm in sources)
        self.ledger.load_uncleared(("", family, index) for family, index in below)
        for name in self._others:
            self.ledger.find_alarms_in(
                table.c[name], {getattr(one, name) for one in sources} - {""}, UNCLEARED
            )
        explained = {by for alarm in self.ledger.alarms if (by := source_of(alarm)) is not None}
        self.ledger.find_alarms_in(table.c.id, explained)

    def load_held(self, source: Alarm) -> list[Alarm]:
        """All that this alarm explains and that stands."""
        by: ColumnElement[bool] = table.c.suppressed_by == f"{SOURCE}{source.id}"
        return [one for one in self.ledger.find_alarms(by, UNCLEARED) if one.standing]
