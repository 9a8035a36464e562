"""Operations as one SQLite file, whatever database they live in: as of one moment, while the gateway goes on writing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection, NullPool, create_engine, func, insert, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import StoreError
from gateway.store.migrate import revision_of, upgrade
from gateway.store.schema import metadata

PAGES: Final = 1024  # copied at once
PORTION: Final = 5_000  # rows
BUSY: Final = 30.0  # seconds


class View:
    """What operations are at one moment: that of its making. Raises StoreError."""

    def __init__(self, url: URL) -> None:
        try:
            self._source: _File | _Rows = (
                _File(str(url.database)) if url.get_backend_name() == "sqlite" else _Rows(url)
            )
        except (sqlite3.Error, SQLAlchemyError) as error:
            raise _broken(error) from error

    def copy(self, target: Path) -> None:
        """As an SQLite file."""
        try:
            self._source.copy(target)
        except (sqlite3.Error, SQLAlchemyError) as error:
            raise _broken(error) from error

    def close(self) -> None:
        self._source.close()


def _broken(error: Exception) -> StoreError:
    return StoreError(f"operations cannot be copied: {getattr(error, 'orig', None) or error}")


class _File:
    """A reader's view does not move, so the copy never begins anew, and the writer never waits for it."""

    def __init__(self, path: str) -> None:
        self._reading = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
        self._reading.execute("PRAGMA query_only = ON")
        self._reading.execute("BEGIN")
        self._reading.execute("SELECT count(*) FROM sqlite_master").fetchall()

    def copy(self, target: Path) -> None:
        with closing(sqlite3.connect(target, isolation_level=None)) as writing:
            self._reading.backup(writing, pages=PAGES, sleep=0)
            writing.execute("PRAGMA journal_mode = DELETE").fetchall()  # one file, not three

    def close(self) -> None:
        self._reading.close()


class _Rows:
    """Another database: its rows, in a file of the same schema."""

    def __init__(self, url: URL) -> None:
        engine = create_engine(
            url, poolclass=NullPool, hide_parameters=True, isolation_level="REPEATABLE READ"
        )
        self._reading = engine.connect()
        self._reading.execute(text("SELECT version_num FROM alembic_version")).all()

    def copy(self, target: Path) -> None:
        with file(target) as writing:
            upgrade(writing)
            transfer(self._reading, writing)

    def close(self) -> None:
        self._reading.close()


@contextmanager
def file(path: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, hide_parameters=True)
    with engine.begin() as connection:
        yield connection


def transfer(source: Connection, target: Connection) -> None:
    """Every row of every table into empty tables of the same schema; keys count on from the largest."""
    reading = source.execution_options(yield_per=PORTION)
    for table in metadata.sorted_tables:
        for rows in reading.execute(select(table)).mappings().partitions(PORTION):
            target.execute(insert(table), [dict(row) for row in rows])
        counted = table.autoincrement_column
        if counted is not None and target.dialect.name == "postgresql" and counted.autoincrement is True:
            place = func.pg_get_serial_sequence(f'"{table.name}"', counted.name)
            largest = select(func.coalesce(func.max(counted), 0) + 1).scalar_subquery()
            target.execute(select(func.setval(place, largest, False)))


def is_empty(conn: Connection) -> bool:
    """Whether a database has no table yet."""
    return not inspect(conn).get_table_names()


def counts(conn: Connection) -> dict[str, int]:
    """Rows by table, of the tables of this version that there are."""
    there = set(inspect(conn).get_table_names())
    return {
        table.name: conn.scalar(select(func.count()).select_from(table)) or 0
        for table in metadata.sorted_tables
        if table.name in there
    }


def described(path: Path) -> tuple[str, dict[str, int]]:
    """Of a copy: (revision of its schema, rows by table)."""
    with file(path) as connection:
        return revision_of(connection), counts(connection)


def faults(conn: Connection) -> list[str]:
    """What SQLite finds wrong with its file; nothing for other databases."""
    if conn.dialect.name != "sqlite":
        return []
    found = [str(row[0]) for row in conn.execute(text("PRAGMA quick_check"))]
    return [] if found == ["ok"] else found
