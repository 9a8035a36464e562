"""The one view of a family: its hot rows and its listed parts, under the columns of its table.

Built for each question from the manifest, so that only parts that may answer it are opened. Ask within one transaction:
then no row is seen twice or missed while compaction moves it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb

from drivers.telemetry import Family, Quality
from gateway.history import manifest, tables
from gateway.history.manifest import Part, Shape

EVER: Final = 2**62


class Scope(NamedTuple):
    """What a question is about: t0 ≤ time < t1 (µs UTC), after < tick ≤ until, one device or any."""

    t0: int = -EVER
    t1: int = EVER
    device: int | None = None
    after: int = -1
    until: int = EVER


class Shelf:
    """Where a history keeps its parts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, part: Part) -> Path:
        return self.folder / part.name

    def parts(self, con: duckdb.DuckDBPyConnection, family: Family, scope: Scope) -> list[Part]:
        """The parts that may hold rows of the scope."""
        where = "family = ? AND last_time >= ? AND first_time < ? AND last_tick > ? AND first_tick <= ?"
        given: list[Any] = [family.name, scope.t0, scope.t1, scope.after, scope.until]
        if scope.device is not None:
            where += " AND first_device <= ? AND last_device >= ?"
            given += [scope.device, scope.device]
        return manifest.listed(con, where, given)

    def view(self, con: duckdb.DuckDBPyConnection, family: Family, scope: Scope) -> str:
        """A FROM item; it may hold rows outside of the scope, too."""
        cold = self.cold(family, self.parts(con, family, scope))
        if not cold:
            return tables.table(family)
        names = ", ".join(f'"{name}"' for name in tables.columns(family))
        return f"(SELECT {names} FROM {tables.table(family)} UNION ALL {cold})"  # noqa: S608

    def cold(self, family: Family, parts: Iterable[Part]) -> str:
        """A query of all rows of these parts; "" without one."""
        files: dict[Shape, list[str]] = defaultdict(list)
        for part in parts:
            files[part.shape].append(quoted(self.path(part)))
        return " UNION ALL ".join(
            f"SELECT {', '.join(_columns(family, shape))} FROM read_parquet([{', '.join(names)}])"  # noqa: S608
            for shape, names in files.items()
        )


def quoted(path: Path) -> str:
    """As a string of SQL."""
    return "'" + str(path).replace("'", "''") + "'"


def _columns(family: Family, shape: Shape) -> list[str]:
    """The table's columns out of a part's: see gateway.history.parquet for what it leaves out and how it writes the rest."""
    columns = ["tick", '"index" AS device', "time", "time + delay AS received", "kind", "flags"]
    written = dict(shape)
    for point in family.points:
        name = point.name
        if name in written:
            columns += [f'CAST("{name}" AS DOUBLE) AS "{name}"', f'"{name}_q"']
        else:
            absent = f"{int(Quality.ABSENT)}::UTINYINT"
            columns += [f'NULL::DOUBLE AS "{name}"', f'{absent} AS "{name}_q"']
    return columns
