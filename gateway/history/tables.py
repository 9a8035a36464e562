"""One wide table a family; a batch goes in and comes out as it was, column by column.

A value that is absent or NaN is NULL in the table, and the quality says which: 255 is absent. The table holds the hot
rows only: queries ask gateway.history.source for what stands beside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import duckdb
import numpy as np

from drivers.telemetry import Batch, Family, Quality

if TYPE_CHECKING:
    import numpy.typing as npt

    from drivers.telemetry import Float64, Int64, UInt8

    Fetched = dict[str, Any]
    Rows = npt.NDArray[np.intp]

CATALOG: Final = "history"
NAN: Final = "'nan'::DOUBLE"
CONTROL: Final = f"{CATALOG}.main.control"
KEY: Final = "device, time, kind"
FIXED: Final = {
    "tick": "BIGINT",
    "device": "INTEGER",
    "time": "BIGINT",
    "received": "BIGINT",
    "kind": "UTINYINT",
    "flags": "UTINYINT",
}


def table(family: Family) -> str:
    return f'{CATALOG}.main."{family.name}"'


def columns(family: Family) -> dict[str, str]:
    """Column name → type. Raises ValueError where two columns would have one name (DuckDB ignores case)."""
    named = dict(FIXED)
    for point in family.points:
        named[point.name] = "DOUBLE"
        named[f"{point.name}_q"] = f"UTINYINT DEFAULT {int(Quality.ABSENT)}"
    if len({name.casefold() for name in named}) != len(FIXED) + 2 * len(family):
        raise ValueError(f"family {family.name!r}: two of its points would share a column")
    return named


def ensure(con: duckdb.DuckDBPyConnection, families: Iterable[Family]) -> None:
    """Create what is missing; a point that a family has gained becomes a column that older rows do not carry."""
    con.execute(f"CREATE TABLE IF NOT EXISTS {CONTROL} (tick BIGINT, seq INTEGER, content VARCHAR)")
    for family in families:
        wanted = columns(family)
        declared = ", ".join(f'"{name}" {kind}' for name, kind in wanted.items())
        con.execute(f"CREATE TABLE IF NOT EXISTS {table(family)} ({declared})")
        found = {row[0] for row in con.execute(f"DESCRIBE {table(family)}").fetchall()}
        for name in wanted.keys() - found:
            con.execute(f'ALTER TABLE {table(family)} ADD COLUMN "{name}" {wanted[name]}')


def insert(con: duckdb.DuckDBPyConnection, tick: int, batch: Batch) -> None:
    """Append the rows in their order. Points that no row carries are left to the column's default."""
    rows: dict[str, Any] = {
        "device": batch.device,
        "time": batch.time,
        "received": batch.received,
        "kind": batch.kind,
        "flags": batch.flags,
    }
    for row in np.flatnonzero(batch.present().any(axis=1)).tolist():
        name = batch.family.points[row].name
        rows[name] = batch.values[row]
        rows[f"{name}_q"] = batch.quality[row]
    rows = {name: np.ascontiguousarray(column) for name, column in rows.items()}
    names = ", ".join(f'"{name}"' for name in rows)
    # DuckDB finds the dict `rows` by its name; names of columns are declared by the family
    con.execute(f"INSERT INTO {table(batch.family)} (tick, {names}) SELECT {tick:d}, {names} FROM rows")  # noqa: S608


def insert_control(con: duckdb.DuckDBPyConnection, tick: int, contents: Sequence[str]) -> None:
    """Append control rows in their order."""
    rows = {"seq": np.arange(len(contents), dtype=np.int32), "content": np.array(contents, dtype=object)}
    con.execute(f"INSERT INTO {CONTROL} SELECT {tick:d}, {', '.join(rows)} FROM rows")  # noqa: S608


def probe(con: duckdb.DuckDBPyConnection) -> None:
    """Change something that means nothing: a commit after it writes to the disk."""
    con.execute(f"CREATE TABLE IF NOT EXISTS {CATALOG}.main.probe AS SELECT 0::BIGINT AS n")
    con.execute(f"UPDATE {CATALOG}.main.probe SET n = n + 1")  # noqa: S608


