"""Which Parquet parts belong to history. A part counts from the transaction that lists it here, and until one drops it.

The list lies in the database beside the rows that are still hot, so one transaction moves rows from there to here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb
import msgspec

CATALOG: Final = "history"
TABLE: Final = f"{CATALOG}.main.part"
EPOCH: Final = date(1970, 1, 1)

Shape = tuple[tuple[str, str], ...]  # (point, type of its column) in the order of the columns


class Part(NamedTuple):
    """One file. day: UTC, days since the epoch. settled: nothing of its day waits to be merged with it.

    first_… and last_… are those of its rows, inclusive; times µs UTC.
    """

    family: str
    day: int
    n: int
    settled: bool
    rows: int
    bytes: int
    sha256: str
    first_device: int
    last_device: int
    first_time: int
    last_time: int
    first_tick: int
    last_tick: int
    last_received: int
    shape: Shape

    @property
    def name(self) -> str:
        """Its path below the folder of the history."""
        return f"{self.family}/{EPOCH + timedelta(days=self.day)}/{self.n}.parquet"


COLUMNS: Final = {
    "family": "VARCHAR",
    "day": "INTEGER",
    "n": "INTEGER",
    "settled": "BOOLEAN",
    "rows": "BIGINT",
    "bytes": "BIGINT",
    "sha256": "VARCHAR",
    "first_device": "INTEGER",
    "last_device": "INTEGER",
    "first_time": "BIGINT",
    "last_time": "BIGINT",
    "first_tick": "BIGINT",
    "last_tick": "BIGINT",
    "last_received": "BIGINT",
    "shape": "VARCHAR",
}


def ensure(con: duckdb.DuckDBPyConnection) -> None:
    declared = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    con.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} ({declared})")


def listed(con: duckdb.DuckDBPyConnection, where: str = "true", given: Sequence[Any] = ()) -> list[Part]:
    """The parts that meet the condition, by family, day and number."""
    query = f"SELECT {', '.join(COLUMNS)} FROM {TABLE} WHERE {where} ORDER BY family, day, n"  # noqa: S608
    rows = con.execute(query, list(given)).fetchall()
    return [Part._make((*row[:-1], msgspec.json.decode(row[-1], type=Shape))) for row in rows]


def add(con: duckdb.DuckDBPyConnection, parts: Iterable[Part]) -> None:
    marks = ", ".join("?" * len(COLUMNS))
    for part in parts:
        shape = msgspec.json.encode(part.shape).decode()
        con.execute(f"INSERT INTO {TABLE} VALUES ({marks})", [*part[:-1], shape])  # noqa: S608


def drop(con: duckdb.DuckDBPyConnection, parts: Iterable[Part]) -> None:
    for part in parts:
        con.execute(
            f"DELETE FROM {TABLE} WHERE family = ? AND day = ? AND n = ?",  # noqa: S608
            [part.family, part.day, part.n],
        )


def newest(con: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """(newest tick, newest receive time) in any part; zeros without one."""
    query = f"SELECT coalesce(max(last_tick), 0), coalesce(max(last_received), 0) FROM {TABLE}"  # noqa: S608
    tick, received = con.execute(query).fetchall()[0]
    return tick, received


def orphans(folder: Path, families: Iterable[str], parts: Iterable[Part]) -> list[Path]:
    """Files where parts lie that no part names: what a kill left behind."""
    known = {folder / part.name for part in parts}
    return [
        file
        for family in families
        for file in sorted((folder / family).glob("*/*"))
        if file.is_file() and file not in known
    ]
