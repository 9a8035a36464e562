"""History says again exactly what was committed (design 2, Restart): same rows, same order, tick by tick or in few pieces.

Rows that have become parts come by device and time within their tick, supplements with the row they belong to.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import duckdb
import numpy as np

from drivers.telemetry import Batch, Family
from gateway.history import hot, tables
from gateway.history.hot import Layout
from gateway.history.manifest import Part
from gateway.history.source import Scope, Shelf
from rules import control

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Int64

    Rows = tuple[Int64, Batch]  # with the tick of each

CHUNK: Final = 65_536  # rows fetched at once; a single tick may have more


class Replayed(NamedTuple):
    tick: int
    batches: list[Batch]  # at most one a family, in the order of the families
    controls: list[control.Control]


class Span(NamedTuple):
    """Ticks up to `last`, of which the first alone may have control rows: they come before any row.

    ticks: how many. batches: at most one a family, by the tick of its first row.
    """

    last: int
    ticks: int
    batches: list[Batch]
    controls: list[control.Control]


class Chunk(NamedTuple):
    """Ticks in order; rows of each family by tick, and control rows by tick."""

    ticks: Int64
    rows: list[Rows]
    controls: dict[int, list[str]]


def replay(con: duckdb.DuckDBPyConnection, layout: Layout, shelf: Shelf, after: int) -> Iterator[Replayed]:
    """Every tick after `after`, in order, as of now. Closes the cursor at its end."""
    for chunk in _ahead(_chunks(con, layout, shelf, after)):
        for span in _cut(chunk, np.ones(len(chunk.ticks), bool)):
            yield Replayed(span.last, span.batches, span.controls)


def spans(con: duckdb.DuckDBPyConnection, layout: Layout, shelf: Shelf, after: int) -> Iterator[Span]:
    """The same, ticks without control rows together with those before them."""
    for chunk in _ahead(_chunks(con, layout, shelf, after)):
        begins = np.isin(chunk.ticks, np.array(list(chunk.controls), np.int64))
        begins[0] = True
        yield from _cut(chunk, begins)


def _ahead(chunks: Generator[Chunk]) -> Iterator[Chunk]:
    """While one is worked on, the next is fetched."""
    with closing(chunks), ThreadPoolExecutor(1, thread_name_prefix="history-replay") as thread:
        coming = thread.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = thread.submit(next, chunks, None)
            yield chunk


def _chunks(con: duckdb.DuckDBPyConnection, layout: Layout, shelf: Shelf, after: int) -> Generator[Chunk]:
    try:
        con.begin()
        parts = {
            name: shelf.parts(con, place.family, Scope(after=after)) for name, place in layout.places.items()
        }
        for until in _ends(con, layout, shelf, parts, after):
            rows = []
            for name, near in hot.committed(con, layout, after, until).items():
                some = [part for part in parts[name] if part.last_tick > after and part.first_tick <= until]
                found = _joined(con, layout.places[name].family, shelf, some, near, (after, until))
                if len(found[0]):
                    rows.append(found)
            controls = tables.committed_controls(con, after, until)
            of_controls = np.array(list(controls), np.int64)
            yield Chunk(np.unique(np.concatenate([of_controls, *(tick for tick, _ in rows)])), rows, controls)
            after = until
    finally:
        con.close()


def _ends(
    con: duckdb.DuckDBPyConnection,
    layout: Layout,
    shelf: Shelf,
    parts: Mapping[str, Sequence[Part]],
    after: int,
) -> list[int]:
    """Last tick of each chunk."""
    cold = [shelf.cold(place.family, parts[name]) for name, place in layout.places.items()]
    sources = [hot.TABLE, tables.CONTROL, *(f"({query})" for query in cold if query)]
    union = " UNION ALL ".join(f"SELECT tick FROM {source} WHERE tick > {after:d}" for source in sources)  # noqa: S608
    found = con.execute(
        f"SELECT tick, count(*) AS n FROM ({union}) GROUP BY tick ORDER BY tick"  # noqa: S608
    ).fetchnumpy()
    ticks: Int64 = found["tick"]
    chunk = np.cumsum(found["n"]) // CHUNK
    last = np.flatnonzero(np.diff(chunk, append=-1))
    return [int(tick) for tick in ticks[last]]


def _joined(
    con: duckdb.DuckDBPyConnection,
    family: Family,
    shelf: Shelf,
    parts: Sequence[Part],
    near: Rows,
    span: tuple[int, int],
) -> Rows:
    """Hot rows of after < tick ≤ until with those of parts, by tick."""
    if not parts:
        return near
    where = f"WHERE tick > {span[0]:d} AND tick <= {span[1]:d} ORDER BY tick, {tables.KEY}"
    far = tables.fetch(con, family, f"FROM ({shelf.cold(family, parts)}) {where}")
    tick = np.concatenate([far[0], near[0]])
    order = np.argsort(tick, kind="stable")
    return tick[order], Batch.concat([far[1], near[1]]).take(order)


def _cut(chunk: Chunk, begins: Bool) -> Iterator[Span]:
    """The chunk in pieces that begin at the marked ticks; columns are views, nothing is copied."""
    first = np.flatnonzero(begins)
    counts = np.diff(first, append=len(begins)).tolist()
    edges = np.append(chunk.ticks[first], chunk.ticks[-1] + 1)
    cuts = [(tick, batch, np.searchsorted(tick, edges).tolist()) for tick, batch in chunk.rows]
    for piece, (begin, count) in enumerate(zip(first.tolist(), counts, strict=True)):
        parts = [
            (int(tick[at[piece]]), batch.take(_slice(at[piece], at[piece + 1])))
            for tick, batch, at in cuts
            if at[piece] < at[piece + 1]
        ]
        said = chunk.controls.get(int(chunk.ticks[begin]), ())
        yield Span(
            int(chunk.ticks[begin + count - 1]),
            count,
            [batch for _, batch in sorted(parts, key=itemgetter(0))],
            [control.decode(content) for content in said],
        )


def _slice(start: int, end: int) -> Any:
    """As rows of Batch.take, which then copies nothing."""
    return slice(start, end)
