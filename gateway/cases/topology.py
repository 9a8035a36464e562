"""Who stands below whom: lamp < loop < cabinet, station < site, space < lot. Read in the transaction that asks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Final

from sqlalchemy import Connection, select

from gateway.store.schema.registry import device

DEPTH: Final = 8  # devices above one another; what is higher up explains nothing
CHUNK: Final = 500  # values in one IN list


class Topology:
    """What one transaction has learnt of it."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._parents: dict[str, str] = {"": ""}

    def learn(self, names: Iterable[str]) -> None:
        """Everything above these devices, a level at a time."""
        wanted = set(names) - self._parents.keys()
        for _ in range(DEPTH):
            if not wanted:
                return
            found = dict.fromkeys(wanted, "")
            for chunk in _chunks(wanted):
                query = select(device.c.id, device.c.parent).where(device.c.id.in_(chunk))
                found.update((row.id, row.parent) for row in self._conn.execute(query))
            self._parents |= found
            wanted = set(found.values()) - self._parents.keys()

    def from_(self, name: str) -> tuple[str, ...]:
        """The device and what stands above it, nearest first; only what was learnt."""
        chain: list[str] = []
        while name and name not in chain and len(chain) < DEPTH:
            chain.append(name)
            name = self._parents.get(name, "")
        return tuple(chain)

    def below(self, tops: Iterable[str]) -> list[tuple[str, int]]:
        """Family and index of every device below these."""
        found: dict[str, tuple[str, int]] = {}
        level = set(tops)
        for _ in range(DEPTH):
            fresh: set[str] = set()
            for chunk in _chunks(level):
                query = select(device.c.id, device.c.family, device.c.idx).where(device.c.parent.in_(chunk))
                for name, family, index in self._conn.execute(query):
                    if name not in found:
                        found[name] = (family, index)
                        fresh.add(name)
            if not fresh:
                break
            level = fresh
        return list(found.values())


def _chunks(values: Collection[str]) -> Iterator[list[str]]:
    source = iter(sorted(values))
    while chunk := list(islice(source, CHUNK)):
        yield chunk
