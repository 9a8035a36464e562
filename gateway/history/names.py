"""Which id a device's index stands for, out of the control log itself: parts name their devices without any other store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import duckdb
import numpy as np

from gateway.history.tables import CONTROL
from rules import control

TABLE: Final = "history.main.device"


def ensure(con: duckdb.DuckDBPyConnection) -> None:
    """Create the table; the control log fills it where it was lost."""
    con.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} (family VARCHAR, idx INTEGER, id VARCHAR)")
    if con.execute(f"SELECT count(*) FROM {TABLE}").fetchall() == [(0,)]:  # noqa: S608
        announced = f"SELECT content FROM {CONTROL} WHERE contains(content, '\"devices\"')"  # noqa: S608
        learn(con, [control.decode(content) for (content,) in con.execute(announced).fetchall()])


def learn(con: duckdb.DuckDBPyConnection, controls: Iterable[control.Control]) -> None:
    """Record the devices that these rows announce and that are not known yet."""
    for row in controls:
        if not isinstance(row, control.Devices):
            continue
        told: dict[str, Any] = {
            "idx": np.array([device.index for device in row.rows], np.int32),
            "id": np.array([device.id for device in row.rows], object),
        }
        con.register("told", told)
        con.execute(
            f"INSERT INTO {TABLE} SELECT ?, idx, any_value(id) FROM told "  # noqa: S608
            f"WHERE idx NOT IN (SELECT idx FROM {TABLE} WHERE family = ?) GROUP BY idx",
            [row.family, row.family],
        )
        con.unregister("told")
