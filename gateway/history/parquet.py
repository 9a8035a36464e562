"""One Parquet part: rows of one family and UTC day by (device, time, kind), one row a key, any tool can read it.

Columns: device (text), index, time (µs UTC), delay (received - time, µs), tick, kind, flags, and for each point that is
carried its value and <point>_q (255: absent). A value is a DECIMAL where that is exact, which costs half of a DOUBLE.
"""

from __future__ import annotations

import hashlib
import math
import os
from pathlib import Path
from typing import Final, NamedTuple

import duckdb

from drivers.telemetry import Family, Point, Quality
from gateway.errors import StoreError
from gateway.history import names, tables
from gateway.history.manifest import Part, Shape
from gateway.history.source import quoted

ROW_GROUP: Final = 61_440  # rows: small enough to find one device in, large enough to pack well
WAITING: Final = 12_288  # of a part that is merged with others when its day is over: until then each is asked
LEVEL: Final = 3  # of zstd; 9 gains 3 % and takes twice as long
DIGITS: Final = 6  # decimals at most; finer instruments keep their doubles
NARROW, WIDE = 9, 18  # digits of a DECIMAL in four and in eight bytes


BOUNDS: Final = (  # in the order of Part's fields
    "min(device)",
    "max(device)",
    "min(time)",
    "max(time)",
    "min(tick)",
    "max(tick)",
    "max(received)",
)


class Measured(NamedTuple):
    """What rows come to. A point that none of them carries is not in the shape."""

    rows: int
    keys: int
    bounds: tuple[int, ...]
    shape: Shape


class Place(NamedTuple):
    """Where a part goes."""

    folder: Path
    family: Family
    day: int
    n: int


def write(
    con: duckdb.DuckDBPyConnection, rows: str, place: Place, *, settled: bool, group: int
) -> Part | None:
    """Write the rows of a query that has the columns of the family's view; None where it has none.

    Blocks until the file is durable under its name. It belongs to history once the manifest lists it.
    """
    family = place.family
    found = _measure(con, rows, family)
    if not found.rows:
        return None
    keys = found.keys
    source = rows if keys == found.rows else _merged(rows, family)
    head = (family.name, place.day, place.n, settled, keys, 0, "")
    part = Part._make((*head, *found.bounds, found.shape))
    file = place.folder / part.name
    file.parent.mkdir(parents=True, exist_ok=True)
    query = (
        f"SELECT {', '.join(_columns(found.shape))} FROM ({source}) AS r "  # noqa: S608
        f"LEFT JOIN {names.TABLE} AS n ON n.family = '{family.name}' AND n.idx = r.device "
        "ORDER BY r.device, r.time, r.kind"
    )
    done = con.execute(
        f"COPY ({query}) TO {quoted(file)} (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, "
        f"COMPRESSION_LEVEL {LEVEL}, ROW_GROUP_SIZE {group})"
    ).fetchall()
    if done[0][0] != keys:
        raise StoreError(f"{file}: {done[0][0]} rows were written of {keys}")
    size, digest = seal(file, place.folder)
    return part._replace(bytes=size, sha256=digest)


def seal(file: Path, top: Path) -> tuple[int, str]:
    """Make a written file and its name durable; its (bytes, SHA-256)."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        size = os.fstat(opened.fileno()).st_size
    for folder in file.parents:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        if folder == top:
            break
    return size, digest


def _measure(con: duckdb.DuckDBPyConnection, rows: str, family: Family) -> Measured:
    columns = ["count(*)", *BOUNDS]
    for point in family.points:
        name, digits = point.name, _digits(point)
        back = f'TRY_CAST(TRY_CAST("{name}" AS DECIMAL({WIDE}, {digits})) AS DOUBLE)'
        columns += [
            f'count(*) FILTER ("{name}_q" < {int(Quality.ABSENT)})',
            f'coalesce(max(abs("{name}")), 0)',
            f'coalesce(bool_and({back} IS NOT DISTINCT FROM "{name}"), true)',
        ]
    count, *found = con.execute(f"SELECT {', '.join(columns)} FROM ({rows})").fetchall()[0]  # noqa: S608
    bounds, points = tuple(found[: len(BOUNDS)]), found[len(BOUNDS) :]
    keys = con.execute(f"SELECT count(*) FROM (SELECT DISTINCT {tables.KEY} FROM ({rows}))").fetchall()[0][0]  # noqa: S608
    shape = []
    for position, point in enumerate(family.points):
        carried, largest, exact = points[3 * position : 3 * position + 3]
        if carried:
            shape.append((point.name, _type(_digits(point), largest, exact=exact)))
    return Measured(count, keys, bounds, tuple(shape))


def _digits(point: Point) -> int:
    """Decimals of the point's resolution."""
    return min(DIGITS, max(0, round(-math.log10(point.resolution)))) if point.resolution else DIGITS


def _type(digits: int, largest: float, *, exact: bool) -> str:
    if not exact:
        return "DOUBLE"
    return (
        f"DECIMAL({NARROW}, {digits})"
        if largest < 10.0 ** (NARROW - digits)
        else f"DECIMAL({WIDE}, {digits})"
    )


def _columns(shape: Shape) -> list[str]:
    columns = [
        "coalesce(n.id, '#' || r.device) AS device",  # unknown only where its control row is lost
        'r.device AS "index"',
        "r.time AS time",
        "r.received - r.time AS delay",
        "r.tick AS tick",
        "r.kind AS kind",
        "r.flags AS flags",
    ]
    for name, kind in shape:
        columns += [f'CAST(r."{name}" AS {kind}) AS "{name}"', f'r."{name}_q" AS "{name}_q"']
    return columns


def _merged(rows: str, family: Family) -> str:
    """One row a key: no point stands twice in the rows of a key, so any aggregate finds the one there is."""
    columns = [
        f'max("{point.name}") AS "{point.name}", min("{point.name}_q") AS "{point.name}_q"'
        for point in family.points
    ]
    return (
        "SELECT min(tick) AS tick, device, time, min(received) AS received, kind, bit_or(flags) AS flags, "  # noqa: S608
        f"{', '.join(columns)} FROM ({rows}) GROUP BY {tables.KEY}"
    )
