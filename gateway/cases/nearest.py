"""The nearest free crew: on duty now, the fewest metres away, each open case counted as a way of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, func, select

from drivers.telemetry import HOUR
from gateway.cases.deadline import WorkClock
from gateway.cases.roster import Crew, crews, on_duty
from gateway.store.schema.cases import OPEN, case

EARTH: Final = 6_371_008.8  # metres, mean radius
PER_CASE: Final = 2_000.0  # metres that one open case weighs
FAR: Final = 50_000.0  # metres that an unknown way counts
NOTHING: Final[Mapping[str, int]] = MappingProxyType({})
FRESH: Final = 2 * HOUR  # how long a crew counts as being where it was seen


class Candidate(Struct, frozen=True):
    """metres: null where the crew's or the case's place is unknown. open: its open cases."""

    crew: str
    department: str
    metres: float | None
    open: int
    on_duty: bool


def candidates(
    conn: Connection,
    clock: WorkClock,
    at: int,
    where: tuple[float | None, float | None],
    department: str = "",
    given: Mapping[str, int] = NOTHING,
) -> list[Candidate]:
    """The crews of a department, or all, the best first; those off duty come last. at: µs UTC; where: lat, lon.

    given: cases that a crew has got in a transaction that is not written yet.
    """
    known = crews(conn, department)
    names = [one.name for one in known]
    c = case.c
    busy = select(c.crew, func.count()).where(OPEN, c.crew.in_(names), c.repaired.is_(None)).group_by(c.crew)
    load = {name: count for name, count in conn.execute(busy)}  # noqa: C416 - rows are no pairs to mypy
    found = [
        Candidate(
            one.name,
            one.department,
            distance(_place(one, at), where),
            load.get(one.name, 0) + given.get(one.name, 0),
            on_duty(one, clock, at),
        )
        for one in known
    ]
    return sorted(found, key=_order)


def nearest(
    conn: Connection,
    clock: WorkClock,
    at: int,
    where: tuple[float | None, float | None],
    department: str,
    given: Mapping[str, int],
) -> str:
    """The best crew of the department that is on duty; "" where none is."""
    best = next(iter(candidates(conn, clock, at, where, department, given)), None)
    return best.crew if best is not None and best.on_duty else ""


def distance(
    here: tuple[float | None, float | None], there: tuple[float | None, float | None]
) -> float | None:
    """Metres over the ground between two places in WGS-84 degrees; None where one is unknown."""
    if None in (*here, *there):
        return None
    (lat1, lon1), (lat2, lon2) = here, there
    assert lat1 is not None and lon1 is not None and lat2 is not None and lon2 is not None  # noqa: PT018
    phi1, phi2 = math.radians(lat1), math.radians(lat2)
    half = math.sin((phi2 - phi1) / 2) ** 2
    half += math.cos(phi1) * math.cos(phi2) * math.sin(math.radians(lon2 - lon1) / 2) ** 2
    return 2 * EARTH * math.asin(math.sqrt(min(1.0, half)))


def _place(crew: Crew, at: int) -> tuple[float | None, float | None]:
    if crew.last_seen is not None and at - crew.last_seen <= FRESH:
        return crew.last_lat, crew.last_lon
    return crew.lat, crew.lon


def _order(one: Candidate) -> tuple[bool, float, str]:
    away = FAR if one.metres is None else one.metres
    return not one.on_duty, away + one.open * PER_CASE, one.crew