def selection(points: Iterable[str]) -> str:
    """The SELECT list that `matrix` reads: NULL comes as NaN, so no masked array is ever made."""
    names = [f'coalesce("{name}", \'nan\'::DOUBLE) AS "{name}", "{name}_q"' for name in points]
    return ", ".join([*FIXED, *names])


def matrix(found: Fetched, points: Sequence[str]) -> tuple[Float64, UInt8]:
    """values float64[point, n] and quality uint8[point, n] of fetched columns."""
    n = len(found["time"])
    values, quality = np.empty((len(points), n)), np.empty((len(points), n), np.uint8)
    for row, name in enumerate(points):
        values[row] = found[name]
        quality[row] = found[f"{name}_q"]
    return values, quality


def fetch(con: duckdb.DuckDBPyConnection, family: Family, rest: str) -> tuple[Int64, Batch]:
    """(tick of each row, rows); `rest` is the query from its FROM on."""
    names = [point.name for point in family.points]
    found = con.execute(f"SELECT {selection(names)} {rest}").fetchnumpy()
    values, quality = matrix(found, names)
    batch = Batch(
        family,
        found["device"],
        found["time"],
        found["received"],
        found["kind"],
        found["flags"],
        values,
        quality,
    )
    return found["tick"], batch


def committed(con: duckdb.DuckDBPyConnection, family: Family, after: int, until: int) -> tuple[Int64, Batch]:
    """(tick of each row, rows) of after < tick ≤ until in order of commit."""
    return fetch(
        con, family, f"FROM {table(family)} WHERE tick > {after:d} AND tick <= {until:d} ORDER BY rowid"
    )


def known(con: duckdb.DuckDBPyConnection, view: str, batch: Batch) -> Rows:
    """Positions of the rows whose key the view holds."""
    keys = _keys(batch)  # noqa: F841 - the query names it
    found = con.execute(
        f"SELECT DISTINCT place FROM {view} JOIN keys USING ({KEY}) {_between(batch)}"  # noqa: S608
    ).fetchnumpy()
    return np.sort(found["place"])


def rows_of(con: duckdb.DuckDBPyConnection, view: str, batch: Batch) -> Batch:
    """Every row of the view that has the key of one of these."""
    con.register("keys", _keys(batch))
    try:
        return fetch(con, batch.family, f"FROM {view} SEMI JOIN keys USING ({KEY}) {_between(batch)}")[1]
    finally:
        con.unregister("keys")


def _keys(batch: Batch) -> dict[str, Any]:
    return {"place": np.arange(len(batch)), "device": batch.device, "time": batch.time, "kind": batch.kind}


def _between(batch: Batch) -> str:
    """Lets DuckDB skip what is older or newer than every key."""
    return f"WHERE time BETWEEN {batch.time.min():d} AND {batch.time.max():d}"


def delete(con: duckdb.DuckDBPyConnection, family: Family, until: int, before: int) -> None:
    """Rows of tick ≤ until and time < before are hot no longer."""
    con.execute(f"DELETE FROM {table(family)} WHERE tick <= {until:d} AND time < {before:d}")  # noqa: S608


def newest(con: duckdb.DuckDBPyConnection, family: Family) -> tuple[int, int]:
    """(newest tick, newest receive time); zeros where the table is empty."""
    query = f"SELECT coalesce(max(tick), 0), coalesce(max(received), 0) FROM {table(family)}"  # noqa: S608
    tick, received = con.execute(query).fetchall()[0]
    return tick, received


def newest_control(con: duckdb.DuckDBPyConnection) -> int:
    """The newest tick with a control row, or 0."""
    tick: int = con.execute(f"SELECT coalesce(max(tick), 0) FROM {CONTROL}").fetchall()[0][0]  # noqa: S608
    return tick


def committed_controls(con: duckdb.DuckDBPyConnection, after: int, until: int) -> dict[int, list[str]]:
    """Tick → contents of its control rows in order, of after < tick ≤ until."""
    query = (
        f"SELECT tick, content FROM {CONTROL} WHERE tick > {after:d} AND tick <= {until:d} ORDER BY tick, seq"  # noqa: S608
    )
    found: dict[int, list[str]] = defaultdict(list)
    for tick, content in con.execute(query).fetchall():
        found[tick].append(content)
    return found
