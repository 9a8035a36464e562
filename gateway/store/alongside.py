"""One row that must stand or fall with the first write that is made on its behalf: both are one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")


class Alongside:
    """written: whether a transaction has taken it along, or is about to."""

    def __init__(self, write: Callable[[Connection], None]) -> None:
        self.written = False
        self._write = write

    @contextmanager
    def taken(self) -> Iterator[None]:
        """While a transaction takes it along; it stays so unless that one fails."""
        self.written = True
        try:
            yield
        except BaseException:
            self.written = False
            raise

    def join(self, work: Callable[[Connection], T]) -> Callable[[Connection], T]:
        """`work`, with the row in its transaction."""

        def both(conn: Connection) -> T:
            done = work(conn)
            self._write(conn)
            return done

        return both


ALONGSIDE: Final[ContextVar[Alongside | None]] = ContextVar("alongside", default=None)
