"""The payloads of design 3, read exactly: what the strict shape rejected is named, and what is sound in it is kept.

A bad point never takes its reading along, a bad reading never its neighbours. bool is no number, nor is a string.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, Protocol

from drivers.jsonscan import kind, show
from drivers.refusal import Reason, Refused
from drivers.shape import LAST_MILLISECOND, QUALITIES, UNTIMED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from drivers.shape import Shape
    from drivers.telemetry import Family, Point

_NAMED: Final = 5  # how many faulty things one detail names


class Reader(Protocol):
    """Turns one parsed element into one reading of a shape."""

    def read(self, element: object, faults: Faults) -> Any:
        """A reading with at least one value. Parts left out go to `faults`; raises Refused where nothing is left."""


class Faults:
    """What was left out of one element, one line a reason."""

    def __init__(self) -> None:
        self._found: dict[Reason, list[str]] = defaultdict(list)

    def note(self, reason: Reason, detail: str) -> None:
        self._found[reason].append(detail)

    def __bool__(self) -> bool:
        return bool(self._found)

    def lines(self) -> Iterable[tuple[Reason, str]]:
        for reason, details in self._found.items():
            more = f"; and {len(details) - _NAMED} more" if len(details) > _NAMED else ""
            yield reason, "; ".join(details[:_NAMED]) + more


class CityReader:
    """Reads telemetry, event and status elements of a family."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._points = {point.name: point for point in shape.family.points if point.name in shape.names}
        self._known = {"ts", "state"} if shape.channel == "status" else {"ts", "v", "q", "hist", "event"}

    def read(self, element: object, faults: Faults) -> Any:
        if not isinstance(element, dict):
            raise Refused(Reason.WRONG_TYPE, f"a reading is an object, not {kind(element)}")
        for key in element.keys() - self._known:
            faults.note(Reason.UNKNOWN_POINT, f'key {show(key)} is unknown here; points stand under "v"')
        time = milliseconds(element)
        if self._shape.channel == "status":
            return self._shape.reading(state=_state(element), ts=time)
        historical = element.get("hist", False)
        if not isinstance(historical, bool):
            raise Refused(Reason.WRONG_TYPE, f'"hist" is {show(historical)}; send true or false')
        event = self._event(element, faults)
        quality = self._quality(element, faults)
        values = self._values(element, quality, faults)
        if not values and event is None:
            raise Refused(Reason.EMPTY, 'no usable point; send {"v": {"<point>": number}}')
        kept = {name: word for name, word in quality.items() if word} or None
        return self._shape.reading(
            v=self._shape.values(**values), ts=time, q=kept, hist=historical, event=event
        )

    def _event(self, element: Mapping[str, object], faults: Faults) -> str | None:
        event = element.get("event")
        if self._shape.channel == "telemetry":
            if event is not None:
                faults.note(
                    Reason.UNKNOWN_EVENT, f"event {show(event)} on telemetry; publish it on the event topic"
                )
            return None
        return event_of(self._shape.family, event, faults)

    def _quality(self, element: Mapping[str, object], faults: Faults) -> dict[str, str]:
        """Quality words by point; "" marks a point whose quality could not be read."""
        stated = element.get("q")
        if stated is None:
            return {}
        if not isinstance(stated, dict):
            raise Refused(Reason.WRONG_TYPE, f'"q" is {kind(stated)}; send {{"<point>": "<quality>"}}')
        found: dict[str, str] = {}
        for name, word in stated.items():
            if name not in self._points:
                faults.note(Reason.UNKNOWN_POINT, self._unknown("q", name))
            else:
                found[name] = quality_of(name, word, faults)
        return found

    def _values(
        self, element: Mapping[str, object], quality: Mapping[str, str], faults: Faults
    ) -> dict[str, float]:
        stated = element.get("v", {} if self._shape.channel == "event" else None)
        if "v" not in element and stated is None:
            raise Refused(Reason.EMPTY, 'no "v"; send {"v": {"<point>": number}}')
        if not isinstance(stated, dict):
            raise Refused(Reason.WRONG_TYPE, f'"v" is {kind(stated)}; send {{"<point>": number}}')
        found: dict[str, float] = {}
        for name, raw in stated.items():
            point = self._points.get(name)
            if point is None:
                faults.note(Reason.UNKNOWN_POINT, self._unknown("v", name))
            elif quality.get(name) != "":
                value = value_of(point, raw, faults)
                if value is not None:
                    found[name] = value
        return found

    def _unknown(self, where: str, name: str) -> str:
        return (
            f"{where}.{show(name)} is no point of {self._shape.family.name}; it has {', '.join(self._points)}"
        )


def milliseconds(element: Mapping[str, object]) -> int:
    """The "ts" of an element: integral ms since epoch up to year 9999, or UNTIMED."""
    if "ts" not in element:
        return UNTIMED
    stated = element["ts"]
    if isinstance(stated, bool) or not isinstance(stated, int | float):
        raise Refused(
            Reason.BAD_TIME, f'"ts" is {show(stated)}; send integer milliseconds since 1970, or none'
        )
    if not 0 <= stated <= LAST_MILLISECOND or stated != int(stated):
        raise Refused(Reason.BAD_TIME, f'"ts" {show(stated)} is no whole millisecond from 1970 to 9999')
    return int(stated)


def event_of(family: Family, stated: object, faults: Faults) -> str | None:
    """A canonical alarm name of the family, or None with the fault noted."""
    known = family.points[family.index["event"]].labels
    if isinstance(stated, str) and stated in known:
        return stated
    faults.note(Reason.UNKNOWN_EVENT, f"event {show(stated)} is none of {family.name}'s: {', '.join(known)}")
    return None


def quality_of(name: str, stated: object, faults: Faults) -> str:
    """A quality word, or "" with the fault noted."""
    if isinstance(stated, str) and stated in QUALITIES:
        return stated
    words = ", ".join(QUALITIES)
    faults.note(
        Reason.UNKNOWN_QUALITY, f"quality {show(stated)} of {name} is none of {words}; the point is left out"
    )
    return ""


def value_of(point: Point, raw: object, faults: Faults) -> float | None:
    """The finite value of a point (a number; for enumerated points also a label; for two of them true or false).

    None with the fault noted. Ranges are judged later, all rows at once.
    """
    if isinstance(raw, bool) and len(point.labels) == 2:
        return float(raw)
    if isinstance(raw, str) and point.labels:
        if raw in point.labels:
            return float(point.labels.index(raw))
        faults.note(Reason.OUT_OF_RANGE, f"{point.name} {show(raw)} is none of {', '.join(point.labels)}")
        return None
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        faults.note(Reason.WRONG_TYPE, f"{point.name} is {show(raw)}; send a number, or leave the point out")
        return None
    if not math.isfinite(raw):
        faults.note(
            Reason.NOT_FINITE, f"{point.name} is not finite; leave the point out, or send its quality"
        )
        return None
    return float(raw)


def _state(element: Mapping[str, object]) -> str:
    state = element.get("state")
    if state is None:
        raise Refused(Reason.EMPTY, 'no "state"; send "online" or "offline"')
    if not isinstance(state, str):
        raise Refused(Reason.WRONG_TYPE, f'"state" is {kind(state)}; send "online" or "offline"')
    if state not in {"online", "offline"}:
        raise Refused(Reason.OUT_OF_RANGE, f'"state" is {show(state)}; send "online" or "offline"')
    return state
