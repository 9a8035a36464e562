"""Crews and who of them is on duty: shifts by the wall clock and the working days of the city.

A crew without any shift is always on duty. A shift that ends not after it begins runs into the next day.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from msgspec import Struct, to_builtins
from sqlalchemy import Connection, delete, insert, select, update

from drivers.telemetry import SECOND
from gateway.cases.deadline import WorkClock
from gateway.cases.record import plain
from gateway.errors import Invalid, NotFound
from gateway.store import audit
from gateway.store.schema import dispatch as schema

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WORKDAYS: Final = "workdays"
FREE: Final = "free"
DAILY: Final = "daily"
CLOCK: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class Shift(Struct, frozen=True):
    """days: workdays, free (weekends and holidays), daily, or some of mon,tue,wed,thu,fri,sat,sun. 08:00, 18:00."""

    days: str
    begins: str
    ends: str


class Crew(Struct, frozen=True):
    """lat, lon: where it starts from; last_*: where and when (µs UTC) it was seen last."""

    name: str
    department: str = ""
    lat: float | None = None
    lon: float | None = None
    members: tuple[str, ...] = ()
    shifts: tuple[Shift, ...] = ()
    last_lat: float | None = None
    last_lon: float | None = None
    last_seen: int | None = None


def crews(conn: Connection, department: str = "") -> list[Crew]:
    """All of a department, or all there are, in order of name."""
    c = schema.crew.c
    query = select(schema.crew).order_by(c.name)
    rows = plain(conn.execute(query.where(c.department == department) if department else query))
    names = [row["name"] for row in rows]
    members, shifts = _members(conn, names), _shifts(conn, names)
    return [
        Crew(**row, members=tuple(members.get(row["name"], ())), shifts=tuple(shifts.get(row["name"], ())))
        for row in rows
    ]


def department_of(conn: Connection, crew: str) -> str:
    """Empty for a crew that the roster does not know."""
    return conn.scalar(select(schema.crew.c.department).where(schema.crew.c.name == crew)) or ""


def put(conn: Connection, crew: Crew, actor: str, now: int) -> None:
    """The crew as it is from now on; where it was seen last stays known. Raises Invalid."""
    for one in crew.shifts:
        check(one)
    c = schema.crew.c
    home = {"department": crew.department, "lat": crew.lat, "lon": crew.lon}
    if not conn.execute(update(schema.crew).where(c.name == crew.name).values(home)).rowcount:
        conn.execute(insert(schema.crew).values(name=crew.name, **home))
    _clear(conn, crew.name)
    if crew.members:
        rows = [{"crew": crew.name, "member": member} for member in dict.fromkeys(crew.members)]
        conn.execute(insert(schema.crew_member), rows)
    if crew.shifts:
        conn.execute(insert(schema.shift), [{"crew": crew.name, **to_builtins(one)} for one in crew.shifts])
    audit.record(conn, now, actor, "put", f"crew:{crew.name}", home | {"members": len(crew.members)})


def remove(conn: Connection, name: str, actor: str, now: int) -> None:
    """Raises NotFound. Its cases stay its own until they are handed back."""
    if not conn.execute(delete(schema.crew).where(schema.crew.c.name == name)).rowcount:
        raise NotFound(f"there is no crew {name!r:.80}")
    _clear(conn, name)
    audit.record(conn, now, actor, "removed", f"crew:{name}")


def seen(conn: Connection, name: str, lat: float, lon: float, now: int) -> None:
    """The crew is here now; raises NotFound."""
    here = {"last_lat": lat, "last_lon": lon, "last_seen": now}
    if not conn.execute(update(schema.crew).where(schema.crew.c.name == name).values(here)).rowcount:
        raise NotFound(f"there is no crew {name!r:.80}")


def on_duty(crew: Crew, clock: WorkClock, at: int) -> bool:
    """Whether one of its shifts covers the moment `at` (µs UTC)."""
    if not crew.shifts:
        return True
    wall = datetime.fromtimestamp(at / SECOND, UTC).astimezone(clock.zone)
    today, now = wall.date(), wall.time()
    return any(_covers(one, clock, today, now) for one in crew.shifts)


def check(shift: Shift) -> None:
    """Raises Invalid."""
    if shift.days not in {WORKDAYS, FREE, DAILY} and not set(shift.days.split(",")) <= set(DAYS):
        raise Invalid(
            f"days are {WORKDAYS}, {FREE}, {DAILY} or some of {','.join(DAYS)}, not {shift.days!r:.40}",
            field="days",
        )
    for name in ("begins", "ends"):
        if not CLOCK.fullmatch(getattr(shift, name)):
            raise Invalid(f"{name} is a time of day such as 08:00", field=name)


def _covers(shift: Shift, clock: WorkClock, today: date, now: time) -> bool:
    begins, ends = time.fromisoformat(shift.begins), time.fromisoformat(shift.ends)
    if begins < ends:
        return begins <= now < ends and _runs(shift.days, clock, today)
    if now >= begins:
        return _runs(shift.days, clock, today)
    return now < ends and _runs(shift.days, clock, today - timedelta(days=1))


def _runs(days: str, clock: WorkClock, day: date) -> bool:
    if days == DAILY:
        return True
    if days in {WORKDAYS, FREE}:
        return clock.calendar.works(day) == (days == WORKDAYS)
    return DAYS[day.weekday()] in days.split(",")


def _members(conn: Connection, crews: Collection[str]) -> dict[str, list[str]]:
    c = schema.crew_member.c
    rows = conn.execute(select(c.crew, c.member).where(c.crew.in_(crews)).order_by(c.member))
    return _grouped((row.crew, row.member) for row in rows)


def _shifts(conn: Connection, crews: Collection[str]) -> dict[str, list[Shift]]:
    c = schema.shift.c
    query = select(c.crew, c.days, c.begins, c.ends).where(c.crew.in_(crews)).order_by(c.id)
    return _grouped((row.crew, Shift(row.days, row.begins, row.ends)) for row in conn.execute(query))


def _grouped(pairs: Iterable[tuple[str, Any]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for name, one in pairs:
        found.setdefault(name, []).append(one)
    return found


def _clear(conn: Connection, name: str) -> None:
    conn.execute(delete(schema.crew_member).where(schema.crew_member.c.crew == name))
    conn.execute(delete(schema.shift).where(schema.shift.c.crew == name))
