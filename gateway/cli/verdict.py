"""The demo's verdict: what the fleet's own ledger says was acknowledged, against what history gives back.

Pure: it gets the ledger, the exported rows, the alarms and the ground truth, and returns numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

SLACK = 60_000_000  # µs; an alarm's event time may stand a minute before the fault's: devices report in steps


class Loss(Struct, frozen=True):
    """lost: acknowledged, not refused, and not in history. duplicated: keys that history holds more than once."""

    stored: int
    lost: int
    duplicated: int
    examples: list[str]


def losses(promised: Iterable[tuple[str, int]], rows: Iterable[tuple[str, int, str]]) -> Loss:
    """promised: (device, event time) that history must have. rows: (device, event time, kind) as exported."""
    held = Counter(rows)
    there = {(device, time) for device, time, _ in held}
    missing = sorted(set(promised) - there)
    doubled = [key for key, times in held.items() if times > 1]
    examples = [f"lost {device} at {time}" for device, time in missing[:5]]
    examples += [f"doubled {device} at {time} ({kind})" for device, time, kind in sorted(doubled)[:5]]
    return Loss(len(held), len(missing), len(doubled), examples)


class Score(Struct, frozen=True):
    """Of the injected faults that should have been noticed by the end: how many were, and which were not."""

    injected: int
    detected: int
    missed: list[str]


def score(
    truth: Sequence[Mapping[str, Any]],
    alarms: Sequence[Mapping[str, Any]],
    refused: Mapping[str, set[str]],
    end: int,
) -> Score:
    """refused: reasons by device, as the quarantine has them. end: city time, µs UTC."""
    due = [fault for fault in truth if fault["by"] is not None and fault["by"] <= end]
    missed = [
        f"{fault['kind']} on {fault['device']}" for fault in due if not _noticed(fault, alarms, refused)
    ]
    return Score(len(due), len(due) - len(missed), missed)


def _noticed(
    fault: Mapping[str, Any], alarms: Sequence[Mapping[str, Any]], refused: Mapping[str, set[str]]
) -> bool:
    if fault["refusal"] is not None:
        return str(fault["refusal"]) in refused.get(fault["device"], set())
    return any(
        alarm["device"] == fault["device"]
        and alarm["name"] in fault["alarms"]
        and alarm["raised"] >= fault["start"] - SLACK
        for alarm in alarms
    )
