"""Whether what was told has come true: the device reads back so (applied), and what it is for follows (effective).

A reading only ever confirms. What nobody confirms in time has failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from drivers.telemetry import LAST_JUDGED, Batch, Flag, Kind
from gateway.commands.lifecycle import Event
from gateway.commands.record import Command
from gateway.history.latest import Latest
from gateway.registry.directory import Directory

LEVEL: Final = 2.0  # %, by which a dimming level that is read back may be off
STANDBY: Final = 5.0  # W that a controller may take while its lamp is off
SHARE: Final = 0.05  # of rated power above which a lamp burns
FOLLOWS: Final = 0.3  # of rated power, by which the power of a dimmed lamp may be off

Values = Mapping[str, float]


class Sign(NamedTuple):
    """Something that was seen of a command."""

    id: str
    event: Event
    note: str = ""


def read_back(name: str, args: Values, said: Values) -> bool | None:
    """Whether the points that hold what was told agree; None where none of them is there."""
    if name == "dim":
        read = said.get("dimming")
        return None if read is None else abs(read - args["level"]) <= LEVEL
    read = said.get({"switch": "switch", "contactor": "contactor", "spray": "spray"}.get(name, ""))
    return None if read is None else read == args["state"]


def has_effect(name: str) -> bool:
    """Whether telemetry can show that it works, beyond its read-back."""
    return name in {"switch", "dim", "contactor"}


def effect(name: str, args: Values, said: Values, rated: float | None) -> bool | None:
    """Whether power, or the contactor's own feedback, follows; None where the reading does not say."""
    if name == "contactor":
        closed = said.get("contactor_feedback")
        return None if closed is None else closed == args["state"]
    power = said.get("power")
    if power is None or not has_effect(name):
        return None
    level = 100 * args["state"] if name == "switch" else args["level"]
    burns = power > max(STANDBY, SHARE * (rated or 0.0)) if level else power > STANDBY
    if name == "switch" or rated is None or not level:
        return burns == (level > 0)
    return burns and abs(power - rated * level / 100) <= FOLLOWS * rated


def signs(one: Command, said: Values) -> list[Sign]:
    """What a reading confirms of a command that has been sent."""
    found: list[Sign] = []
    if read_back(one.name, one.args, said):
        found.append(Sign(one.id, Event.APPLY))
    if one.patience and effect(one.name, one.args, said, one.rated):
        found.append(Sign(one.id, Event.EFFECT))
    return found


class Watch:
    """The commands whose confirmation is awaited, by device: a look at a tick's readings costs nothing while none is."""

    def __init__(self, directory: Directory, latest: Latest) -> None:
        self._directory = directory
        self._latest = latest
        self._awaited: dict[str, dict[int, list[Command]]] = {}

    def __len__(self) -> int:
        return sum(len(held) for by_index in self._awaited.values() for held in by_index.values())

    def follow(self, commands: Iterable[Command]) -> None:
        """From now on; their `sent` tells which readings count."""
        for one in commands:
            entry = self._directory.device(one.device)
            if entry is not None and entry.family == one.family:
                self._awaited.setdefault(one.family, {}).setdefault(entry.index, []).append(one)

    def forget(self, now: int) -> None:
        """What can no longer be confirmed."""
        for by_index in self._awaited.values():
            for index, held in list(by_index.items()):
                by_index[index] = [one for one in held if now < one.expires + one.patience]
                if not by_index[index]:
                    del by_index[index]

    def hear(self, batches: Sequence[Batch]) -> list[Sign]:
        """What the readings of a tick confirm. Late and historical ones say nothing of now."""
        found: list[Sign] = []
        for batch in batches:
            awaited = self._awaited.get(batch.family.name)
            if not awaited:
                continue
            fresh = (batch.kind == Kind.SAMPLE) & (batch.flags & np.uint8(Flag.LATE | Flag.HISTORICAL) == 0)
            fresh &= np.isin(batch.device, list(awaited))
            for row in np.flatnonzero(fresh).tolist():
                said, received = _said(batch, row), int(batch.received[row])
                for one in awaited[int(batch.device[row])]:
                    if received >= (one.sent or 0):
                        found += signs(one, said)
        return found

    def recall(self) -> list[Sign]:
        """What the newest known values confirm: for what came while nobody watched."""
        found: list[Sign] = []
        for family, by_index in self._awaited.items():
            for index, held in by_index.items():
                known = self._latest.get(family, index)
                for one in held:
                    since = one.sent or 0
                    found += signs(
                        one,
                        {
                            name: each.value
                            for name, each in known.items()
                            if each.time >= since and each.quality <= LAST_JUDGED
                        },
                    )
        return found


def _said(batch: Batch, row: int) -> dict[str, float]:
    judged = np.flatnonzero(batch.quality[:, row] <= LAST_JUDGED).tolist()
    return {batch.family.points[point].name: float(batch.values[point, row]) for point in judged}
