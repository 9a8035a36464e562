"""One wide view a family over its hot rows, see gateway.history.hot; and the control rows.

A value that is absent or NaN is NULL, and the quality says which: 255 is absent. Queries ask gateway.history.source for
what stands beside the hot rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import duckdb
import numpy as np

from drivers.telemetry import Batch, Family

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
    """The family's view."""
    return f'{CATALOG}.main."{family.name}"'


def columns(family: Family) -> list[str]:
    """Of the family's view. Raises ValueError where two columns would have one name (DuckDB ignores case)."""
    names = [*FIXED]
    for point in family.points:
        names += [point.name, f"{point.name}_q"]
    if len({name.casefold() for name in names}) != len(names):
        raise ValueError(f"family {family.name!r}: two of its points would share a column")
    return names


def ensure(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(f"CREATE TABLE IF NOT EXISTS {CONTROL} (tick BIGINT, seq INTEGER, content VARCHAR)")


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
