"""Who used the processors while a load ran: where the system tells (Linux), NaN elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

TICKS: Final = os.sysconf("SC_CLK_TCK")
IDLE: Final = (3, 4)  # idle, iowait: columns of /proc/stat
COUNTED: Final = 8  # user … steal


class Spent(Struct, frozen=True):
    """CPU seconds so far: of the gateway, of all that belong to the benchmark, of the whole machine."""

    gateway: float
    ours: float
    machine: float

    def since(self, before: Spent) -> Spent:
        return Spent(self.gateway - before.gateway, self.ours - before.ours, self.machine - before.machine)


def spent(gateway: int, others: Sequence[int]) -> Spent:
    """gateway, others: process ids of the benchmark's parts."""
    first = _of_process(gateway)
    return Spent(first, first + sum(map(_of_process, others)), _of_machine())


def _of_process(pid: int) -> float:
    """All its threads."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(words[11]) + int(words[12])) / TICKS


def _of_machine() -> float:
    try:
        line = Path("/proc/stat").read_text("ascii").partition("\n")[0]
    except OSError:
        return float("nan")
    columns = [int(word) for word in line.split()[1 : 1 + COUNTED]]
    return sum(n for place, n in enumerate(columns) if place not in IDLE) / TICKS
