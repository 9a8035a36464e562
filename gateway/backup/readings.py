"""History up to a tick as files, slice by slice: no question to it takes long, and none holds it still.

What is still hot is written as Parquet, column by column as it stands in the table; parts are taken as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import duckdb
import numpy as np

from drivers.telemetry import HOUR, Family
from gateway.history import hot, manifest, names, tables
from gateway.history.duck import ROW_GROUP
from gateway.history.manifest import Part
from gateway.history.source import Scope, Shelf, quoted

SLICE: Final = 100_000  # rows; a single tick may have more
MEMORY: Final = 512  # MiB for a rebuild

Hours = dict[int, int]  # rows by hour since the epoch


def slices(con: duckdb.DuckDBPyConnection, table: str, until: int) -> list[tuple[int, int]]:
    """Spans of ticks, after < tick ≤ last, that together hold every row of the table up to `until`."""
    found = con.execute(
        f"SELECT tick, count(*) AS n FROM {table} WHERE tick <= {until:d} GROUP BY tick ORDER BY tick"  # noqa: S608
    ).fetchnumpy()
    ticks, chunk = found["tick"], np.cumsum(found["n"]) // SLICE
    last = ticks[np.flatnonzero(np.diff(chunk, append=-1))].tolist()
    return list(zip([-1, *last], last, strict=False))


def write_hot(con: duckdb.DuckDBPyConnection, family: Family, span: tuple[int, int], path: Path) -> Hours:
    """A family's rows of a span of ticks in order of commit; no file where there are none."""
    where = f"{tables.table(family)} WHERE tick > {span[0]:d} AND tick <= {span[1]:d}"
    counted = hours(con, where)
    if counted:
        _write(con, f"SELECT * FROM {where}", path)  # noqa: S608
    return counted


def write_controls(con: duckdb.DuckDBPyConnection, span: tuple[int, int], path: Path) -> int:
    """Control rows of a span of ticks; how many they are."""
    where = f"tick > {span[0]:d} AND tick <= {span[1]:d}"
    return _write(con, f"SELECT * FROM {tables.CONTROL} WHERE {where} ORDER BY tick, seq", path)  # noqa: S608


def _write(con: duckdb.DuckDBPyConnection, rows: str, path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    written: int = con.execute(
        f"COPY ({rows}) TO {quoted(path)} (FORMAT parquet, COMPRESSION zstd)"
    ).fetchall()[0][0]
    return written


def hours(con: duckdb.DuckDBPyConnection, source: str) -> Hours:
    """source: a FROM item, with its condition."""
    return dict(con.execute(f"SELECT time // {HOUR} AS hour, count(*) FROM {source} GROUP BY 1").fetchall())  # noqa: S608


def part_hours(con: duckdb.DuckDBPyConnection, path: Path) -> Hours:
    return hours(con, f"read_parquet({quoted(path)})")


def total(counted: Iterable[Hours]) -> Hours:
    together: Counter[int] = Counter()
    for each in counted:
        together.update(each)
    return dict(sorted(together.items()))


def rebuild(
    folder: Path,
    families: Mapping[str, Family],
    parts: Iterable[Part],
    controls: Iterable[Path],
    slices: Iterable[Mapping[str, Path]],
) -> None:
    """A history out of its files, in order of commit: control rows, slices of hot rows by family. Parts lie in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(
        ":memory:", config={"memory_limit": f"{MEMORY}MB", "temp_directory": str(folder / "spill")}
    ) as con:
        file = quoted(folder / "history.duckdb")
        con.execute(f"ATTACH {file} AS {tables.CATALOG} (ROW_GROUP_SIZE {ROW_GROUP})")
        tables.ensure(con)
        layout = hot.ensure(con, families.values())
        manifest.ensure(con)
        for path in controls:
            con.execute(f"INSERT INTO {tables.CONTROL} BY NAME SELECT * FROM read_parquet({quoted(path)})")  # noqa: S608
        for files in slices:
            hot.fill(con, layout, {name: _rows(path) for name, path in files.items()})
        manifest.add(con, parts)
        names.ensure(con)
        con.execute(f"CHECKPOINT {tables.CATALOG}")
        con.execute(f"DETACH {tables.CATALOG}")


def _rows(path: Path) -> str:
    """Rows of a slice, with their place in it."""
    return f"SELECT *, file_row_number AS place FROM read_parquet({quoted(path)}, file_row_number = true)"  # noqa: S608


def counted(con: duckdb.DuckDBPyConnection, families: Mapping[str, Family], shelf: Shelf) -> dict[str, Hours]:
    """Rows of a whole history by family and hour; families without rows are left out."""
    found = {name: hours(con, shelf.view(con, family, Scope())) for name, family in families.items()}
    return {name: dict(sorted(each.items())) for name, each in found.items() if each}
