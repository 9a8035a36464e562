"""Which days are working days. A city's holidays and 调休 enter here, and nowhere else."""

from __future__ import annotations

from datetime import date
from typing import Final, Protocol

SATURDAY: Final = 5


class Calendar(Protocol):
    def works(self, day: date) -> bool:
        """Whether this local date is a working day."""


class MondayToFriday:
    """The week without holidays."""

    def works(self, day: date) -> bool:
        return day.weekday() < SATURDAY
