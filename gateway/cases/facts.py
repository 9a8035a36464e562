"""What an alarm copies of its device: read in the transaction that raises it, never a stale copy in memory."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from sqlalchemy import Connection, select

from gateway.cases.record import DeviceFacts
from gateway.store.schema.registry import device
from rules.transition import Transition

PORTION: Final = 500  # indexes in one query


class Facts:
    """Ask for many at once with `prime`; the desk then asks one by one."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], DeviceFacts] = {}

    def prime(self, conn: Connection, transitions: Sequence[Transition]) -> None:
        """Read the devices of everything that is raised; what was known before is forgotten."""
        self._known = {}
        wanted = sorted({(t.family, t.index) for t in transitions if t.raised})
        for family, members in groupby(wanted, key=lambda key: key[0]):
            indexes = [index for _, index in members]
            for start in range(0, len(indexes), PORTION):
                self._read(conn, family, indexes[start : start + PORTION])

    def _read(self, conn: Connection, family: str, indexes: Sequence[int]) -> None:
        c = device.c
        query = select(c.id, c.idx, c.name, c.area, c.lat, c.lon, c.parent)
        for row in conn.execute(query.where(c.family == family, c.idx.in_(indexes))):
            self._known[family, row.idx] = DeviceFacts(
                row.id, row.name, row.area, row.lat, row.lon, row.parent
            )

    def __call__(self, family: str, index: int) -> DeviceFacts | None:
        return self._known.get((family, index))


def grid_of(conn: Connection, name: str) -> str:
    """The cell of the device; "" where nobody said."""
    return conn.scalar(select(device.c.grid).where(device.c.id == name)) or ""
