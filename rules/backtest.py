"""The same engine over history: what a rule said as the log has it, and what other versions of it would have said.

Versions that are tried stand beside the recorded one under ids of their own, so windows they share are kept once. What is
judged is a subset of the log's devices and points; a rule that looks at other devices is given all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct

from drivers.telemetry import DAY, MINUTE, SECOND, Batch, Family
from rules.control import Control, Devices, Parameter, Rules, WatermarkRestart
from rules.document import Rule, RulesError, read_rules
from rules.engine import Engine
from rules.order import Order
from rules.transition import Transition, transition_id
from rules.tree import MISSED, Aged, Changed, Elsewhere, Peers, PointValue, Rises, Silent, Usual, Window, text
from rules.windows import ring_key

Json = Mapping[str, Any]
RECORDED: Final = "recorded"  # the line of what the log's own versions say
MOST: Final = 500_000  # transitions that one trial keeps, of all its lines
SETTLING: Final = DAY  # on top of what a rule looks back: an alarm that began before is known from then on
MISSED_BY_SLOWEST: Final = int(MISSED * DAY)  # before a device that reports once a day is silent


class TooMuchError(ValueError):
    """A rule that speaks so often that nobody could read what came of it."""


class Version(Struct, frozen=True):
    """A rule as it might be, from the first moment on: its document, and its parameters by scope."""

    document: dict[str, Any]
    parameters: list[Parameter]


class Plan(Struct, frozen=True):
    """What a trial of one rule needs of history.

    versions: by line, what is tried. recorded: ids of the log's rules that are judged beside them; empty where the log's own
    version is not asked for. points: by family, what must be read. apart: the log's rules need an engine of their own.
    cross: values of other devices are seen, so all devices are judged together. lookback: µs before the first moment.
    """

    rule: str
    versions: dict[str, Version]
    recorded: frozenset[str]
    points: dict[str, tuple[str, ...]]
    apart: bool
    cross: bool
    lookback: int


class Said(Struct, frozen=True, gc=False):
    """A transition of one line, under the rule's own id. time: event time, received: receive time, µs UTC."""

    line: str
    id: str
    family: str
    index: int
    device: str
    severity: str
    raised: bool
    time: int
    received: int


def plan(
    rule: str,
    versions: Mapping[str, Version],
    controls: Iterable[Control],
    families: Mapping[str, Family],
    *,
    recorded: bool = True,
) -> Plan:
    """Of a log's control rows. Raises RulesError where a version is no rule."""
    tried = [each for one in versions.values() for each in read_rules([one.document], families)]
    sets = [control.rules for control in controls if isinstance(control, Rules)] if recorded else []
    read = _Reading(families)
    own = [[found for each in rules if each["id"] == rule and (found := read(each))] for rules in sets]
    kept = [frozenset(key for one in each for key in _keys(one)) for each in own]
    apart = len(set(kept)) > 1
    beside = {rule} if recorded else set()
    known = [*tried, *(one for each in own for one in each)]
    if apart:  # whoever shares a window with it has kept it alive while the rule itself did not ask for it
        mine = frozenset[tuple[str, ...]]().union(*kept)
        for rules in sets:
            near = [one for each in rules if (one := read(each)) and _keys(one) & mine]
            beside |= {one.id for one in near}
            known += near
    return Plan(
        rule=rule,
        versions=dict(versions),
        recorded=frozenset(beside),
        points=_points(known, families),
        apart=apart,
        cross=any(isinstance(node, Elsewhere | Peers) for one in known for node in _nodes(one)),
        lookback=max((_lookback(one) for one in known), default=0) + SETTLING,
    )


class _Reading:
    """Documents to rules, each once; what can be read no longer said nothing worth repeating."""

    def __init__(self, families: Mapping[str, Family]) -> None:
        self._families = families
        self._known: dict[bytes, Rule | None] = {}

    def __call__(self, document: Json) -> Rule | None:
        key = msgspec.json.encode(document)
        if key not in self._known:
            try:
                (self._known[key],) = read_rules([document], self._families)
            except RulesError:
                self._known[key] = None
        return self._known[key]


def _nodes(rule: Rule) -> Iterator[Any]:
    for meaning in rule.meanings.values():
        yield from meaning.nodes()


