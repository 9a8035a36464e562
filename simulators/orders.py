"""What devices were told to do, and how they behave since: lamps, contactors and sprays obey; nobody else has to move.

A lamp that has lost the gateway forgets what it was told and follows its own schedule: dark means on (law 7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from drivers.dialogue import Reply
from drivers.families import FAMILIES
from drivers.telemetry import HOUR, MINUTE, SECOND
from simulators.world.cabinet import OWN
from simulators.world.streetlight import STANDBY, drawn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drivers.dialogue import Order
    from drivers.telemetry import Float64, Int32, Int64
    from simulators.world.city import City
    from simulators.world.cohort import Columns

HOLDS: Final = 12 * HOUR  # a lamp or contactor goes back to its own programme after this time
ALONE: Final = 3 * MINUTE  # without the gateway after which a lamp follows its own schedule
NEVER: Final = np.iinfo(np.int64).max
MILLISECOND: Final = 1_000


class Orders:
    """Per device of the families that move: what is ordered (NaN: nothing) and until when."""

    def __init__(self, city: City) -> None:
        self._rated = city.cohorts["streetlight"].attributes["rated_power"]
        self._level: dict[str, Float64] = {}
        self._until: dict[str, Int64] = {}
        for family in ("streetlight", "cabinet", "dust"):
            n = len(city.cohorts[family])
            self._level[family] = np.full(n, np.nan)
            self._until[family] = np.zeros(n, np.int64)
        self._alone = np.full(
            len(self._rated), NEVER, np.int64
        )  # when a lamp without the gateway is on its own
        self._answered: dict[tuple[str, int], Reply] = {}

    def cut_off(self, family: str, index: int, now: int) -> None:
        """It has lost the gateway."""
        if family == "streetlight":
            self._alone[index] = now + ALONE

    def rejoined(self, family: str, index: int, now: int) -> None:
        """It has the gateway again; what it was told before stands no more if it was alone for long."""
        if family == "streetlight":
            if now >= self._alone[index]:
                self._until[family][index] = 0
            self._alone[index] = NEVER

    def obey(self, family: str, index: int, order: Order, now: int) -> Reply:
        """Carry it out if the device can, and say what it reads back. The same id again is answered and not done again."""
        last = self._answered.get((family, index))
        if last is None or last.id != order.id:
            last = self._answered[family, index] = self._answer(family, index, order, now)
        return last

    def _answer(self, family: str, index: int, order: Order, now: int) -> Reply:
        if order.expires * MILLISECOND <= now:
            return Reply(order.id, "failed", "expired")
        command = next((one for one in FAMILIES[family].commands if one.name == order.name), None)
        if command is None:
            return Reply(order.id, "failed", f"a {family} has no command {order.name}")
        for point in command.args:
            value = order.args.get(point.name)
            if value is None or not point.low <= value <= point.high:
                return Reply(
                    order.id, "failed", f"{point.name} is {value}, not {point.low:g} to {point.high:g}"
                )
        return Reply(order.id, "applied", v=self._carry_out(family, index, order.name, order.args, now))

    def _carry_out(
        self, family: str, index: int, name: str, args: Mapping[str, float], now: int
    ) -> dict[str, float]:
        if name == "switch":
            self._set(family, index, 100 * args["state"], now + HOLDS)
            return {"switch": args["state"], "dimming": 100 * args["state"]}
        if name == "dim":
            self._set(family, index, args["level"], now + HOLDS)
            return {"switch": float(args["level"] > 0), "dimming": args["level"]}
        if name == "contactor":
            self._set(family, index, args["state"], now + HOLDS)
            return {"contactor": args["state"], "contactor_feedback": args["state"]}
        if name == "spray":
            self._set(family, index, args["state"], now + int(args["duration"] * SECOND))
            return {"spray": args["state"]}
        return {}

    def _set(self, family: str, index: int, level: float, until: int) -> None:
        self._level[family][index] = level
        self._until[family][index] = until

    def alter(self, family: str, device: Int32, time: Int64, columns: Columns) -> None:
        """Write what was ordered into the columns, in place."""
        if family not in self._level:
            return
        until = self._until[family][device]
        if family == "streetlight":
            until = np.minimum(until, self._alone[device])
        level = np.where(time < until, self._level[family][device], np.nan)
        rows = np.flatnonzero(~np.isnan(level))
        if len(rows):
            wanted = _ALTER[family](self, device[rows], level[rows])
            for point in wanted.keys() & columns.keys():
                ordered = wanted[point]
                columns[point][rows] = np.where(np.isnan(ordered), columns[point][rows], ordered)

    def _lamp(self, device: Int32, level: Float64) -> Columns:
        power = np.where(level > 0, drawn(self._rated[device], level), STANDBY)
        factor = np.where(level > 0, 0.95, 0.55)
        return {
            "switch": (level > 0).astype(np.float64),
            "dimming": level,
            "power": power,
            "power_factor": factor,
            "current": power / (228 * factor),
        }

    def _contactor(self, device: Int32, level: Float64) -> Columns:  # noqa: ARG002 - as the others
        """Opened: the cabinet itself is all that draws. Closed: the lamps decide, so the load stays as it was."""
        own, none = np.where(level > 0, np.nan, OWN), np.where(level > 0, np.nan, 0.0)
        return {
            "contactor": level,
            "contactor_feedback": level,
            "power": own,
            "current_a": own / 215,
            "current_b": none,
            "current_c": none,
        }

    def _spray(self, device: Int32, level: Float64) -> Columns:  # noqa: ARG002 - as the others
        return {"spray": level}


_ALTER: Final = {"streetlight": Orders._lamp, "cabinet": Orders._contactor, "dust": Orders._spray}  # noqa: SLF001 - the table of the class above
