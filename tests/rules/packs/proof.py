"""What proves a shipped rule: a timeline that raises it, one that never does, and the two on either side of its boundary.

A timeline is steps parted by `;`: `10:00 pm10=151`, `10:00-10:20/1m noise=70|71` (each minute, values in turn), `@1 10:00 …`
(of device 1); a step without values is a sweep. `clock_offset=90` is what the log says of the device. Hours go on past 24.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from drivers.families import FAMILIES
from rules.control import Clock, DeviceRow
from rules.units import duration
from tests.rules.timeline import Timeline, clock, shown

_STEP: Final = re.compile(r"(?:@(\d) )?(\d+:\d\d(?::\d\d)?)(?:-(\d+:\d\d(?::\d\d)?)/(\w+))?((?: \w+=\S+)*)")
RATED: Final = {"rated_power": 100.0, "rated_current": 10.0}


class Proof(NamedTuple):
    """short and over stand on either side of the rule's boundary, one of them exactly on it: only `over` raises."""

    raises: str
    story: str  # what the rule then says: "raised 10:12:00, cleared 10:20:00"
    never: str
    short: str
    over: str
    attributes: Mapping[str, float] = RATED
    devices: int = 1


class Step(NamedTuple):
    device: int
    time: str
    values: dict[str, Any]


def steps(script: str) -> Iterator[Step]:
    for text in script.split(";"):
        found = _STEP.fullmatch(" ".join(text.split()))
        assert found is not None, f"no step of a timeline: {text!r}"
        device, begin, end, every, said = found.groups()
        last, span = clock(end or begin), duration(every or "1m")
        words = [pair.split("=") for pair in said.split()]
        for turn, time in enumerate(range(clock(begin), last + 1, span)):
            values = {name: _value(value.split("|"), turn) for name, value in words}
            yield Step(int(device or 0), shown(time), values)


def _value(values: list[str], turn: int) -> float | str:
    value = values[turn % len(values)]
    return float(value) if re.fullmatch(r"-?[\d.]+", value) else value


def story(document: dict[str, Any], family: str, proof: Proof, script: str) -> str:
    """What the rule alone says of device 0 over the timeline."""
    devices = [
        DeviceRow(index, f"D-{index}", "p", "north/lake", 31.2, 121.5, attributes=dict(proof.attributes))
        for index in range(proof.devices)
    ]
    day = Timeline(FAMILIES[family], document, devices=devices)
    for step in sorted(steps(script), key=lambda step: clock(step.time)):
        day.at(step.time)
        offset = step.values.pop("clock_offset", None)
        if offset is not None:
            day.control(Clock(family, [step.device], [float(offset)]))
        if step.values:
            day.says(step.device, **step.values)
        else:
            day.sweep()
    told = [line.replace(f" {document['id']} ", " ") for line in day.story]
    return ", ".join(line for line in told if line.count(" ") == 1)
