"""History says again, tick by tick, exactly what was committed (design 2, Restart): same rows, same order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import duckdb
import numpy as np

from drivers.telemetry import Batch, Family
from gateway.history import tables
from gateway.history.source import Scope, Shelf
from rules import control

if TYPE_CHECKING:
    from drivers.telemetry import Int64

CHUNK: Final = 65_536  # rows fetched at once; a single tick may have more


class Replayed(NamedTuple):
    tick: int
    batches: list[Batch]  # at most one a family, in the order of the families
    controls: list[control.Control]


def replay(
    con: duckdb.DuckDBPyConnection, families: Mapping[str, Family], shelf: Shelf, after: int
) -> Iterator[Replayed]:
    """Every tick after `after`, in order, as of now. Closes the cursor at its end.

    Rows that have become parts come by device and time within their tick, supplements with the row they belong to.
    """
    try:
        con.begin()
        for until in _chunks(con, families, shelf, after):
            yield from _chunk(con, families, shelf, after, until)
            after = until
    finally:
        con.close()


def rows(
    con: duckdb.DuckDBPyConnection, family: Family, shelf: Shelf, after: int, until: int
) -> tuple[Int64, Batch]:
    """(tick of each row, rows) of after < tick ≤ until by tick. Within a transaction."""
    hot_tick, hot = tables.committed(con, family, after, until)
    cold = shelf.cold(family, shelf.parts(con, family, Scope(after=after, until=until)))
    if not cold:
        return hot_tick, hot
    where = f"WHERE tick > {after:d} AND tick <= {until:d} ORDER BY tick, {tables.KEY}"
    cold_tick, batch = tables.fetch(con, family, f"FROM ({cold}) {where}")
    tick = np.concatenate([cold_tick, hot_tick])
    order = np.argsort(tick, kind="stable")
    return tick[order], Batch.concat([batch, hot]).take(order)


def _chunks(
    con: duckdb.DuckDBPyConnection, families: Mapping[str, Family], shelf: Shelf, after: int
) -> list[int]:
    """Last tick of each chunk."""
    views = [shelf.view(con, family, Scope(after=after)) for family in families.values()]
    sources = [*views, tables.CONTROL]
    union = " UNION ALL ".join(f"SELECT tick FROM {source} WHERE tick > {after:d}" for source in sources)  # noqa: S608
    found = con.execute(
        f"SELECT tick, count(*) AS n FROM ({union}) GROUP BY tick ORDER BY tick"  # noqa: S608
    ).fetchnumpy()
    ticks: Int64 = found["tick"]
    chunk = np.cumsum(found["n"]) // CHUNK
    last = np.flatnonzero(np.diff(chunk, append=-1))
    return [int(tick) for tick in ticks[last]]


def _chunk(
    con: duckdb.DuckDBPyConnection, families: Mapping[str, Family], shelf: Shelf, after: int, until: int
) -> Iterator[Replayed]:
    """The ticks of after < tick ≤ until: each column is fetched once and cut where the tick changes."""
    fetched = [rows(con, family, shelf, after, until) for family in families.values()]
    controls = tables.committed_controls(con, after, until)
    ticks = np.unique(
        np.concatenate([*(column for column, _ in fetched), np.array(list(controls), np.int64)])
    )
    cuts = [
        (
            batch,
            np.searchsorted(column, ticks, "left").tolist(),
            np.searchsorted(column, ticks, "right").tolist(),
        )
        for column, batch in fetched
        if len(batch)
    ]
    for position, tick in enumerate(ticks.tolist()):
        batches = [
            _cut(batch, starts[position], ends[position])
            for batch, starts, ends in cuts
            if starts[position] < ends[position]
        ]
        yield Replayed(tick, batches, [control.decode(content) for content in controls.get(tick, ())])


def _cut(batch: Batch, start: int, end: int) -> Batch:
    """Views of the columns; nothing is copied."""
    rows: Any = slice(start, end)
    return batch.take(rows)
