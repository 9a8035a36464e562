"""Why a rule raised or cleared: the values and windows it named, each threshold with the scope it came from.

Plain data, times in µs, spans in seconds; unknown is None. Groups that a rule does not use are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from drivers.telemetry import MINUTE, SECOND
from rules.city import LAG
from rules.compile import false_kernel, number_kernel, true_kernel
from rules.document import Rule
from rules.memory import NEVER, Memory
from rules.parameters import Overrides
from rules.scene import Moment
from rules.silence import Silence
from rules.transition import Transition, transition_id
from rules.tree import (
    Aged,
    AttributeValue,
    Between,
    Changed,
    Date,
    Elsewhere,
    Peers,
    PointValue,
    Sun,
    SunHeight,
    Usual,
    Window,
    text,
    walk,
)
from rules.windows import ring_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.telemetry import Float64, Int64
    from rules.tree import Node
    from rules.watch import Watch

    Facts = dict[str, Any]


def transitions(
    watch: Watch | Silence,
    memory: Memory,
    overrides: Overrides,
    columns: tuple[Int64, Int64, Int64],
    raised: bool,
    *,
    reason: str = "",
) -> Iterator[Transition]:
    """The transitions of these devices. columns: devices, event times, receive times. reason: why, where no value is."""
    rule, family, ids = watch.rule, memory.family.name, memory.devices.ids
    devices = columns[0]
    facts = (
        [{"reason": reason} for _ in devices]
        if reason
        else describe(watch, memory, overrides, devices, at=columns[1])
    )
    for index, time, received, fact in zip(*(column.tolist() for column in columns), facts, strict=True):
        yield Transition(
            id=transition_id(rule.line, family, index, time, raised),
            rule=rule.id,
            version=rule.version,
            alarm=rule.alarm,
            severity=rule.severity,
            family=family,
            index=index,
            device=ids[index],
            raised=raised,
            time=time,
            received=received,
            evidence=fact,
            shadow=rule.shadow,
        )


def describe(
    watch: Watch | Silence,
    memory: Memory,
    overrides: Overrides,
    devices: Int64,
    at: Int64 | None = None,
) -> list[Facts]:
    """What the rule sees of each of these devices now; at: event times, for rules that are judged when windows close."""
    facts: list[Facts] = [{} for _ in devices]
    if isinstance(watch, Silence):
        _put_silence(facts, watch, memory, devices)
    else:
        _put_values(facts, watch, memory, _moment(watch, memory, devices, at))
        _put_windows(facts, watch, memory, devices)
        if watch.track.holds:
            hold = np.broadcast_to(
                watch.hold if isinstance(watch.hold, int) else watch.hold.take(devices), len(devices)
            )
            _put(facts, "hold", (hold / SECOND).tolist())
    _put_parameters(facts, watch.rule, memory, overrides, devices)
    return facts


def _put(facts: list[Facts], name: str, values: list[Any]) -> None:
    for fact, value in zip(facts, values, strict=True):
        fact[name] = value


def _put_in(facts: list[Facts], group: str, name: str, values: list[Any]) -> None:
    for fact, value in zip(facts, values, strict=True):
        fact.setdefault(group, {})[name] = value


def _known(column: Float64) -> list[float | None]:
    return [None if value != value else value for value in column.tolist()]  # noqa: PLR0124 - NaN alone differs from itself


def _put_silence(facts: list[Facts], watch: Silence, memory: Memory, devices: Int64) -> None:
    timeout, said = (
        np.broadcast_to(span if isinstance(span, int) else span.take(devices), len(devices))
        for span in (watch.timeout, watch.said)
    )
    _put(facts, "heard", [time if time > NEVER else None for time in memory.heard[devices].tolist()])
    _put(facts, "timeout", (timeout / SECOND).tolist())
    interval = memory.devices.interval.take(devices) / SECOND
    for row in (timeout > said).nonzero()[0].tolist():  # then it is the interval that counts
        facts[row]["interval"] = float(interval[row])


def _put_values(facts: list[Facts], watch: Watch, memory: Memory, moment: Moment) -> None:
    devices = moment.devices
    for node in _seen(watch):
        if isinstance(node, PointValue):
            values = _known(memory.last[node.row].take(devices))
            shown = [_label(node, value) for value in values] if node.labels else values
            _put_in(facts, "values", node.name, shown)
        elif isinstance(node, AttributeValue):
            column = memory.devices.attributes.get(node.name)
            known = [None] * len(devices) if column is None else _known(column.take(devices))
            _put_in(facts, "attributes", node.name, known)
        elif isinstance(node, Aged | Usual | Elsewhere | Peers | SunHeight):
            values = _known(number_kernel(node)(moment))
            shown = (
                [_label(node, value) for value in values] if isinstance(node, Aged | Elsewhere) else values
            )
            _put_in(facts, "values", text(node), shown)
        elif isinstance(node, Sun | Date | Between | Changed):
            true, false = true_kernel(node)(moment).tolist(), false_kernel(node)(moment).tolist()
            told = [True if yes else False if no else None for yes, no in zip(true, false, strict=True)]
            _put_in(facts, "conditions", text(node), told)


def _seen(watch: Watch) -> list[Node]:
    """What its conditions name outside of windows, each once, in the order of the text."""
    meaning = watch.meaning
    conditions = [meaning.when, *([meaning.clear] if meaning.clear is not None else [])]
    return list(dict.fromkeys(node for tree in conditions for node in walk(tree, inside_windows=False)))


def _moment(watch: Watch, memory: Memory, devices: Int64, at: Int64 | None) -> Moment:
    """When they were judged: at their newest rows, or where buckets closed; of other devices, the last closed minute."""
    newest = np.maximum(memory.newest[devices], 0)
    time = newest if at is None or not watch.rings else at
    received = np.full(len(devices), (memory.city.open + LAG - 1) * MINUTE)
    return Moment(memory, devices, time, received).of(watch)


def _label(node: PointValue | Aged | Elsewhere, value: float | None) -> str | float | None:
    return (
        value
        if value is None or not node.labels or not 0 <= value < len(node.labels)
        else node.labels[int(value)]
    )


def _put_windows(facts: list[Facts], watch: Watch, memory: Memory, devices: Int64) -> None:
    for window in dict.fromkeys(watch.meaning.windows()):
        assert isinstance(window, Window)
        ring = memory.rings[ring_key(window)]
        reading = ring.read(window.statistic, devices, memory.devices.interval)
        expected = np.maximum(ring.expected.take(devices), 1)
        valid = np.where(ring.expected.take(devices) == 0, 1.0, np.minimum(reading.filled / expected, 1.0))
        shown = [
            {"value": value, "valid": round(share, 3)}
            for value, share in zip(_known(reading.value), valid.tolist(), strict=True)
        ]
        _put_in(facts, "windows", text(window), shown)


def _put_parameters(
    facts: list[Facts], rule: Rule, memory: Memory, overrides: Overrides, devices: Int64
) -> None:
    for name, tunable in rule.parameters.items():
        tuned = [
            overrides.tuned(rule.id, name, tunable.value, memory.devices, index) for index in devices.tolist()
        ]
        shown = [{"value": each.value, "unit": tunable.unit.text, "scope": each.scope} for each in tuned]
        _put_in(facts, "parameters", name, shown)
