"""Random life of a small city as a control log and rows, drawn by hypothesis."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from drivers.telemetry import MINUTE, SECOND, Alarm, Batch, Family, Flag, Point, Quality
from rules.control import (
    Calendar,
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

EXAMPLES = 10_000 if os.environ.get("CITYGATE_HYPOTHESIS") == "deep" else 200

PROBE = Family(
    "probe",
    (
        Point("tilt", "deg", 0, 180),
        Point("power", "W", -100, 2000),
        Point("level", "m", 0, 20),
        Point.enum("door", "closed", "open"),
    ),
    (Alarm("bumped", "", ""), Alarm("opened", "", "")),
    interval=10 * SECOND,
)
METER = Family("meter", (Point("power", "kW", 0, 5),), (Alarm("tripped", "", ""),), interval=MINUTE)
FAMILIES = {"probe": PROBE, "meter": METER}


def rule(name: str, when: str, **more: Any) -> dict[str, Any]:
    family = {} if "families" in more else {"family": "probe"}
    return {
        "id": name,
        "when": when,
        "severity": "major",
        "alarm": f"a{name.replace('-', '')}",
        **family,
        **more,
    }


def parameter(value: float, unit: str, low: float, high: float) -> dict[str, Any]:
    return {"value": value, "unit": unit, "min": low, "max": high}


LIMIT = parameter(10, "deg", 0, 90)
RULES = [
    rule("plain", "tilt > 10 deg"),
    rule("held", "tilt > limit", clear="tilt < limit - 3 deg", hold="60s", limit=LIMIT),
    rule(
        "wait", 'power > 0.5 * rated_power or door == "open"', hold="pause", pause=parameter(20, "s", 0, 600)
    ),
    rule("dark", 'night and door == "open" or between 18:00 and 06:00 and tilt > 5 deg', hold="4s"),
    rule("mean", "mean(tilt, 60s) > limit", clear="mean(tilt, 1m) < limit - 2 deg", valid=0.3, limit=LIMIT),
    rule("range", "max(tilt, 45s) - min(tilt, 45s) > 5 deg and power > 10 W", hold="20s", valid=0.1),
    rule("few", "count(tilt, 30s) < 2 or sum(power, 2m) > 50 W", valid=0, hold="30s"),
    rule(
        "rise",
        'delta(power, 75s) >= 5 W or share(door == "open", 60s) > 0.5',
        clear="tilt < 5 deg",
        valid=0.2,
    ),
    rule("odd", "not (tilt > 3 deg) and power / (tilt - 2 deg) < 2 W/deg or level != 2 m", hold="1s"),
    rule("event", 'event == "bumped" and abs(power - 20 W) < 15 W', clear='door == "closed"'),
    rule("quiet", "silent(5m)", families=["*"]),
    rule("hush", "silent(40s)"),
    rule("mute", "silent(longest)", longest=parameter(90, "s", 10, 7200)),
    rule("feed", "power > 2500 W and mean(power, 10m) > 2 kW", families=["meter"], hold="2m", valid=0.1),
]
OTHERS = [
    RULES[1],
    *RULES[3:6],
    rule("plain", "tilt > 8 deg", version=2),  # keeps what it raised
    {**rule("wait", "power > 20 W", version=3), "alarm": "another"},  # clears what it raised
    {**RULES[6], "en": "few samples", "version": 2},  # judges as before
    rule("slow", "mean(tilt, 60s) > 5 deg and min(power, 30s) > 0", hold="8s", valid=0),
    rule("quiet", "silent(3m)", families=["*"], version=2),
]
BEYOND = [
    rule("rate", "rate(tilt, 60s) > 30 deg/h", clear="rate(tilt, 60s) < 0.2 deg/min", valid=0),
    rule("turns", "changed(door) and tilt > 3 deg"),
    rule("cycling", "cycles(open, 2m) >= 1", valid=0),
    rule("moves", "changes(tilt, 45s) > 2 or changed(power, 2m)", valid=0.1, hold="8s"),
    rule("events", 'count(event == "bumped", 2m) >= 2', clear='count(event == "bumped", 30s) < 1'),
    rule(
        "aged",
        "last(power, max 30s) > 10 W",
        clear='last(power, max 2m) <= 10 W or last(door, max 9s) == "open"',
    ),
    rule("fed", "meter.power > 2 kW and tilt > 3 deg", hold="20s"),
    rule("mother", 'parent.door == "open" and power > 5 W', clear="probe.closed"),
    rule(
        "alone",
        "tilt > peers(median, tilt, by area, min 1) + 3 deg",
        clear="tilt < peers(mean, tilt, by parent, min 1)",
    ),
    rule(
        "crowd",
        "mean(tilt, 60s) > peers(max, tilt, by parent, min 1) - peers(min, power, min 1) / 4 W * 1 deg",
        valid=0,
    ),
    rule(
        "habit",
        "power > 1.2 * usual(power, 2d) + 1 W",
        clear="mean(power, 30s) < usual(power, 3d)",
        valid=0.4,
    ),
    rule("gaps", "coverage(tilt, 60s) < 0.75", clear="coverage(tilt, 60s) >= 0.8", hold="20s"),
    rule("whole", "coverage(power, 10m) > 0.03 and tilt > 3 deg or coverage(door, 30s) == 1", valid=0.5),
    rule("limits", "tilt > known(attr.rated_power / 3 W * 1 deg, 8 deg)"),
    rule("dusk", "night(+30m, -20m) and tilt > 3 deg or sun < -16 deg and day(-2h, +90m) and power > 20 W"),
    rule(
        "dates", "workday and not tuesday and tilt > 4 deg or holiday and power > 5 W or weekend and closed"
    ),
    rule("around", "site.tilt > 5 deg", families=["meter"]),
    rule("quiet", "silent(5m)", families=["*"]),
]
SETS = [RULES, BEYOND, OTHERS, [*OTHERS[:4], *BEYOND[1:12:2]]]
CALENDARS = [
    Calendar([2026], ["2026-03-11", "2026-03-12"], ["2026-03-14"]),
    Calendar([2025]),
    Calendar([2026, 2027]),
]
PARENTS = ("meter-0", "probe-0", "", "probe-2", "nobody")
PRODUCTS = ("p-one", "p-two")
LINKS = ("", "east", "west")
AREAS = ("north", "north/lake", "north2", "south/hill/top")
SCOPES = (
    "",
    "area:north",
    "area:north/lake",
    "area:south/hill",
    "product:p-one",
    "device:probe-1",
    "device:probe-3",
)
KNOBS = (("held", "limit", "deg"), ("mean", "limit", "deg"), ("wait", "pause", "s"), ("mute", "longest", "s"))
START = 1_773_136_740 * SECOND  # 2026-03-10 17:59 in Shanghai, before sunset


@dataclass
class Row:
    family: Family
    device: int
    time: int
    received: int
    values: dict[str, tuple[float, int]]
    late: bool = False


@dataclass(frozen=True)
class Sweep:
    now: int


class Restart:
    """The gateway stops and comes back with its snapshot."""


Step = (
    Row
    | Sweep
    | Restart
    | Devices
    | Rules
    | Parameter
    | Calendar
    | GatewayUp
    | LinkDown
    | LinkUp
    | Moment
    | WatermarkRestart
)


LAGS = (0, 0, 0, 0, 0, 0, 1, 2, 5, 30, 61, 75, 140, 600, -30)
JUMPS = (
    0,
    0,
    0,
    1,
    1,
    1,
    2,
    2,
    4,
    4,
    4,
    5,
    10,
    10,
    15,
    20,
    30,
    60,
    61,
    75,
    120,
    300,
    301,
    3600,
    50_000,
    86_400,
)
STEADY = (*JUMPS[:18], 5, 5, 10, 10, 15)  # windows fill, minutes close one by one
VALUES = (0.0, 2.0, 4.0, 5.0, 8.0, 10.0, 10.1, 12.0, 20.0, 35.0, 40.0, float("nan"), -3.3, 0.1, 7.7, 11.0)
QUALITIES = (Quality.FAULT, Quality.OVER_RANGE, Quality.ABSENT, Quality.CALIBRATING)
CHUNK = 12  # drawn bytes a step


@dataclass
class City:
    """Turns drawn bytes into a log that keeps the promises of the pipeline."""

    now: int = START
    newest: dict[tuple[str, int], int] = field(default_factory=dict)
    values: dict[tuple[str, int, str], float] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)  # links
    jumps: tuple[int, ...] = JUMPS
    log: list[Step] = field(default_factory=list)

    def add(self, drawn: bytes) -> None:
        kind, *numbers = drawn
        if kind < 200:
            self.now += self.jumps[numbers[0] % len(self.jumps)] * SECOND
            self.row(numbers[1:])
        elif kind < 220:
            self.now += self.jumps[numbers[0] % len(self.jumps)] * SECOND
            self.log.append(Sweep(self.now))
        else:
            step = self.other(kind, numbers)
            if isinstance(
                step, Devices
            ):  # as the gateway logs it: what had run out by then is judged as it was
                self.log.append(Moment(self.now))
            self.log.append(step)

    def other(self, kind: int, numbers: list[int]) -> Step:
        first, second, third, fourth = numbers[:4]
        if kind < 229:
            name, knob, unit = KNOBS[first % len(KNOBS)]
            value = (
                None if third < 64 else float((third % 16 or name == "mute") * (1 if unit == "deg" else 10))
            )
            return Parameter(name, knob, SCOPES[second % len(SCOPES)], value)
        if kind < 234:
            return Devices("probe", [device(first % 7, second % 4, third % 2, fourth % 9)])
        if kind < 243:
            return self.outage(numbers)
        if kind < 247:
            return Rules(SETS[first % len(SETS)]) if kind < 246 else CALENDARS[first % len(CALENDARS)]
        if kind < 250:
            key = ("probe", first % 6)
            self.newest[key] = self.newest.get(key, self.now) - abs(LAGS[second % len(LAGS)]) * SECOND
            return WatermarkRestart(*key, self.newest[key])
        return Restart()

    def outage(self, numbers: list[int]) -> GatewayUp | LinkDown | LinkUp:
        """Of the gateway; or of a link, which is down and up by turns, and sometimes said to be what it is already."""
        which, first, second, again = numbers[:4]
        down = self.now + JUMPS[first % len(JUMPS)] * SECOND
        self.now = down + JUMPS[second % len(JUMPS)] * SECOND
        if which % 3 == 0:
            return GatewayUp(down, self.now)
        name = LINKS[which % 3]
        if (name in self.down) is (again < 32):
            self.down.add(name)
            return LinkDown(name, self.now)
        self.down.discard(name)
        return LinkUp(name, self.now)

    def row(self, drawn: list[int]) -> None:
        which, lag, odd, late, *values = drawn
        family, index = (METER, 0) if which % 6 == 5 else (PROBE, which % 7)
        key = (family.name, index)
        time = max(self.now - LAGS[lag % len(LAGS)] * SECOND, self.newest.get(key, 0))
        if time > self.now + 60 * SECOND:
            return
        carried = {}
        for place, point in enumerate(family.points):
            value = self.value(point, (*key, point.name), values[place % len(values)])
            quality = QUALITIES[odd // 8 % 4] if place == odd % 8 else Quality.GOOD
            wanted = point.name not in {"event", "online"} or place == late % 16
            if wanted and quality != Quality.ABSENT:
                carried[point.name] = (value, int(quality))
        if late >= 16:
            self.newest[key] = time
        self.log.append(Row(family, index, time, self.now, carried, late < 16))

    def value(self, point: Point, key: tuple[str, int, str], drawn: int) -> float:
        """Mostly the value it had."""
        if drawn < 100 or key not in self.values:
            value = float(drawn % len(point.labels)) if point.labels else VALUES[drawn % len(VALUES)]
            self.values[key] = abs(value) / 8 if point.unit == "kW" else value
        return self.values[key]


def device(index: int, area: int = 0, product: int = 0, variant: int = 0, family: str = "probe") -> DeviceRow:
    return DeviceRow(
        index=index,
        id=f"{family}-{index}",
        product=PRODUCTS[product],
        area=AREAS[area],
        lat=float("nan") if variant == 1 else 31.2,
        lon=121.5,
        interval=(0, 30 * SECOND, 150 * SECOND, 5 * SECOND)[variant % 4],
        lateness=(0, 20 * SECOND)[variant // 2 % 2],
        link=LINKS[(index + area) % 3],
        parent=PARENTS[(index + variant) % len(PARENTS)],
        attributes={} if variant == 3 else {"rated_power": 30.0},
        retired=variant == 8,
    )


def build(drawn: bytes) -> list[Step]:
    """A log: devices and rules first, then what was drawn, and a long silence at last."""
    city = City(jumps=STEADY if drawn[0] & 2 else JUMPS)
    city.log += [
        Devices("probe", [device(index, index % 4, index % 2, index % 4) for index in range(5)]),
        Devices("meter", [device(0, family="meter")]),
        Rules(SETS[drawn[0] % 2]),
        CALENDARS[0],
        Sweep(START),
    ]
    for start in range(1, len(drawn) - CHUNK + 1, CHUNK):
        city.add(drawn[start : start + CHUNK])
    city.now += 7200 * SECOND
    city.log.append(Sweep(city.now))
    return city.log


streams = st.binary(min_size=20 * CHUNK, max_size=60 * CHUNK).map(build)


def batch_of(rows: Sequence[Row]) -> Batch:
    """Rows of one family as a batch."""
    family = rows[0].family
    batch = Batch.empty(family, len(rows))
    for place, row in enumerate(rows):
        batch.device[place], batch.time[place], batch.received[place] = row.device, row.time, row.received
        batch.flags[place] = Flag.LATE if row.late else 0
        for name, (value, quality) in row.values.items():
            batch.values[family.index[name], place] = value
            batch.quality[family.index[name], place] = quality
    return batch


def plain(values: dict[str, float]) -> dict[str, tuple[float, int]]:
    """Values of good quality."""
    return {name: (value, 0) for name, value in values.items()}
