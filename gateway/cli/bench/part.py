"""Parts of history as the compactor leaves them, made of batches: what a month of a city holds, without its month."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb

from drivers.telemetry import DAY, Batch
from gateway.history import parquet
from gateway.history.duck import History
from gateway.history.manifest import Part
from gateway.history.parquet import Place

if TYPE_CHECKING:
    from drivers.telemetry import Int64


def write(
    con: duckdb.DuckDBPyConnection, history: History, batch: Batch, tick: Int64, n: int, *, settled: bool
) -> Part:
    """The rows of one UTC day as a file, not yet listed. tick: of each row. n: number of the part in its day."""
    place = Place(history.shelf.folder, batch.family, int(batch.time[0] // DAY), n)
    names = ", ".join(
        [
            "tick, device, time, received, kind, flags",
            *(
                f'nullif("{p.name}", \'nan\'::DOUBLE) AS "{p.name}", "{p.name}_q"'
                for p in batch.family.points
            ),
        ]
    )
    group = parquet.ROW_GROUP if settled else parquet.WAITING
    con.register("made", _columns(batch, tick))
    try:
        part = parquet.write(con, f"SELECT {names} FROM made", place, settled=settled, group=group)  # noqa: S608
    finally:
        con.unregister("made")
    assert part is not None
    return part


def _columns(batch: Batch, tick: Int64) -> dict[str, Any]:
    """As DuckDB takes them."""
    found: dict[str, Any] = {
        name: getattr(batch, name) for name in ("device", "time", "received", "kind", "flags")
    }
    found["tick"] = tick
    for row, point in enumerate(batch.family.points):
        found[point.name] = batch.values[row]
        found[f"{point.name}_q"] = batch.quality[row]
    return found
