"""Operations in SQL: one writer connection in one writer thread, readers beside it; a transaction is all or nothing.

A write that returned is on the disk. One that raised StoreError has changed nothing, except that a server that fails
while it commits may have kept it: whoever tries again must find by what it writes that it is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.pool import QueuePool

from gateway.errors import StoreError
from gateway.store.alongside import ALONGSIDE
from gateway.store.migrate import upgrade

T = TypeVar("T")

READERS: Final = 2
BUSY: Final = 5.0  # seconds; only another process (a backup, the command line) can hold the file
COLLISIONS: Final = {"40001", "40P01"}  # PostgreSQL took the other transaction; ours is to be run again
ATTEMPTS: Final = 5
SERVER: Final = {  # libpq's words, where the URL does not say otherwise: of several hosts the one that takes writes,
    "target_session_attrs": "read-write",
    "connect_timeout": 2,  # and no more than some seconds lost to one that is silent
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}


class Store:
    """`url` names the database: "sqlite:////path/operations.sqlite" by default, or "postgresql://user@host/name".

    "postgresql://user@/name?host=a:5432&host=b:5432" are a primary and its standby, whichever of them it is.
    """

    def __init__(self, url: str, readers: int = READERS) -> None:
        self.url = make_url(url)
        if self.url.drivername == "postgresql":
            self.url = self.url.set(drivername="postgresql+psycopg")
        self._writer = self._engine(writing=True, size=1)
        self._reader = self._engine(writing=False, size=readers)
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._reading = ThreadPoolExecutor(readers, thread_name_prefix="store-reader")

    def _engine(self, *, writing: bool, size: int) -> Engine:
        if self.url.get_backend_name() != "sqlite":
            engine = create_engine(
                self.url,
                pool_size=size,
                max_overflow=0,
                pool_pre_ping=True,
                hide_parameters=True,
                connect_args={name: value for name, value in SERVER.items() if name not in self.url.query},
            )
            if not writing:
                event.listen(engine, "begin", _begin_viewing)
            return engine
        if not self.url.database or self.url.database == ":memory:":
            raise ValueError(
                "operations need a file: an SQLite database in memory is another one in each thread"
            )
        engine = create_engine(
            self.url,
            poolclass=QueuePool,
            pool_size=size,
            max_overflow=0,
            hide_parameters=True,  # digests and payloads do not belong in a log
            connect_args={"timeout": BUSY, "check_same_thread": False},
        )
        event.listen(engine, "connect", _prepare_writer if writing else _prepare_reader)
        event.listen(engine, "begin", _begin_writing if writing else _begin_reading)
        return engine

    async def open(self) -> None:
        """Connect, creating the file where there is none; raises StoreError."""
        if self.url.get_backend_name() == "sqlite":
            Path(str(self.url.database)).parent.mkdir(parents=True, exist_ok=True)
        await self.write(lambda _: None)

    async def migrate(self) -> None:
        """Bring the schema to this version's."""
        await self.write(upgrade)

    async def close(self) -> None:
        """Finish what was begun; connections and threads are gone afterwards."""
        for pool, engine in ((self._reading, self._reader), (self._writing, self._writer)):
            await asyncio.to_thread(pool.shutdown)
            engine.dispose()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction in the writer thread; any error rolls it back.

        `work` may run more than once, each time from the beginning, where transactions collide.
        """
        beside = ALONGSIDE.get()
        if beside is None or beside.written:
            return await self._run(work)
        with beside.taken():
            return await self._run(beside.join(work))

    async def _run(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writing, _transact, self._writer, work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a reader thread, on one consistent view; it must not write."""
        return await asyncio.get_running_loop().run_in_executor(self._reading, _transact, self._reader, work)


def _transact(engine: Engine, work: Callable[[Connection], T]) -> T:
    for attempt in range(ATTEMPTS):
        try:
            with engine.begin() as connection:
                return work(connection)
        except (IntegrityError, ProgrammingError):
            raise  # the caller's to explain: a twin, a fault of ours
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in COLLISIONS or attempt + 1 == ATTEMPTS:
                raise StoreError(f"operations cannot be used: {error.orig}") from error
    raise AssertionError("every attempt returns or raises")


def _prepare_writer(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say, not at the driver's first statement
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _prepare_reader(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA query_only = ON").close()


def _begin_writing(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_viewing(connection: Connection) -> None:
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