def _keys(rule: Rule) -> frozenset[tuple[str, ...]]:
    """What the engine keeps of rows because this rule asks for it; rules with a key in common share it."""
    found: set[tuple[str, ...]] = set()
    for family, meaning in rule.meanings.items():
        for node in meaning.nodes():
            match node:
                case Window():
                    found.add((family, "window", ring_key(node)))
                case Changed() | Rises() | Usual():
                    found.add((family, "kept", text(node)))
                case Aged(point=point):
                    found.add((family, "aged", point.name))
                case Elsewhere(name=name, rows=rows):
                    found |= {(other, "minute", name) for other, _ in rows}
                case Peers(family=other, point=point):
                    found.add((other, "minute", point.name))
                case _:
                    pass
    return frozenset(found)


def _points(rules: Iterable[Rule], families: Mapping[str, Family]) -> dict[str, tuple[str, ...]]:
    wanted: dict[str, set[str]] = {}
    for rule in rules:
        for family, meaning in rule.meanings.items():
            mine = wanted.setdefault(family, set())
            for node in meaning.nodes():
                match node:
                    case PointValue(name=name) | Usual(point=PointValue(name=name)):
                        mine.add(name)
                    case Elsewhere(name=name, rows=rows):
                        for other, _ in rows:
                            wanted.setdefault(other, set()).add(name)
                    case Peers(family=other, point=point):
                        wanted.setdefault(other, set()).add(point.name)
                    case _:
                        pass
    return {
        name: tuple(point.name for point in family.points if point.name in wanted[name] | {"online"})
        for name, family in families.items()
        if name in wanted
    }


def _lookback(rule: Rule) -> int:
    spans = [0 if isinstance(rule.hold, str) else rule.hold]
    spans += [
        round(each.high * each.unit.factor * SECOND)
        for name, each in rule.parameters.items()
        if name == rule.hold
    ]
    for node in _nodes(rule):
        match node:
            case Window(length=span) | Aged(age=span):
                spans.append(span)
            case Usual(days=days):
                spans.append((days + 1) * DAY)
            case Silent(timeout=span, parameter=name):
                tuned = rule.parameters.get(name)
                spans += [
                    round(tuned.high * tuned.unit.factor * SECOND) if tuned else span,
                    MISSED_BY_SLOWEST,
                ]
            case _:
                pass
    return max(spans)


def pruned(families: Mapping[str, Family], plan: Plan) -> dict[str, Family]:
    """All families, with no more points than the plan reads: what nobody asks for costs nothing."""
    return {
        name: Family(
            name,
            tuple(each for each in family.points[:-2] if each.name in plan.points.get(name, ())),
            family.alarms,
            family.interval,
            family.commands,
        )
        for name, family in families.items()
    }


