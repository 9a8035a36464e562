"""The disk budget: telemetry stops before the disk is full, so nothing is acknowledged that cannot be kept (law 1).

What lies below the floor is for what people do: alarms, cases, log-in. Where someone else fills the disk to the last byte,
a reserve that was laid by in good times is given up for them.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import Final

from gateway.history.settings import HistorySettings

MIB: Final = 1 << 20
RESERVE: Final = "reserve"  # the file, which holds nothing


class Level(IntEnum):
    PLENTY = 0
    LOW = 1  # shed what can be spared
    FLOOR = 2  # store no telemetry


class Space:
    """Free space of the disk that a folder is on, against the marks of the settings."""

    def __init__(self, folder: Path, settings: HistorySettings) -> None:
        self._folder = folder
        self.change(settings)

    def change(self, settings: HistorySettings) -> None:
        """Other marks; a reserve that is laid by keeps its size."""
        self._low = settings.low_mb * MIB
        self._floor = settings.floor_mb * MIB
        self._reserve = settings.reserve_mb * MIB

    def free(self) -> int:
        """Bytes."""
        return shutil.disk_usage(self._folder).free

    def lay_by(self) -> None:
        """Take the reserve, where there is more than enough for it."""
        path = self._folder / RESERVE
        if path.exists() or not self._reserve or self.free() < self._low + 2 * self._reserve:
            return
        with suppress(OSError), path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, self._reserve)

    def give_up(self) -> None:
        """Free the reserve: the disk is full, and people's work goes on."""
        (self._folder / RESERVE).unlink(missing_ok=True)

    def level(self) -> Level:
        free = self.free()
        return Level.FLOOR if free < self._floor else Level.LOW if free < self._low else Level.PLENTY

    def reason(self) -> str:
        """Why less is done than usual; "" where there is plenty."""
        free = self.free()
        if free < self._floor:
            return f"{free // MIB} MiB are free, below the floor of {self._floor // MIB}: telemetry is not stored"
        if free < self._low:
            return f"{free // MIB} MiB are free, below the low-water mark of {self._low // MIB}: samples are not kept"
        return ""
