"""A history as it was kept before all families shared a hot table: one wide table for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from drivers.telemetry import Batch, Family, Quality
from gateway.history import manifest, names
from rules import control

FIXED = "tick BIGINT, device INTEGER, time BIGINT, received BIGINT, kind UTINYINT, flags UTINYINT"


class Former:
    """One that takes commits, in the order of calls."""

    def __init__(self, folder: Path, families: Sequence[Family]) -> None:
        self._con = duckdb.connect(":memory:")
        self._con.execute(f"ATTACH '{folder}/history.duckdb' AS history (ROW_GROUP_SIZE 20480)")
        self._con.execute("CREATE TABLE history.main.control (tick BIGINT, seq INTEGER, content VARCHAR)")
        for family in families:
            points = "".join(
                f', "{point.name}" DOUBLE, "{point.name}_q" UTINYINT DEFAULT {int(Quality.ABSENT)}'
                for point in family.points
            )
            self._con.execute(f'CREATE TABLE history.main."{family.name}" ({FIXED}{points})')
        manifest.ensure(self._con)
        names.ensure(self._con)

    def close(self) -> None:
        self._con.close()

    def execute(self, statement: str) -> None:
        self._con.execute(statement)

    def commit(self, tick: int, batches: Sequence[Batch], controls: Sequence[control.Control] = ()) -> None:
        for batch in batches:
            rows: dict[str, Any] = {
                name: getattr(batch, name) for name in ("device", "time", "received", "kind", "flags")
            }
            for row, point in enumerate(batch.family.points):
                if batch.present()[row].any():
                    rows[point.name], rows[f"{point.name}_q"] = batch.values[row], batch.quality[row]
            columns = ", ".join(f'"{name}"' for name in rows)
            self._con.execute(
                f'INSERT INTO history.main."{batch.family.name}" (tick, {columns}) SELECT {tick}, {columns} FROM rows'
            )
        for seq, row_ in enumerate(controls):
            content = control.encode(row_).decode()
            self._con.execute("INSERT INTO history.main.control VALUES (?, ?, ?)", [tick, seq, content])