class Trial:
    """Judges spans of a log, in its order. devices: by family, the indices that are judged; None: all.

    Rows are those of `plan.points`, of any batching; of each device in order of commit.
    """

    def __init__(
        self,
        plan: Plan,
        families: Mapping[str, Family],
        zone: str,
        controls: Iterable[Control] = (),
        devices: Mapping[str, frozenset[int]] | None = None,
        *,
        most: int = MOST,
    ) -> None:
        self.plan = plan
        self._most = most
        self.families = self._fitting(plan, families, controls)
        self.said: list[Said] = []
        self.received = 0  # of the newest row
        self._devices = devices
        self._order = Order(self.families)
        self._fixed = [_renamed(one.document, plan.rule, line) for line, one in plan.versions.items()]
        self._lines = {_name(plan.rule, line): line for line in plan.versions}
        self._old = self._new = Engine(self.families, zone)
        if plan.apart:
            self._new = Engine(self.families, zone)
        self._new.control(Rules(self._fixed))
        for line, one in plan.versions.items():
            for each in one.parameters:
                named = Parameter(_name(plan.rule, line), each.name, each.scope, each.value)
                self._new.control(named)

    def _fitting(
        self, plan: Plan, families: Mapping[str, Family], controls: Iterable[Control]
    ) -> dict[str, Family]:
        fewer = pruned(families, plan)
        documents = [one.document for one in plan.versions.values()]
        for control in controls:
            if isinstance(control, Rules):
                documents += [each for each in control.rules if each["id"] in plan.recorded]
        try:
            for document in documents:
                read_rules([document], fewer)
        except RulesError:
            return dict(families)
        return fewer

    @property
    def _engines(self) -> list[Engine]:
        return [self._old] if self._old is self._new else [self._old, self._new]

    def relevant(self, control: Control) -> bool:
        """Whether this control row means anything here; the others need not be given."""
        match control:
            case Rules() | Parameter(rule=_) if not self.plan.recorded:
                return False
            case Parameter(rule=rule):
                return rule in self.plan.recorded
            case Devices(family=family):
                return self.plan.cross or family in self.plan.points
            case WatermarkRestart(family=family, device=device):
                return family in self.plan.points and self._judges(family, device)
            case _:
                return True

    def _judges(self, family: str, device: int) -> bool:
        return self._devices is None or device in self._devices.get(family, ())

    def control(self, control: Control) -> None:
        """In log order, before the rows of its tick."""
        if not self.relevant(control):
            return
        match control:
            case Rules(rules=documents):
                self._employ(documents)
            case Parameter():
                self._old.control(control)
            case Devices(family=family, rows=rows):
                some = [row for row in rows if self._judges(family, row.index)]
                if some:
                    self._everywhere(Devices(family, some))
            case _:
                self._everywhere(control)

    def _employ(self, documents: Sequence[dict[str, Any]]) -> None:
        mine = [each for each in documents if each["id"] in self.plan.recorded]
        self._old.control(Rules(mine if self.plan.apart else [*mine, *self._fixed]))

    def _everywhere(self, control: Control) -> None:
        self._order.control(control)
        for engine in self._engines:
            engine.control(control)

    def judge(self, batches: Sequence[Batch]) -> None:
        """Rows that follow one another in the log, after its control rows so far; at most one batch a family."""
        given = [batch for batch in batches if len(batch)]
        if not given:
            return
        soonest = min(given, key=lambda batch: int(batch.received.min()))
        begins = soonest.take(np.array([int(soonest.received.argmin())]))
        self.received = max(self.received, *(int(batch.received.max()) for batch in given))
        admitted = [self._order.admit(batch) for batch in given]
        due = self._order.due(self.received)
        for engine in self._engines:
            self._take(
                engine.hear(begins)
            )  # timers of those never heard begin now, whatever the order of these rows
            self._take(engine.tick(given, [*admitted, *due]))

    def judge_by_minutes(self, batches: Sequence[Batch]) -> None:
        """The same of rows by minutes of receipt, one after the other: for rules that see other devices, which go by them."""
        minutes = [batch.received // MINUTE for batch in batches]
        edges = sorted({each for column in minutes for each in np.unique(column).tolist()})
        cuts = [np.searchsorted(column, edges, side="right") for column in minutes]
        begun = [0] * len(batches)
        for step in range(len(edges)):
            ends = [int(cut[step]) for cut in cuts]
            rows: Any = [slice(begin, end) for begin, end in zip(begun, ends, strict=True)]
            self.judge([batch.take(some) for batch, some in zip(batches, rows, strict=True)])
            begun = ends

    def finish(self, now: int) -> list[Said]:
        """All that has ended by `now` (µs UTC, receive clock), and what was said in all, by time."""
        end = max(now, self.received)
        for engine in self._engines:
            self._take(engine.tick([], self._order.due(end)))
            while some := engine.sweep(end):
                self._take(some)
        self.said.sort(key=_order)
        return self.said

    def _take(self, transitions: Iterable[Transition]) -> None:
        for each in transitions:
            line = RECORDED if each.rule == self.plan.rule else self._lines.get(each.rule)
            if line is not None and not getattr(each, "shadow", False):
                self.said.append(_said(self.plan.rule, line, each))
        if len(self.said) > self._most:
            raise TooMuchError(
                f"more than {self._most:,} alarms and clears: shorten the span, or choose an area"
            )


def _name(rule: str, line: str) -> str:
    return f"{rule}-try-{line}"


def _renamed(document: Json, rule: str, line: str) -> dict[str, Any]:
    """In force everywhere and aloud, whatever its stage is."""
    kept = {key: value for key, value in document.items() if key not in {"areas", "shadow"}}
    return {**kept, "id": _name(rule, line)}


def _said(rule: str, line: str, t: Transition) -> Said:
    own = t.id if t.rule == rule else transition_id(rule, t.family, t.index, t.time, t.raised)
    return Said(line, own, t.family, t.index, t.device, t.severity, t.raised, t.time, t.received)


def _order(said: Said) -> tuple[Any, ...]:
    return said.time, said.family, said.index, said.line, said.received
