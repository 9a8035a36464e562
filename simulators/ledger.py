"""The fleet's own book: every message published, and what became of it. What it calls stored must be in history.

Bounded: past `bound` rows messages are still counted, in `unrecorded`, and no longer written down.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulators.poison import Expect

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from drivers.telemetry import Bool

    Rows = npt.NDArray[np.void]

WAITING: Final = 0  # status: sent, not acknowledged
ACKED: Final = 1  # acknowledged; 0x80 and above: the reason code of a refusal
ROW: Final = np.dtype(
    [
        ("device", np.int32),  # position in ids
        ("time", np.int64),  # of the reading, µs UTC
        ("status", np.uint8),
        ("expect", np.uint8),
        ("packet_id", np.uint16),
        ("size", np.int32),  # bytes on the wire
    ]
)
_FIRST: Final = 4_096


class Ledger:
    def __init__(self, ids: Sequence[str], bound: int = 8_000_000) -> None:
        self.ids = ids
        self.bound = bound
        self.unrecorded = 0
        self.sent = 0
        self.acked = 0
        self.resent = 0
        self.refused: Counter[int] = Counter()
        self._used = 0
        self._rows: Any = np.zeros(min(_FIRST, bound), ROW)

    @property
    def waiting(self) -> int:
        return self.sent - self.acked - self.refused.total()

    @property
    def rows(self) -> Rows:
        found: Rows = self._rows[: self._used]
        return found

    def _room(self, n: int) -> int:
        """The first of n new rows; -1 where there is no room."""
        self.sent += n
        first = self._used
        if first + n > self.bound:
            self.unrecorded += n
            return -1
        if first + n > len(self._rows):
            grown = np.zeros(min(max(2 * len(self._rows), first + n), self.bound), ROW)
            grown[:first] = self._rows[:first]
            self._rows = grown
        self._used = first + n
        return first

    def publish(self, device: int, time: int, size: int, packet_id: int, expect: int = Expect.STORED) -> int:
        """The row of one message; -1 where there is no room for it."""
        row = self._room(1)
        if row >= 0:
            self._rows[row] = (device, time, WAITING, expect, packet_id, size)
        return row

    def burst(self, device: int, times: range, size: int, packet_id: int) -> int:
        """The first row of one device's messages, their packet ids in sequence; -1 without room."""
        n = len(times)
        first = self._room(n)
        if first >= 0:
            rows = self._rows[first : first + n]
            rows["device"], rows["size"] = device, size
            rows["time"] = times
            rows["packet_id"] = np.arange(packet_id, packet_id + n)
        return first

    def settle(self, row: int, code: int, n: int = 1) -> None:
        """n messages from `row` on were acknowledged with this reason code."""
        if code < 0x80:
            self.acked += n
            code = ACKED
        else:
            self.refused[code] += n
        if row >= 0:
            self._rows["status"][row : row + n] = code

    def save(self, path: Path) -> None:
        """`ids` and `rows` as one .npz, whole or not at all."""
        part = path.with_name(f"{path.name}.part")
        with part.open("wb") as file:
            np.savez(file, ids=np.array(self.ids), rows=self.rows)
        part.replace(path)


def load(path: Path) -> tuple[list[str], Rows]:
    """The ids and rows (of dtype ROW) that were saved."""
    with np.load(path) as file:
        return file["ids"].tolist(), file["rows"]


def stored(rows: Rows) -> Bool:
    """bool[n]: acknowledged, not refused, and history must have it, once, under its device and time."""
    told = (rows["expect"] == Expect.STORED) | (rows["expect"] == Expect.REPEATED)
    mask: Bool = (rows["status"] == ACKED) & told
    return mask
