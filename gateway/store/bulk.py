"""Many rows at once, straight to the driver or from it: in values as the database has them, without conversion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, insert

from gateway.errors import StoreError

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


def stream(conn: Connection, query: Select[Any]) -> Iterator[Sequence[Any]]:
    """The rows of a query, so many at a time that a million of them need neither memory nor an object each."""
    statement = str(query.compile(dialect=conn.dialect, compile_kwargs={"literal_binds": True}))
    named = {} if conn.dialect.name == "sqlite" else {"name": "stream"}  # else the server would send them all
    driver: Any = conn.dialect.loaded_dbapi
    try:
        with closing(conn.connection.cursor(**named)) as cursor:
            cursor.execute(statement)
            while rows := cursor.fetchmany(PORTION):
                yield rows
    except driver.Error as error:
        raise StoreError(f"operations cannot be used: {error}") from error
