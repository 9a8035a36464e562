"""The scalar reference of the rule engine: one device, one row, one rule at a time, in plain Python.

It shares with the engine the checked tree of a rule and nothing else: no kernel, no window, no array of state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from drivers.telemetry import MINUTE, SECOND, Batch, Family, Quality
from rules.control import (
    Calendar,
    Control,
    DeviceRow,
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
from rules.transition import transition_id
from rules.tree import Silent, Window
from tests.rules.beyond import Town
from tests.rules.keeping import Keeping
from tests.rules.sight import Device, Pane, Sight, Stand, cell, pane_key


@dataclass(frozen=True, order=True)
class Said:
    """A transition, without its evidence."""

    time: int
    rule: str
    family: str
    index: int
    raised: bool
    received: int
    id: str


class Oracle:
    def __init__(self, families: dict[str, Family], zone: str = "Asia/Shanghai") -> None:
        self.families = families
        self.zone = ZoneInfo(zone)
        self.rules: list[Rule] = []
        self.overrides: dict[tuple[str, str, str], float] = {}
        self.devices: dict[tuple[str, int], Device] = {}
        self.down: dict[str, int] = {}  # links, and since when
        self.windows: dict[tuple[str, str], dict[str, Window]] = {}  # of a rule in a family, by pane
        self.out: list[Said] = []
        self.town = Town(self.devices)
        self.keeping = Keeping(families, self.zone)

    # -- what may be called

    def control(self, control: Control) -> None:
        match control:
            case Devices(family=family, rows=rows):
                for row in rows:
                    self.register(family, row)
            case Rules(rules=documents):
                self.employ(read_rules(documents, self.families))
            case Parameter():
                self.tune(control)
            case Calendar():
                self.town.calendar = control
            case WatermarkRestart():
                self.restart(control)
            case Moment() | GatewayUp() | LinkDown() | LinkUp():
                self.timed(control)

    def hear(self, batch: Batch) -> list[Said]:
        if len(batch):
            self.begin(int(batch.received[0]))
        for row in range(len(batch)):
            self.reach(int(batch.received[row]))
            device = self.alive(batch, row)
            if device is not None and cell(batch, "online", row) != 0:
                self.hear_one(device, int(batch.received[row]))
        return self.said()

    def evaluate(self, batch: Batch) -> list[Said]:
        for row in range(len(batch)):
            device = self.alive(batch, row)
            if device is not None:
                self.judge_row(batch, row, device)
        return self.said()

    def sweep(self, now: int) -> list[Said]:
        self.pass_(now)
        return self.said()

    def reach(self, now: int) -> None:
        """Before a minute closes, what ran out before is said."""
        while self.keeping.filled and (min(self.keeping.filled) + 2) * MINUTE <= now:
            self.tick((min(self.keeping.filled) + 2) * MINUTE - 1)
            self.keeping.filled.remove(min(self.keeping.filled))

    def pass_(self, now: int) -> None:
        self.reach(now)
        self.tick(now)

    def said(self) -> list[Said]:
        out, self.out = self.out, []
        return sorted(out)

    def alive(self, batch: Batch, row: int) -> Device | None:
        device = self.devices.get((batch.family.name, int(batch.device[row])))
        return None if device is None or device.row.retired else device

    # -- control

    def register(self, family: str, row: DeviceRow) -> None:
        device = self.devices.setdefault((family, row.index), Device(self.families[family], row))
        if device.row.link in self.down and row.link not in self.down:
            device.heard = None
        device.row = row
        if row.retired:
            for rule in self.rules_of(family):
                if device.stand(rule).raised:
                    self.withdraw(rule, device)
            self.clean(device)
            device.seen, device.hours = {}, {}

    def restart(self, control: WatermarkRestart) -> None:
        device = self.devices.get((control.family, control.device))
        if device is not None:
            self.clean(device)

    def clean(self, device: Device) -> None:
        device.panes, device.before, device.fresh = {}, {}, {}
        for stand in device.stands.values():
            stand.pending = None

    def tune(self, control: Parameter) -> None:
        key = (control.rule, control.name, control.scope)
        self.overrides.pop(key, None)
        if control.value is not None:
            self.overrides[key] = control.value

    def timed(self, control: Moment | GatewayUp | LinkDown | LinkUp) -> None:
        if isinstance(control, Moment):
            self.pass_(control.time)
        elif isinstance(control, GatewayUp):
            self.stand_still(control.down, control.up)
        else:
            self.link(control)

    def stand_still(self, down: int, up: int) -> None:
        self.pass_(down)
        for device in self.devices.values():
            self.shift(device, min(down, self.down.get(device.row.link, down)), up)
        self.down = dict.fromkeys(self.down, up)

    def shift(self, device: Device, down: int, up: int) -> None:
        if device.heard is not None and device.heard < up:
            device.heard += up - max(down, device.heard)

    def link(self, control: LinkDown | LinkUp) -> None:
        if isinstance(control, LinkDown):
            if control.link not in self.down:
                self.pass_(control.time)
                self.down[control.link] = control.time
        elif control.link in self.down:
            down = self.down.pop(control.link)
            for device in self.devices.values():
                if device.row.link == control.link:
                    self.shift(device, down, control.time)

    def rules_of(self, family: str) -> list[Rule]:
        return [rule for rule in self.rules if family in rule.meanings]

    def employ(self, rules: list[Rule]) -> None:
        before, self.rules = self.rules, rules
        for rule in rules:
            for name, meaning in rule.meanings.items():
                self.windows[rule.id, name] = {pane_key(window): window for window in meaning.windows()}
        for device in self.devices.values():
            name = device.family.name
            old = {rule.id: rule for rule in before if name in rule.meanings}
            for rule in self.rules_of(name):
                self.follow(device, rule, old)
            for rule in old.values():
                device.stand(rule).pending = None
                if device.stand(rule).raised:
                    self.withdraw(rule, device)
            wanted = {key for rule in self.rules_of(name) for key in self.windows[rule.id, name]}
            device.panes = {key: pane for key, pane in device.panes.items() if key in wanted}
        self.keeping.keep(rules, list(self.devices.values()))

    def follow(self, device: Device, rule: Rule, old: dict[str, Rule]) -> None:
        """A rule of the new set; what is left in `old` is withdrawn."""
        was = old.get(rule.id)
        if was is None:
            device.stands[rule.id] = Stand(changed=device.stand(rule).changed)
        elif was.alarm == rule.alarm:
            del old[rule.id]
            if not was.judges_like(rule, device.family.name):
                device.stand(rule).pending = None

    def withdraw(self, rule: Rule, device: Device) -> None:
        time = device.newest if device.newest is not None else -(2**62)
        self.turn(rule, device, False, (time, device.heard))

    # -- the clock

    def begin(self, now: int) -> None:
        for device in self.devices.values():
            if device.heard is None and not device.row.retired:
                device.heard = now

    def tick(self, now: int) -> None:
        self.begin(now)
        for device in self.devices.values():
            if not device.row.retired:
                self.close(device, None, now)
                self.expire(device, None, now)
                for rule, timeout in self.silent(device):
                    assert device.heard is not None
                    self.miss(device, rule, device.heard + timeout, now)

    def silent(self, device: Device) -> Iterator[tuple[Rule, int]]:
        for rule in self.rules_of(device.family.name):
            when = rule.meanings[device.family.name].when
            if isinstance(when, Silent):
                interval = device.row.interval or device.family.interval
                yield rule, max(self.span(rule, device, when.parameter or when.timeout), interval * 5 // 2)

    def miss(self, device: Device, rule: Rule, deadline: int, now: int) -> None:
        if not device.stand(rule).raised and now >= deadline and device.row.link not in self.down:
            self.turn(rule, device, True, (deadline, deadline))

    def hear_one(self, device: Device, received: int) -> None:
        assert device.heard is not None
        for rule, timeout in self.silent(device):
            self.miss(device, rule, device.heard + timeout, received)
            if device.stand(rule).raised:
                self.turn(rule, device, False, (received, received))
        device.heard = max(device.heard, received)

    # -- rows

    def judged(self, device: Device, windowed: bool) -> list[Rule]:
        return [
            rule
            for rule in self.rules_of(device.family.name)
            if not isinstance(rule.meanings[device.family.name].when, Silent)
            and bool(self.windows[rule.id, device.family.name]) is windowed
        ]

    def judge_row(self, batch: Batch, row: int, device: Device) -> None:
        time, received = int(batch.time[row]), int(batch.received[row])
        self.close(device, time, received)
        self.expire(device, time, received)
        carried = {
            name: cell(batch, name, row)
            for name, place in batch.family.index.items()
            if batch.quality[place, row] != Quality.ABSENT
        }
        device.last.update(carried)
        device.newest = time
        moves = self.keeping.remember(device, carried, time, received)
        for rule in self.judged(device, windowed=False):
            self.judge(rule, device, time, received)
        wanted: dict[str, Window] = {}
        for panes in [
            self.windows[rule.id, batch.family.name] for rule in self.judged(device, windowed=True)
        ]:
            wanted.update(panes)
        for key, window in wanted.items():
            pane = device.panes.setdefault(key, Pane.of(window))
            value = Sight(device, time, carried, self.zone, moves=moves).source(window)
            self.enter(pane, value, time, received - device.grace)

    def enter(self, pane: Pane, value: float | None, time: int, closing: int) -> None:
        number = time // pane.width
        if value is None:
            return
        if pane.open is None and (number + 1) * pane.width > closing:
            pane.open = pane.since = number
        if pane.open == number:
            pane.values.setdefault(number, []).append((time, value))

    def close(self, device: Device, time: int | None, received: int) -> None:
        """Close bucket after bucket, in order of their ends, and judge at each end."""
        while True:
            ends = [pane.end for pane in device.panes.values() if pane.end is not None]
            end = min(ends, default=None)
            if end is None:
                return
            if (time is None or time < end) and received < end + device.grace:
                return
            self.close_one(device, end, received)

    def close_one(self, device: Device, end: int, received: int) -> None:
        closing = {key: pane for key, pane in device.panes.items() if pane.end == end}
        judged = [
            rule
            for rule in self.judged(device, windowed=True)
            if any(key in closing for key in self.windows[rule.id, device.family.name])
        ]
        for rule in judged:
            self.expire_one(rule, device, end, received)
        for pane in closing.values():
            pane.close()
        for rule in judged:
            self.judge(rule, device, end, min(received, end + device.grace))
        for pane in closing.values():
            if not pane.values:
                pane.open = None

    def expire(self, device: Device, time: int | None, received: int) -> None:
        for rule in [*self.judged(device, windowed=True), *self.judged(device, windowed=False)]:
            self.expire_one(rule, device, time, received, by_clock=True)

    def limits(self, rule: Rule, device: Device) -> tuple[int, int]:
        """(event time, receive time) at which the hold that runs is over."""
        pending = device.stand(rule).pending
        assert pending is not None
        hold = self.span(rule, device, rule.hold)
        deadline = pending[0] + hold
        windowed = self.windows[rule.id, device.family.name]
        return deadline, deadline + device.grace if windowed else pending[1] + hold

    def expire_one(
        self, rule: Rule, device: Device, time: int | None, received: int, *, by_clock: bool = False
    ) -> None:
        if device.stand(rule).pending is None:
            return
        deadline, limit = self.limits(rule, device)
        if (time is not None and time > deadline) or (by_clock and received >= limit):
            self.turn(rule, device, True, (deadline, min(received, limit)))

    def judge(self, rule: Rule, device: Device, time: int, received: int) -> None:
        meaning, stand = rule.meanings[device.family.name], device.stand(rule)
        sight = self.sight(rule, device, (time, received))
        if stand.raised:
            held = sight.truth(meaning.when if meaning.clear is None else meaning.clear)
            if held is (meaning.clear is not None):
                self.turn(rule, device, False, (time, received))
        elif sight.truth(meaning.when) is not True:
            stand.pending = None
        else:
            stand.pending = stand.pending or (time, received)
            deadline, limit = self.limits(rule, device)
            if time >= deadline:
                self.turn(rule, device, True, (deadline, min(received, limit)))

    def sight(self, rule: Rule, device: Device, at: tuple[int, int]) -> Sight:
        def parameter(name: str) -> float:
            return self.parameter(rule, name, device)

        time, received = at
        return Sight(device, time, device.last, self.zone, rule.valid, parameter, received, self.town)

    # -- state

    def turn(self, rule: Rule, device: Device, raised: bool, at: tuple[int, int | None]) -> None:
        stand, (time, received) = device.stand(rule), at
        stand.raised, stand.pending = raised, None
        stand.changed = time = time if stand.changed is None else max(time, stand.changed + 1)
        family, index = device.family.name, device.row.index
        name = transition_id(rule.id, family, index, time, raised)
        self.out.append(
            Said(time, rule.id, family, index, raised, time if received is None else received, name)
        )

    def parameter(self, rule: Rule, name: str, device: Device) -> float:
        parts = device.row.area.split("/")
        areas = ["area:" + "/".join(parts[:n]) for n in range(len(parts), 0, -1)]
        for scope in (f"device:{device.row.id}", f"product:{device.row.product}", *areas, ""):
            if (rule.id, name, scope) in self.overrides:
                return self.overrides[rule.id, name, scope]
        return rule.parameters[name].value

    def span(self, rule: Rule, device: Device, span: int | str) -> int:
        if isinstance(span, int):
            return span
        return round(self.parameter(rule, span, device) * (rule.parameters[span].unit.factor * SECOND))
