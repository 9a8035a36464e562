"""What rules said that are only tried: kept and counted by day and area, and told to nobody.

Bounded: the newest transitions tell a replay what was counted already; counts are kept for so many days.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Final

import numpy as np
from msgspec import Struct
from sqlalchemy import Connection, and_, delete, func, insert, select, update

from gateway.store.schema.rules import shadow_count, shadow_transition
from rules.transition import Transition
from rules.zone import Zone

MOST_KEPT: Final = 20_000  # transitions
DAYS: Final = 400
AT_ONCE: Final = 500  # ids of one query
_EPOCH: Final = date(1970, 1, 1)


class Count(Struct, frozen=True):
    """How often a version of a rule raised and cleared on a day of the city (by event time) in an area."""

    rule: str
    version: int
    day: str
    area: str
    raised: int
    cleared: int


class Shown(Struct, frozen=True):
    """One thing that a tried rule said. time, received: µs UTC."""

    rule: str
    version: int
    family: str
    device: str
    area: str
    raised: bool
    time: int
    received: int


class Shadows:
    """area: of (family, index); "" where none is known."""

    def __init__(self, zone: str, area: Callable[[str, int], str]) -> None:
        self._zone = Zone(zone)
        self._area = area

    def note(self, conn: Connection, said: Sequence[Transition]) -> None:
        """Part of the tick's transaction; what was noted before is not counted again."""
        fresh = _fresh(conn, said)
        if not fresh:
            return
        days = self._zone.day(np.array([one.time for one in fresh.values()], np.int64)).tolist()
        rows, counts = [], Counter[tuple[str, int, str, str, bool]]()
        for one, day in zip(fresh.values(), days, strict=True):
            area = self._area(one.family, one.index)
            counts[one.rule, one.version, _day(day), area, one.raised] += 1
            rows.append({**_kept(one), "area": area})
        conn.execute(insert(shadow_transition), rows)
        for (rule, version, day, area), (raised, cleared) in _edges(counts).items():
            _add(conn, Count(rule, version, day, area, raised, cleared))
        _prune(conn, max(days))


def counts(conn: Connection, rule: str | None = None) -> list[Count]:
    """By rule, version and area, the newest day first."""
    query = select(shadow_count)
    if rule is not None:
        query = query.where(shadow_count.c.rule == rule)
    order = (shadow_count.c.day.desc(), shadow_count.c.rule, shadow_count.c.version, shadow_count.c.area)
    return [Count(**row._mapping) for row in conn.execute(query.order_by(*order))]  # noqa: SLF001 - SQLAlchemy's name for it


def newest(conn: Connection, rule: str, most: int) -> list[Shown]:
    """The newest of what it said, by event time."""
    columns = [shadow_transition.c[name] for name in Shown.__struct_fields__]
    query = select(*columns).where(shadow_transition.c.rule == rule)
    order = (shadow_transition.c.time.desc(), shadow_transition.c.id)
    return [Shown(**row._mapping) for row in conn.execute(query.order_by(*order).limit(most))]  # noqa: SLF001


def _fresh(conn: Connection, said: Sequence[Transition]) -> dict[str, Transition]:
    fresh = {one.id: one for one in said}
    ids = list(fresh)
    for start in range(0, len(ids), AT_ONCE):
        some = shadow_transition.c.id.in_(ids[start : start + AT_ONCE])
        for known in conn.scalars(select(shadow_transition.c.id).where(some)):
            del fresh[known]
    return fresh


def _kept(one: Transition) -> dict[str, object]:
    return {name: getattr(one, name) for name in ("id", *Shown.__struct_fields__) if name != "area"}


def _edges(
    counts: Counter[tuple[str, int, str, str, bool]],
) -> dict[tuple[str, int, str, str], tuple[int, int]]:
    keys = {key[:4] for key in counts}
    return {key: (counts[*key, True], counts[*key, False]) for key in sorted(keys)}


def _add(conn: Connection, more: Count) -> None:
    table = shadow_count
    names = ("rule", "version", "day", "area")
    mine = and_(*(table.c[name] == getattr(more, name) for name in names))
    raised, cleared = table.c.raised + more.raised, table.c.cleared + more.cleared
    if not conn.execute(update(table).where(mine).values(raised=raised, cleared=cleared)).rowcount:
        row = {name: getattr(more, name) for name in Count.__struct_fields__}
        conn.execute(insert(table).values(row))


def _prune(conn: Connection, newest_day: int) -> None:
    conn.execute(delete(shadow_count).where(shadow_count.c.day < _day(newest_day - DAYS)))
    table = shadow_transition
    over = (conn.scalar(select(func.count()).select_from(table)) or 0) - MOST_KEPT
    if over > 0:
        oldest = select(table.c.id).order_by(table.c.received, table.c.id).limit(over)
        conn.execute(delete(table).where(table.c.id.in_(oldest)))


def _day(number: int) -> str:
    return (_EPOCH + timedelta(days=number)).isoformat()
