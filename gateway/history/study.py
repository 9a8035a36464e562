"""A stretch of history set apart, as of one moment, for a process that cannot open the database.

Its parts are linked under other names, so that compaction may drop them meanwhile; hot rows are copied. What is read there
are chunks of the log: of each device its rows in order of commit, and no more points than asked for.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb
import numpy as np
from msgspec import Struct

from drivers.telemetry import DAY, MINUTE, Batch, Family
from gateway.history import tables
from gateway.history.duck import History
from gateway.history.manifest import Part
from gateway.history.source import EVER, Scope, quoted
from rules import control

CHUNK: Final = 1_500_000  # rows read at once, about
HOT: Final = 10**6  # stands for the day of rows that are not of one day


class Source(Struct, frozen=True):
    """A file with rows of one family; its columns are those of a part."""

    family: str
    file: str
    points: tuple[str, ...]
    day: int
    rows: int
    first_device: int
    last_device: int
    first_tick: int
    last_tick: int


class Outline(Struct, frozen=True):
    """What was set apart: t0 ≤ time < t1 (µs UTC), of ticks up to `until`."""

    sources: list[Source]
    t0: int
    t1: int
    until: int


@contextmanager
def moment(history: History) -> Iterator[duckdb.DuckDBPyConnection]:
    """A reader's cursor to which nothing changes any more."""
    con = history.cursor()
    try:
        con.begin()
        yield con
    finally:
        con.close()


def rules(con: duckdb.DuckDBPyConnection) -> list[control.Control]:
    """Every set of rules of the log, in order."""
    begin = _beginning(control.encode(control.Rules([])))
    return [each for _, each in _log(con, f"starts_with(content, {begin})")]


def controls(
    con: duckdb.DuckDBPyConnection, families: Collection[str] | None = None
) -> list[tuple[int, control.Control]]:
    """Every control row of the log with its tick, in order; without the devices of other families than these."""
    if families is None:
        return _log(con, "true")
    any_devices = '{"type":"devices",'
    mine = [_beginning(control.encode(control.Devices(name, []))) for name in sorted(families)]
    wanted = " OR ".join(
        [f"NOT starts_with(content, '{any_devices}')", *(f"starts_with(content, {each})" for each in mine)]
    )
    return _log(con, wanted)


def _beginning(content: bytes) -> str:
    """What such a row begins with, as a string of SQL: up to what may differ."""
    return "'" + content.decode().rpartition("[")[0].replace("'", "''") + "'"


def _log(con: duckdb.DuckDBPyConnection, where: str) -> list[tuple[int, control.Control]]:
    query = f"SELECT tick, content FROM {tables.CONTROL} WHERE {where} ORDER BY tick, seq"  # noqa: S608
    return [(tick, control.decode(content)) for tick, content in con.execute(query).fetchall()]


def set_apart(
    con: duckdb.DuckDBPyConnection,
    history: History,
    points: Mapping[str, Sequence[str]],
    span: tuple[int, int],
    folder: Path,
) -> Outline:
    """Rows of these families and points, of t0 ≤ time < t1 (µs UTC), in files of the folder."""
    t0, t1 = span
    sources: list[Source] = []
    for name, wanted in points.items():
        family = history.families[name]
        parts = history.shelf.parts(con, family, Scope(t0, t1))
        sources += [_linked(history, part, wanted, folder) for part in parts]
        sources += _copied(con, family, wanted, span, folder)
    return Outline(sources, t0, t1, _until(con, sources, t1))


def _linked(history: History, part: Part, wanted: Sequence[str], folder: Path) -> Source:
    file = history.shelf.path(part)
    link = folder / part.name.replace("/", "-")
    with suppress(OSError):  # a disk without links: then the part must not be dropped for as long
        os.link(file, link)
        file = link
    carried = {name for name, _ in part.shape}
    return Source(
        part.family,
        str(file.absolute()),
        tuple(name for name in wanted if name in carried),
        part.day,
        part.rows,
        part.first_device,
        part.last_device,
        part.first_tick,
        part.last_tick,
    )


