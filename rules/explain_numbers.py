"""Numbers as people read them: no more digits than tell two apart, spans in the units of a clock, µs as local time."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Final

from drivers.telemetry import SECOND
from rules.explain_words import PLACE, SPANS, UNITS, Language
from rules.units import SECONDS, Unit

DIGITS: Final = 4
_DAY: Final = 86_400
_MOST_DIGITS: Final = 12


def plain(value: float, digits: int = DIGITS) -> str:
    """At most so many significant digits, and every digit before the point; no exponent, no trailing zeros."""
    whole = len(f"{abs(value):.0f}")
    text = f"{value:.{max(digits - whole, 0) if abs(value) >= 1 else digits - 1}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def share(value: float, language: Language, digits: int = 3) -> str:
    return f"{plain(value * 100, digits)}{' %' if language == 'en' else '%'}"


def span(seconds: float, language: Language) -> str:
    """2 h 30 min; 26 h, but 2 days."""
    place, left = PLACE[language], abs(seconds)
    parts = []
    for words, chinese, size in SPANS:
        if size == _DAY and left < 2 * _DAY and left % _DAY:
            continue
        count = left // size if size > 1 else left
        left -= count * size
        if count:
            english = words[0] if count == 1 else words[-1]
            parts.append(f"{plain(count, 6)} {english}" if place == 0 else f"{plain(count, 6)}{chinese}")
    none = "0 s" if place == 0 else "0秒"
    return ("-" if seconds < 0 else "") + ((" " if place == 0 else "").join(parts) or none)


def times(value: float, language: Language) -> str:
    """How often something happened."""
    if language == "zh":
        return f"{plain(value)}次"
    return {1.0: "once", 2.0: "twice"}.get(value, f"{plain(value)} times")


def quantity(value: float, unit: Unit, language: Language, digits: int = DIGITS) -> str:
    """A value with its unit; of time as a span."""
    if unit.powers == SECONDS.powers and unit.text:
        return span(round(value * unit.factor, 3), language)
    name = UNITS.get(unit.text, unit.text)
    if name in {"", "°"}:
        return plain(value, digits) + name
    if name == "%" and language == "zh":
        return f"{plain(value, digits)}%"
    return f"{plain(value, digits)} {name}"


def digits_for(left: float | None, right: float | None) -> int:
    """How many digits show that two numbers differ, where they do."""
    if left is None or right is None or left == right:
        return DIGITS
    return next((n for n in range(DIGITS, _MOST_DIGITS) if plain(left, n) != plain(right, n)), _MOST_DIGITS)


def moment(time: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(time // SECOND, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
