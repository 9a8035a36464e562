"""What history is asked: readings of a span, buckets of a span, the newest of each device. Supplements are merged.

Readers have a few threads of their own and never wait for the writer; times are µs UTC, spans are t0 ≤ time < t1.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import duckdb
import numpy as np

from drivers.telemetry import HOUR, LAST_JUDGED, NO_TIME, Family, Kind, Quality
from gateway.errors import Invalid, StoreError
from gateway.history import tables
from gateway.history.duck import History
from gateway.history.source import Scope

if TYPE_CHECKING:
    from drivers.telemetry import Float64, Int32, Int64, UInt8

CHUNK: Final = 65_536  # readings of an export chunk, unless one moment has more
FINEST: Final = 1000  # µs; no export chunk is cut finer

Result = TypeVar("Result")
Work = Callable[[duckdb.DuckDBPyConnection, str], Result]  # what is asked of a family's view


@dataclass(frozen=True, slots=True)
class Readings:
    """Columns of readings, by time: tick and received of their first row, flags of all their rows together.

    values float64[point, n] (NaN where absent), quality uint8[point, n] (Quality).
    """

    points: tuple[str, ...]
    device: Int32
    time: Int64
    kind: UInt8
    received: Int64
    tick: Int64
    flags: UInt8
    values: Float64
    quality: UInt8

    def __len__(self) -> int:
        return len(self.device)


@dataclass(frozen=True, slots=True)
class Buckets:
    """Buckets that hold a judged value, by time: start int64[n]; the others [point, n]; NaN where count is 0."""

    points: tuple[str, ...]
    start: Int64
    low: Float64
    mean: Float64
    high: Float64
    last: Float64
    count: Int64

    def __len__(self) -> int:
        return len(self.start)


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest that each device said of each point: device int32[n]; the others [point, n]; absent: quality 255."""

    points: tuple[str, ...]
    device: Int32
    values: Float64
    quality: UInt8
    time: Int64