def _copied(
    con: duckdb.DuckDBPyConnection, family: Family, wanted: Sequence[str], span: tuple[int, int], folder: Path
) -> Iterator[Source]:
    """The hot rows, in order of commit."""
    where = f"FROM {tables.table(family)} WHERE time >= {span[0]:d} AND time < {span[1]:d}"
    bounds = "count(*), min(device), max(device), min(tick), max(tick)"
    rows, *found = con.execute(f"SELECT {bounds} {where}").fetchall()[0]
    if not rows:
        return
    file = folder / f"{family.name}-hot.parquet"
    named = ", ".join(f'"{name}", "{name}_q"' for name in wanted)
    columns = f'tick, device AS "index", time, received - time AS delay, kind, flags, {named}'
    con.execute(f"COPY (SELECT {columns} {where}) TO {quoted(file)} (FORMAT parquet, COMPRESSION snappy)")
    yield Source(family.name, str(file.absolute()), tuple(wanted), HOT, rows, *found)


def _until(con: duckdb.DuckDBPyConnection, sources: Sequence[Source], t1: int) -> int:
    """The last tick before t1 by receive time: what was told later had not been told then."""
    if t1 == EVER:
        return EVER
    near = [each for each in sources if each.day == HOT or (each.day + 2) * DAY > t1]
    files = ", ".join(quoted(Path(each.file)) for each in near)
    if not files:
        return EVER
    query = f"SELECT max(tick) FROM read_parquet([{files}], union_by_name = true) WHERE time + delay < {t1:d}"  # noqa: S608
    found = con.execute(query).fetchall()[0][0]
    return EVER if found is None else int(found)


class Chunk(NamedTuple):
    """Rows of after < tick ≤ until by family, each device's together and in order of commit; ticks: of the rows."""

    until: int
    batches: list[Batch]
    ticks: list[Any]


