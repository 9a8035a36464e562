"""Readings as line protocol: measurement = family, tags device and kind, a field for each value, µs since epoch.

`<point>_q` says the quality where it is not good; a point without a value has its quality only. DuckDB writes the text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import duckdb
import numpy as np

from drivers.telemetry import Family, Kind, Quality
from gateway.history import hot, names, tables
from gateway.history.source import Scope, Shelf

KINDS: Final = " ".join(f"WHEN {kind.value} THEN '{kind.name.lower()}'" for kind in Kind)
KIND: Final = f"CASE r.kind {KINDS} END"
DEVICE: Final = "coalesce(n.id, '#' || r.device)"
ESCAPED: Final = rf"replace(replace(replace({DEVICE}, ',', '\,'), '=', '\='), ' ', '\ ')"


class Chunk(NamedTuple):
    """The lines of after < tick ≤ until; any order of them says the same."""

    until: int
    lines: list[str]


def chunk(
    con: duckdb.DuckDBPyConnection, families: Iterable[Family], shelf: Shelf, gap: tuple[int, int], rows: int
) -> Chunk:
    """Whole ticks from the start of the gap (after, until), with about `rows` rows; one tick may have more."""
    after, last = gap
    con.begin()
    try:
        found = [_ticks(con, family, shelf, after, last, rows) for family in families]
        ticks = np.sort(np.concatenate(found))
        until = last if len(ticks) <= rows else _cut(ticks, rows)
        return Chunk(
            until, [line for family in families for line in _lines(con, family, shelf, after, until)]
        )
    finally:
        con.rollback()


def pending(con: duckdb.DuckDBPyConnection, after: int, most: int) -> int:
    """Hot rows after a tick, counted no further than `most`."""
    rows = f"SELECT tick FROM {hot.TABLE} WHERE tick > {after:d} LIMIT {most:d}"  # noqa: S608
    number: int = con.execute(f"SELECT count(*) FROM ({rows})").fetchall()[0][0]  # noqa: S608
    return number


def named(view: str, family: Family) -> str:
    """FROM item `r` with the ids `n` of its devices."""
    return f"{view} AS r LEFT JOIN {names.TABLE} AS n ON n.family = '{family.name}' AND n.idx = r.device"


def _cut(ticks: np.ndarray[tuple[int], np.dtype[np.int64]], rows: int) -> int:
    """The last tick that is whole among the first `rows`; the first one where it alone has more."""
    over = int(ticks[rows])
    before = ticks[:rows][ticks[:rows] < over]
    return int(before[-1]) if len(before) else over


def _ticks(
    con: duckdb.DuckDBPyConnection, family: Family, shelf: Shelf, after: int, last: int, rows: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The ticks of a family's first rows, one more than `rows` at most; hot rows stand in their order, parts do not."""
    where = f"WHERE tick > {after:d} AND tick <= {last:d}"
    query = f"(SELECT tick FROM {tables.table(family)} {where} LIMIT {rows + 1:d})"  # noqa: S608
    if cold := shelf.cold(family, shelf.parts(con, family, Scope(after=after, until=last))):
        query += f" UNION ALL (SELECT tick FROM ({cold}) {where} ORDER BY tick LIMIT {rows + 1:d})"  # noqa: S608
    found: np.ndarray[tuple[int], np.dtype[np.int64]] = con.execute(query).fetchnumpy()["tick"]
    return found


def _lines(con: duckdb.DuckDBPyConnection, family: Family, shelf: Shelf, after: int, until: int) -> list[str]:
    view = named(shelf.view(con, family, Scope(after=after, until=until)), family)
    fields = []
    for point in family.points:
        name = point.name
        fields += [
            f"'{name}=' || r.\"{name}\"",
            f"CASE WHEN {off(name)} THEN '{name}_q=' || r.\"{name}_q\" || 'i' END",
        ]
    tags = f"'{family.name},device=' || {ESCAPED} || ',kind=' || {KIND}"
    query = (
        "SELECT tags || ' ' || fields || ' ' || time FROM ("  # noqa: S608
        f"SELECT {tags} AS tags, concat_ws(',', {', '.join(fields)}) AS fields, r.time AS time FROM {view} "
        f"WHERE r.tick > {after:d} AND r.tick <= {until:d}) WHERE fields <> ''"
    )
    return [line for (line,) in con.execute(query).fetchall()]


def off(name: str) -> str:
    """Whether a point of row `r` is carried and not simply good."""
    return f'r."{name}_q" BETWEEN {int(Quality.GOOD) + 1} AND {int(Quality.ABSENT) - 1}'