class Queries:
    """The readers of a history. Raises Invalid for a point that the family lacks, StoreError where reading fails."""

    def __init__(self, history: History, readers: int = 2) -> None:
        self._history = history
        self._threads = ThreadPoolExecutor(readers, thread_name_prefix="history-reader")
        self._own = threading.local()
        self._cursors: list[duckdb.DuckDBPyConnection] = []

    def close(self) -> None:
        """Wait for the queries that run. Comes before the history's own close."""
        self._threads.shutdown(cancel_futures=True)
        for cursor in self._cursors:
            cursor.close()

    async def range_(
        self,
        family: Family,
        device: int,
        t0: int,
        t1: int,
        points: Sequence[str] | None = None,
        *,
        limit: int | None = None,
        newest: bool = False,
        kinds: Iterable[Kind] | None = None,
    ) -> Readings:
        """A device's readings that carry any of the points, by time; at most `limit`, from the start or the end."""
        names = _checked(family, points)
        where = f"device = {device:d} AND {_span(t0, t1)}{_of(kinds)}"
        order = " ORDER BY time DESC, kind DESC" if newest else " ORDER BY time, kind"
        ask = partial(
            _of_device, points=names, where=where, order=order, limit=limit, some=points is not None
        )
        found = await self._run(family, Scope(t0, t1, device), ask)
        return _part(found, slice(None, None, -1)) if newest else found

    async def downsample(
        self,
        family: Family,
        device: int,
        t0: int,
        t1: int,
        bucket: int,
        points: Sequence[str] | None = None,
        kinds: Iterable[Kind] = (Kind.SAMPLE,),
    ) -> Buckets:
        """Buckets of `bucket` µs, aligned to the epoch, of what rules may judge."""
        names = _checked(family, points)
        if bucket <= 0:
            raise Invalid("a bucket must be longer than nothing", bucket=bucket)
        where = f"device = {device:d} AND {_span(t0, t1)}{_of(kinds)}"
        ask = partial(_buckets, points=names, bucket=bucket, where=where)
        return await self._run(family, Scope(t0, t1, device), ask)

    async def latest_of(self, family: Family) -> Newest:
        """The newest of each device and point that history holds, whatever its quality."""
        return await self._run(family, Scope(), partial(_newest, points=_checked(family, None)))

    async def readings(self, family: Family, t0: int, t1: int, chunk: int = CHUNK) -> AsyncIterator[Readings]:
        """All readings of a family by time, device and kind, about `chunk` at a time."""
        names = _checked(family, None)
        slices = await self._run(family, Scope(t0, t1), partial(_slices, t0=t0, t1=t1, chunk=chunk))
        for start, end in slices:
            ask = partial(
                _readings, points=names, where=_span(start, end), order=" ORDER BY time, device, kind"
            )
            yield await self._run(family, Scope(start, end), ask)

    async def ask(self, family: Family, scope: Scope, work: Work[Result]) -> Result:
        """What `work` finds in the family's view, in one transaction; the view may hold rows outside of the scope."""
        return await self._run(family, scope, work)

    async def _run(self, family: Family, scope: Scope, work: Work[Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, self._read, family, scope, work
        )

    def _read(self, family: Family, scope: Scope, work: Work[Result]) -> Result:
        cursor: duckdb.DuckDBPyConnection | None = getattr(self._own, "cursor", None)
        if cursor is None:
            cursor = self._own.cursor = self._history.cursor()
            self._cursors.append(cursor)
        try:
            cursor.begin()  # the parts that the view names and the rows beside them are of one moment
            try:
                return work(cursor, self._history.shelf.view(cursor, family, scope))
            finally:
                cursor.rollback()
        except duckdb.Error as error:
            raise StoreError(f"history cannot be read: {error}") from error


def _checked(family: Family, points: Sequence[str] | None) -> tuple[str, ...]:
    if points is None:
        return tuple(point.name for point in family.points)
    if unknown := [name for name in points if name not in family.index]:
        raise Invalid(f"{family.name} has no point {unknown[0]!r}", points=unknown)
    if not points:
        raise Invalid("no point is asked for")
    return tuple(dict.fromkeys(points))


def _span(t0: int, t1: int) -> str:
    return f"time >= {t0:d} AND time < {t1:d}"


def _start(width: int) -> str:
    """Start of the width that a row lies in (DuckDB's % takes the sign of its left side)."""
    return f"time - (time % {width:d} + {width:d}) % {width:d}"


def _of(kinds: Iterable[Kind] | None) -> str:
    if kinds is None:
        return ""
    return f" AND kind IN ({', '.join(str(int(kind)) for kind in kinds)})"


def _merged(view: str, points: Sequence[str], where: str, *, some: bool) -> str:
    """One row a key; no point stands twice in the rows of a key, so any aggregate finds the one there is."""
    columns = [
        f'coalesce(max("{name}"), {tables.NAN}) AS "{name}", min("{name}_q") AS "{name}_q"' for name in points
    ]
    query = (
        "SELECT min(tick) AS tick, device, time, min(received) AS received, kind, bit_or(flags) AS flags, "  # noqa: S608 - names are the family's
        f"{', '.join(columns)} FROM {view} WHERE {where} GROUP BY {tables.KEY}"
    )
    if some:
        least = ", ".join(f'min("{name}_q")' for name in points)
        query += f" HAVING least({least}) < {int(Quality.ABSENT)}"
    return query


def _readings(
    con: duckdb.DuckDBPyConnection,
    view: str,
    points: tuple[str, ...],
    where: str,
    order: str,
    *,
    some: bool = False,
) -> Readings:
    return _fetched(con, _merged(view, points, where, some=some) + order, points)


def _fetched(con: duckdb.DuckDBPyConnection, query: str, points: tuple[str, ...]) -> Readings:
    found = con.execute(query).fetchnumpy()
    values, quality = tables.matrix(found, points)
    return Readings(
        points=points,
        device=found["device"],
        time=found["time"],
        kind=found["kind"],
        received=found["received"],
        tick=found["tick"],
        flags=found["flags"],
        values=values,
        quality=quality,
    )


def _of_device(
    con: duckdb.DuckDBPyConnection,
    view: str,
    points: tuple[str, ...],
    where: str,
    order: str,
    limit: int | None,
    *,
    some: bool,
) -> Readings:
    """Supplements are rare: rows are fetched as they stand, and merged where some key is found to have two."""
    if not some:
        more = "" if limit is None else f" LIMIT {limit + 1:d}"
        rows = f"SELECT {tables.selection(points)} FROM {view} WHERE {where}{order}{more}"  # noqa: S608 - names are the family's
        found = _fetched(con, rows, points)
        if not ((found.time[1:] == found.time[:-1]) & (found.kind[1:] == found.kind[:-1])).any():
            return _part(found, slice(limit))
    order += "" if limit is None else f" LIMIT {limit:d}"
    return _readings(con, view, points, where, order, some=some)


def _part(found: Readings, rows: slice) -> Readings:
    return Readings(
        points=found.points,
        device=found.device[rows],
        time=found.time[rows],
        kind=found.kind[rows],
        received=found.received[rows],
        tick=found.tick[rows],
        flags=found.flags[rows],
        values=found.values[:, rows],
        quality=found.quality[:, rows],
    )


def _buckets(
    con: duckdb.DuckDBPyConnection, view: str, points: tuple[str, ...], bucket: int, where: str
) -> Buckets:
    wanted = {
        "low": "min({0})",
        "mean": "avg({0})",
        "high": "max({0})",
        "last": "arg_max({0}, time)",
        "count": "count({0})",
    }
    columns = []
    for row, name in enumerate(points):
        judged, quoted = f'FILTER ("{name}_q" <= {LAST_JUDGED})', f'"{name}"'
        for what, call in wanted.items():
            value = f"{call.format(quoted)} {judged}"
            columns.append(f"coalesce({value}, {'0' if what == 'count' else tables.NAN}) AS {what}{row}")
    any_judged = " OR ".join(f'"{name}_q" <= {LAST_JUDGED}' for name in points)
    found = con.execute(
        f"SELECT {_start(bucket)} AS start, {', '.join(columns)} FROM {view} "  # noqa: S608 - names are the family's
        f"WHERE {where} AND ({any_judged}) GROUP BY start ORDER BY start"
    ).fetchnumpy()
    stacked = {what: np.stack([found[f"{what}{row}"] for row in range(len(points))]) for what in wanted}
    return Buckets(points=points, start=found["start"], **stacked)


def _newest(con: duckdb.DuckDBPyConnection, view: str, points: tuple[str, ...]) -> Newest:
    columns = []
    for row, name in enumerate(points):
        carried = f'FILTER ("{name}_q" < {int(Quality.ABSENT)})'
        columns += [
            f'coalesce(arg_max_null("{name}", (time, tick)) {carried}, {tables.NAN}) AS value{row}',
            f'coalesce(arg_max("{name}_q", (time, tick)) {carried}, {int(Quality.ABSENT)}::UTINYINT) AS quality{row}',
            f"coalesce(max(time) {carried}, {NO_TIME}) AS time{row}",
        ]
    found = con.execute(
        f"SELECT device, {', '.join(columns)} FROM {view} GROUP BY device ORDER BY device"  # noqa: S608 - names are the family's
    ).fetchnumpy()
    values, quality, time = (
        np.stack([found[f"{what}{row}"] for row in range(len(points))])
        for what in ("value", "quality", "time")
    )
    return Newest(points, found["device"], values, quality, time)


def _slices(con: duckdb.DuckDBPyConnection, view: str, t0: int, t1: int, chunk: int) -> list[tuple[int, int]]:
    """Spans of about `chunk` rows that together hold every row of t0 ≤ time < t1."""
    return list(_joined(_counted(con, view, t0, t1, chunk, HOUR), chunk))


def _counted(
    con: duckdb.DuckDBPyConnection, view: str, t0: int, t1: int, chunk: int, width: int
) -> Iterator[tuple[int, int, int]]:
    """(start, end, rows) of the widths that hold rows; one with more than `chunk` is cut finer."""
    found = con.execute(
        f"SELECT greatest({_start(width)}, {t0:d}) AS start, count(*) AS n "  # noqa: S608 - numbers only
        f"FROM {view} WHERE {_span(t0, t1)} GROUP BY start ORDER BY start"
    ).fetchall()
    for start, rows in found:
        end = min(start - start % width + width, t1)
        if rows > chunk and width > FINEST:
            yield from _counted(con, view, start, end, chunk, max(width // 60, FINEST))
        else:
            yield start, end, rows


def _joined(counted: Iterable[tuple[int, int, int]], chunk: int) -> Iterator[tuple[int, int]]:
    """Neighbours are joined as long as they hold at most `chunk` rows together."""
    first, last, held = 0, 0, 0
    for start, end, rows in counted:
        if held and held + rows > chunk:
            yield first, last
            held = 0
        if not held:
            first = start
        last, held = end, held + rows
    if held:
        yield first, last
