"""Whether the mirror holds what history holds: every value of every field, by family and hour.

A mirror may say 204 and drop what it was given; only asking it shows that, and a rewind of the cursor repairs it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final, NamedTuple

import duckdb
import numpy as np

from drivers.telemetry import HOUR, Family
from gateway.history import lines
from gateway.history.cursor import Gap
from gateway.history.duck import History
from gateway.history.mirror_query import MILLISECOND, Reader, Series
from gateway.history.source import Scope, Shelf

EQUAL: Final = 1e-9  # relative: VictoriaMetrics keeps about twelve decimal digits


class Difference(NamedTuple):
    """An hour (start, µs UTC) of which the mirror says something else.

    ours, theirs: how many values each side has; wrong: how many are on one side only, or not the same.
    ticks: those that the hour's readings came in.
    """

    family: str
    hour: int
    ours: int
    theirs: int
    wrong: int
    ticks: Gap


async def differences(history: History, reader: Reader, t0: int, t1: int) -> AsyncIterator[Difference]:
    """Every hour of t0 ≤ time < t1 (µs UTC) that is not the same on both sides; raises LinkError."""
    with history.cursor() as con:
        for family in history.families.values():
            for hour in await asyncio.to_thread(_hours, con, family, history.shelf, t0, t1):
                found = await asyncio.to_thread(_compare, con, family, history.shelf, reader, hour)
                if found.wrong:
                    yield found


def _hours(con: duckdb.DuckDBPyConnection, family: Family, shelf: Shelf, t0: int, t1: int) -> list[int]:
    """The hours that hold readings."""
    con.begin()
    try:
        query = (
            f"SELECT DISTINCT time // {HOUR} FROM {shelf.view(con, family, Scope(t0, t1))} "  # noqa: S608
            f"WHERE time >= {t0:d} AND time < {t1:d} ORDER BY 1"
        )
        return [hour * HOUR for (hour,) in con.execute(query).fetchall()]
    finally:
        con.rollback()


def _compare(
    con: duckdb.DuckDBPyConnection, family: Family, shelf: Shelf, reader: Reader, hour: int
) -> Difference:
    heads, rows = _columns(reader.series(family, hour, hour + HOUR))
    con.begin()
    con.register("heads", heads)
    con.register("told", rows)
    try:
        view = lines.named(shelf.view(con, family, Scope(hour, hour + HOUR)), family)
        where = f"WHERE r.time >= {hour:d} AND r.time < {hour + HOUR:d}"
        key = f"device, kind, field, time // {MILLISECOND} AS ms"
        both = (
            f"(SELECT {key}, value AS mine FROM ({_values(family, view, where)})) FULL JOIN "  # noqa: S608
            f"(SELECT {key}, value AS other FROM told JOIN heads USING (number)) USING (device, kind, field, ms)"
        )
        same = f"coalesce(abs(mine - other) <= {EQUAL} * abs(mine), false)"
        ours, theirs, wrong = con.execute(
            f"SELECT count(mine), count(other), count(*) FILTER (NOT {same}) FROM {both}"  # noqa: S608
        ).fetchall()[0]
        ticks = f"SELECT min(r.tick) - 1, max(r.tick) FROM {view} {where}"  # noqa: S608
        return Difference(family.name, hour, ours, theirs, wrong, Gap(*con.execute(ticks).fetchall()[0]))
    finally:
        con.rollback()
        con.unregister("heads")
        con.unregister("told")


def _values(family: Family, view: str, where: str) -> str:
    """A query of what the mirror was told: device, kind, field, time, value."""
    key = f"{lines.DEVICE} AS device, {lines.KIND} AS kind"
    fields = []
    for point in family.points:
        name = point.name
        for field, value, there in (
            (name, f'r."{name}"', f'r."{name}" IS NOT NULL'),
            (f"{name}_q", f'r."{name}_q"::DOUBLE', lines.off(name)),
        ):
            fields.append(
                f"SELECT {key}, '{field}' AS field, r.time AS time, {value} AS value FROM {view} {where} AND {there}"  # noqa: S608
            )
    return " UNION ALL ".join(fields)


def _columns(found: Iterable[Series]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the mirror says, as two tables: series by number, and their values."""
    told = list(found)
    heads = {
        "number": np.arange(len(told)),
        "device": np.array([each.device for each in told], object),
        "kind": np.array([each.kind for each in told], object),
        "field": np.array([each.field for each in told], object),
    }
    rows = {
        "number": np.repeat(np.arange(len(told)), [len(each.time) for each in told]),
        "time": np.concatenate([np.empty(0, np.int64), *(each.time for each in told)]),
        "value": np.concatenate([np.empty(0), *(each.value for each in told)]),
    }
    return heads, rows