class Reader:
    """Reads what was set apart. devices: by family, first and last index to read.

    by_receipt: all rows by minutes of receipt, and in order of commit there, instead of device by device.
    """

    def __init__(
        self,
        outline: Outline,
        families: Mapping[str, Family],
        devices: Mapping[str, tuple[int, int]],
        *,
        memory_mb: int,
        by_receipt: bool = False,
        chunk: int = CHUNK,
    ) -> None:
        self._outline = outline
        self._families = families
        self._devices = devices
        self._by_receipt = by_receipt
        self._chunk = chunk
        self._con = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": f"{memory_mb}MB"})
        self._con.execute("SET GLOBAL parquet_metadata_cache = true")
        self._mine = [each for each in outline.sources if self._share(each) > 0]
        self.rows = sum(round(each.rows * self._share(each)) for each in self._mine)

    def close(self) -> None:
        self._con.close()

    def chunks(self) -> Iterator[Chunk]:
        """The log in order; while one chunk is judged, the next is read."""
        spans = self._spans()
        with closing(self._con), ThreadPoolExecutor(1, thread_name_prefix="study-reader") as thread:
            coming = [thread.submit(self._read, *span) for span in spans[:1]]
            for place in range(len(spans)):
                chunk = coming.pop().result()
                coming += [thread.submit(self._read, *span) for span in spans[place + 1 : place + 2]]
                yield chunk

    def _share(self, source: Source) -> float:
        """Of the source's devices, how many are read."""
        first, last = self._devices.get(source.family, (0, -1))
        both = min(last, source.last_device) - max(first, source.first_device) + 1
        return max(0, both) / (source.last_device - source.first_device + 1)

    def _spans(self) -> list[tuple[int, int]]:
        """(after, until) of each chunk: whole days where they fit, so that no part is read twice for them."""
        if not self._mine:
            return []
        begins: dict[int, int] = {}
        for each in self._mine:
            begins[each.day] = min(begins.get(each.day, EVER), each.first_tick)
        soonest, edges = EVER, set()
        for day in sorted(begins, reverse=True):
            soonest = min(soonest, begins[day])
            edges.add(soonest)
        last = min(self._outline.until, max(each.last_tick for each in self._mine))
        cuts = [*sorted(edge for edge in edges if edge <= last), last + 1]
        spans: list[tuple[int, int]] = []
        held = 0.0
        for begin, end in pairwise(cuts):
            rows = self._estimate(begin, end)
            if spans and held + rows <= self._chunk:
                spans[-1], held = (spans[-1][0], end - 1), held + rows
                continue
            pieces = min(max(1, round(rows / self._chunk)), end - begin)
            steps = [begin + (end - begin) * n // pieces for n in range(pieces + 1)]
            spans += [(a - 1, b - 1) for a, b in pairwise(steps)]
            held = rows / pieces
        return spans

    def _estimate(self, begin: int, end: int) -> float:
        """Rows of these ticks, as if a source's were spread evenly."""
        return sum(
            each.rows
            * self._share(each)
            * max(0, min(end, each.last_tick + 1) - max(begin, each.first_tick))
            / (each.last_tick + 1 - each.first_tick)
            for each in self._mine
        )

    def _read(self, after: int, until: int) -> Chunk:
        batches, ticks = [], []
        for name, family in self._families.items():
            some = [
                each
                for each in self._mine
                if each.family == name and each.last_tick > after and each.first_tick <= until
            ]
            if some:
                batch, tick = self._rows(family, some, after, until)
                if len(batch):
                    batches.append(batch)
                    ticks.append(tick)
        return Chunk(until, batches, ticks)

    def _rows(self, family: Family, sources: Sequence[Source], after: int, until: int) -> tuple[Batch, Any]:
        shapes: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for each in sources:
            shapes[each.points].append(quoted(Path(each.file)))
        read = sorted({name for points in shapes for name in points if name in family.index})
        first, last = self._devices[family.name]
        where = (
            f'WHERE tick > {after:d} AND tick <= {until:d} AND "index" BETWEEN {first:d} AND {last:d} '
            f"AND time >= {self._outline.t0:d} AND time < {self._outline.t1:d}"
        )
        query = " UNION ALL ".join(
            f"SELECT {_columns(read, points)} FROM read_parquet([{', '.join(files)}]) {where}"  # noqa: S608
            for points, files in shapes.items()
        )
        found = self._con.execute(query).fetchnumpy()
        batch = _batch(family, found, read)
        return _sorted(batch, found["tick"], by_receipt=self._by_receipt)


def _columns(read: Sequence[str], there: Sequence[str]) -> str:
    columns = ["tick", '"index" AS device', "time", "time + delay AS received", "kind", "flags"]
    for name in read:
        if name in there:
            columns += [f'coalesce(CAST("{name}" AS DOUBLE), {tables.NAN}) AS "{name}"', f'"{name}_q"']
        else:
            columns += [f'{tables.NAN} AS "{name}"', f'255::UTINYINT AS "{name}_q"']
    return ", ".join(columns)


def _batch(family: Family, found: dict[str, Any], read: Sequence[str]) -> Batch:
    batch = Batch.empty(family, len(found["tick"]))
    for name in ("device", "time", "received", "kind", "flags"):
        setattr(batch, name, found[name])
    for name in read:
        batch.values[family.index[name]] = found[name]
        batch.quality[family.index[name]] = found[f"{name}_q"]
    return batch


def _sorted(batch: Batch, tick: Any, *, by_receipt: bool) -> tuple[Batch, Any]:
    """Stable, so that rows of one device and tick stay as they were committed."""
    if by_receipt:
        order = np.lexsort([tick, batch.received // MINUTE])
    else:
        order = np.argsort(
            batch.device, kind="stable"
        )  # of files in order of their days: hardly anything moves
        device, tick_of = batch.device[order], tick[order]
        if ((np.diff(device) == 0) & (np.diff(tick_of) < 0)).any():
            order = np.lexsort([tick, batch.device])
    return batch.take(order), tick[order]
