"""Units as algebra: what may be added, compared, multiplied; a rule that mixes units is refused, never converted by guess.

A unit is powers of base units and a factor to them: mg/m3 compares with ug/m3 (scaled), never with deg.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from drivers.telemetry import DAY, HOUR, MINUTE, SECOND

Powers = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """`factor` of `powers` (base unit, exponent; sorted). Plain numbers have no powers."""

    text: str
    factor: float
    powers: Powers

    def matches(self, other: Unit) -> bool:
        """True where a value of one can be expressed in the other."""
        return self.powers == other.powers

    def times(self, other: Unit) -> Unit:
        return self._combined(other, 1)

    def over(self, other: Unit) -> Unit:
        return self._combined(other, -1)

    def _combined(self, other: Unit, sign: int) -> Unit:
        powers = dict(self.powers)
        for base, power in other.powers:
            powers[base] = powers.get(base, 0) + sign * power
        left = tuple(sorted((base, power) for base, power in powers.items() if power))
        factor = self.factor * other.factor if sign > 0 else self.factor / other.factor
        text = _joined(self.text, other.text, "*" if sign > 0 else "/") if left else ""
        return Unit(text, factor, left)

    def __str__(self) -> str:
        return self.text or "a plain number"


def _joined(left: str, right: str, operator: str) -> str:
    if not right:
        return left
    if operator == "*":
        return f"{left}*{right}" if left else right
    return f"{left or '1'}/{right}" if "/" not in right and "*" not in right else f"{left or '1'}/({right})"


PLAIN: Final = Unit("", 1.0, ())

# Volt is W/A, so that V * A is W. Percent, decibel, degree and degC are bases of their own: never plain, never converted.
_ATOMS: Final[dict[str, tuple[float, dict[str, int]]]] = {
    "ng": (1e-9, {"g": 1}),
    "ug": (1e-6, {"g": 1}),
    "mg": (1e-3, {"g": 1}),
    "g": (1.0, {"g": 1}),
    "kg": (1e3, {"g": 1}),
    "mm": (1e-3, {"m": 1}),
    "cm": (1e-2, {"m": 1}),
    "m": (1.0, {"m": 1}),
    "km": (1e3, {"m": 1}),
    "m2": (1.0, {"m": 2}),
    "m3": (1.0, {"m": 3}),
    "l": (1e-3, {"m": 3}),
    "ms": (1e-3, {"s": 1}),
    "s": (1.0, {"s": 1}),
    "min": (60.0, {"s": 1}),
    "h": (3600.0, {"s": 1}),
    "d": (86400.0, {"s": 1}),
    "Hz": (1.0, {"s": -1}),
    "mW": (1e-3, {"W": 1}),
    "W": (1.0, {"W": 1}),
    "kW": (1e3, {"W": 1}),
    "Wh": (3600.0, {"W": 1, "s": 1}),
    "kWh": (3.6e6, {"W": 1, "s": 1}),
    "mA": (1e-3, {"A": 1}),
    "A": (1.0, {"A": 1}),
    "mV": (1e-3, {"W": 1, "A": -1}),
    "V": (1.0, {"W": 1, "A": -1}),
    "kV": (1e3, {"W": 1, "A": -1}),
    "Pa": (1.0, {"Pa": 1}),
    "hPa": (1e2, {"Pa": 1}),
    "kPa": (1e3, {"Pa": 1}),
    "uT": (1e-6, {"T": 1}),
    "mT": (1e-3, {"T": 1}),
    "deg": (1.0, {"deg": 1}),
    "degC": (1.0, {"degC": 1}),
    "%": (1.0, {"%": 1}),
    "dB": (1.0, {"dB": 1}),
    "dBm": (1.0, {"dBm": 1}),
    "lux": (1.0, {"lux": 1}),
    "ppm": (1.0, {"ppm": 1}),
}
_SAME: Final = {"µ": "u", "μ": "u", "°C": "degC", "℃": "degC", "°": "deg", "²": "2", "³": "3", "dB(A)": "dB"}

DURATIONS: Final = {"ms": 1000, "s": SECOND, "m": MINUTE, "min": MINUTE, "h": HOUR, "d": DAY}
_DURATION: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*")
LONGEST: Final = 366 * DAY


def parse_unit(text: str, known: frozenset[str] = frozenset()) -> Unit:
    """The unit named, e.g. "ug/m3"; an atom in `known` that the table lacks is a base unit of its own.

    Raises ValueError with what is wrong.
    """
    for spelling, ours in _SAME.items():
        text = text.replace(spelling, ours)
    text = text.strip()
    if not text:
        return PLAIN
    if text in known and text not in _ATOMS and "/" not in text:
        return Unit(text, 1.0, ((text, 1),))
    unit = PLAIN
    for place, atom in enumerate(text.split("/")):
        if atom not in _ATOMS and atom not in known:
            raise ValueError(f"unknown unit {text!r}")
        factor, powers = _ATOMS.get(atom, (1.0, {atom: 1}))
        part = Unit(atom, factor, tuple(sorted(powers.items())))
        unit = part if place == 0 else unit.over(part)
    return Unit(text, unit.factor, unit.powers)


def duration(text: str) -> int:
    """µs of "26h", "15m", "90 s", "2d" (here m is minutes). Raises ValueError with what was expected."""
    match = _DURATION.fullmatch(text)
    if match is None or match[2] not in DURATIONS:
        raise ValueError(f"expected a duration such as 90s, 15m, 26h or 2d, found {text!r}")
    span = round(float(match[1]) * DURATIONS[match[2]])
    if span > LONGEST:
        raise ValueError(f"{text!r} is longer than {LONGEST // DAY} days")
    return span


def spell(span: int) -> str:
    """A duration as a rule would write it: 15m, 26h, 90s."""
    for name in ("d", "h", "m", "s"):
        if span % DURATIONS[name] == 0 and (name != "d" or span >= 2 * DAY):
            return f"{span // DURATIONS[name]}{name}"
    return f"{span / SECOND:g}s"


SECONDS: Final = parse_unit("s")
