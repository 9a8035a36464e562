"""Samples of devices that declare a lateness, in the order they were taken or as they come: late, but not too late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st

from drivers.telemetry import DAY, MINUTE, SECOND
from rules.control import Control, DeviceRow, Devices, Rules
from rules.engine import Engine
from rules.order import Order
from rules.transition import Transition
from tests.rules.streams import BEYOND, FAMILIES, PROBE, RULES, START, Row, batch_of, plain

LATENESS: Final = 20  # seconds
WORTH: Final = (0.0, 2.0, 4.0, 5.0, 8.0, 10.0, 10.1, 12.0, 20.0, 40.0)
# What event time alone decides: a hold may also end, and silence only ends, by receive time.
BY_EVENT_TIME: Final = [
    rule
    for rule in [*RULES, *BEYOND]
    if "hold" not in rule
    and rule["id"]
    in {"plain", "mean", "rise", "event", "rate", "turns", "cycling", "events", "aged", "limits"}
]


@dataclass(frozen=True)
class Sample:
    """gap: seconds since the device's last one; delay: seconds until it comes."""

    device: int
    gap: int
    delay: int
    tilt: float
    power: float
    door: float
    event: float | None


samples: Final = st.lists(
    st.builds(
        Sample,
        device=st.integers(0, 2),
        gap=st.sampled_from([1, 2, 4, 5, 10, 19, 30, 61]),
        delay=st.integers(0, LATENESS - 1),
        tilt=st.sampled_from(WORTH),
        power=st.sampled_from(WORTH),
        door=st.sampled_from([0.0, 1.0]),
        event=st.sampled_from([None, None, 0.0, 1.0]),
    ),
    min_size=10,
    max_size=60,
)


def judged(drawn: list[Sample], *, shuffled: bool, size: int) -> list[dict[str, Any]]:
    """All that is said, evidence too, but when it was received; so many rows to a tick."""
    rows = _rows(drawn, shuffled=shuffled)
    order, engine = Order(FAMILIES, MINUTE, 7 * DAY), Engine(FAMILIES)
    for control in _controls():
        order.control(control)
        engine.control(control)
    out: list[Transition] = []
    for start in range(0, len(rows), size):
        stamped = order.stamp(batch_of(rows[start : start + size])).batch
        out += engine.tick([stamped], [order.admit(stamped), *order.due(int(stamped.received[-1]))])
    end = rows[-1].received + DAY
    out += [*engine.tick([], order.due(end)), *engine.sweep(end)]
    facts = [(each.time, each.rule, each.index, each.raised, each.id, each.evidence) for each in out]
    return [{"at": fact[:5], "evidence": fact[5]} for fact in sorted(facts, key=lambda fact: fact[:4])]


def _controls() -> list[Control]:
    devices = [
        DeviceRow(index, f"P-{index}", "p", lateness=LATENESS * SECOND, attributes={"rated_power": 30.0})
        for index in range(3)
    ]
    return [Devices("probe", devices), Rules(BY_EVENT_TIME)]


def _rows(drawn: list[Sample], *, shuffled: bool) -> list[Row]:
    clock = dict.fromkeys(range(3), START)
    rows = []
    for sample in drawn:
        clock[sample.device] += sample.gap * SECOND
        time = clock[sample.device]
        values = {"tilt": sample.tilt, "power": sample.power, "door": sample.door}
        values |= {} if sample.event is None else {"event": sample.event}
        received = time + (sample.delay * SECOND if shuffled else 0)
        rows.append(Row(PROBE, sample.device, time, received, plain(values)))
    return sorted(rows, key=lambda row: (row.received, row.device, row.time))
