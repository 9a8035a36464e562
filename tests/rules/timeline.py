"""A day of one family as a timeline: what devices said at what time, and what the engine said of it."""

from __future__ import annotations

from typing import Any

from drivers.telemetry import SECOND, Batch, Family, Quality
from rules.control import Control, DeviceRow, Devices, Rules
from rules.engine import Engine
from rules.transition import Transition

MIDNIGHT = 1_773_072_000 * SECOND  # 2026-03-10 00:00 in Shanghai


def clock(text: str) -> int:
    """µs UTC of a time of day in Shanghai, on the day of the timeline; 26:00 is two in the next morning."""
    hours, minutes, *seconds = text.split(":")
    return MIDNIGHT + round(
        (int(hours) * 3600 + int(minutes) * 60 + float(seconds[0] if seconds else 0)) * SECOND
    )


def shown(time: int) -> str:
    seconds, rest = divmod(time - MIDNIGHT, SECOND)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return text if not rest else f"{text}+{rest}"


class Timeline:
    """Device 0 is `D-0`; more can be given. A row is received when it was taken, unless said otherwise."""

    def __init__(
        self, family: Family, *rules: dict[str, Any], devices: list[DeviceRow] | None = None
    ) -> None:
        self.family = family
        self.engine = Engine({family.name: family})
        self.said: list[Transition] = []
        self.now = ""
        self.control(
            Devices(family.name, devices or [DeviceRow(0, "D-0", "p-one", "north/lake", 31.2, 121.5)])
        )
        self.control(Rules(list(rules)))

    def control(self, control: Control) -> None:
        self.engine.control(control)

    def at(self, time: str) -> Timeline:
        self.now = time
        return self

    def says(
        self, device: int = 0, received: str = "", quality: Quality = Quality.GOOD, **values: float | str
    ) -> None:
        """One row; labels stand for themselves, dots in point names are not needed."""
        batch = Batch.empty(self.family, 1)
        batch.device[0], batch.time[0] = device, clock(self.now)
        batch.received[0] = clock(received or self.now)
        for name, value in values.items():
            place = self.family.index[name]
            labels = self.family.points[place].labels
            batch.values[place, 0] = labels.index(value) if isinstance(value, str) else value
            batch.quality[place, 0] = quality
        self.said += self.engine.hear(batch)
        self.said += self.engine.evaluate(batch)

    def sweep(self) -> None:
        self.said += self.engine.sweep(clock(self.now))

    @property
    def story(self) -> list[str]:
        """raised rule 10:00:00 …, in order; devices other than 0 are named."""
        return [
            f"{'raised' if each.raised else 'cleared'} {each.rule} {shown(each.time)}"
            + (f" {each.device}" if each.index else "")
            for each in self.said
        ]
