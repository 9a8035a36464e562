"""Many rows at once: straight to the driver's executemany, in values that the database takes as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, Table, insert

PORTION: Final = 10_000


def bulk(conn: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows whose values stand in the order of `columns` and need no type's conversion."""
    statement = insert(table).compile(dialect=conn.dialect, column_keys=list(columns))
    order = statement.positiontup
    places = [list(columns).index(name) for name in order or ()]
    remaining = iter(rows)
    while portion := list(islice(remaining, PORTION)):
        if order is None:
            conn.exec_driver_sql(str(statement), [dict(zip(columns, row, strict=True)) for row in portion])
        else:
            conn.exec_driver_sql(str(statement), [tuple(row[place] for place in places) for row in portion])
