"""The devices of one family by index, as columns: a million of them, where a million objects would be dear.

What many devices share (product, area, link) stands once; an index without a device has no id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from msgspec import Struct

if TYPE_CHECKING:
    from drivers.telemetry import Bool, Int32, UInt8

DIGEST: Final = 32  # bytes


class Entry(Struct, frozen=True, gc=False):
    """What ingest needs to know of a device; an index that it held in another family has a retired entry of its own."""

    id: str
    family: str
    index: int
    product: str
    area: str
    retired: bool
    digest: bytes
    link: str = ""  # of which broker, where one stands between


class Portion(NamedTuple):
    """Some devices of one family, column by column. traits: product, area and link, a line each."""

    family: str
    ids: Sequence[str]
    indexes: Sequence[int]
    traits: Sequence[str]
    retired: Sequence[bool]
    digests: Sequence[bytes]


def portions(entries: Iterable[Entry]) -> list[Portion]:
    """Entries as columns, a family each."""
    families: dict[str, list[Entry]] = {}
    for entry in entries:
        families.setdefault(entry.family, []).append(entry)
    return [
        Portion(
            family,
            [one.id for one in mine],
            [one.index for one in mine],
            [f"{one.product}\n{one.area}\n{one.link}" for one in mine],
            [one.retired for one in mine],
            [one.digest for one in mine],
        )
        for family, mine in families.items()
    ]


class Members:
    """Columns by index, with room for more than `len`."""

    def __init__(self, family: str) -> None:
        self.family = family
        self.ids: list[str | None] = []
        self._traits: list[list[str]] = []
        self._number: dict[str, int] = {}
        self._trait: Int32 = np.zeros(0, np.int32)
        self._alive: Bool = np.zeros(0, bool)
        self._digest: UInt8 = np.zeros((0, DIGEST), np.uint8)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def alive(self) -> int:
        """How many are in service."""
        return int(np.count_nonzero(self._alive))

    def entry(self, index: int) -> Entry | None:
        """The device that has, or had, this index."""
        name = self.ids[index] if 0 <= index < len(self.ids) else None
        if name is None:
            return None
        product, area, link = self._traits[self._trait[index]]
        retired = not self._alive[index]
        return Entry(name, self.family, index, product, area, retired, self._digest[index].tobytes(), link)

    def load(self, portion: Portion) -> None:
        """New or changed devices, many at once."""
        indexes = list(portion.indexes)
        self._reserve(max(indexes, default=-1) + 1)
        self._place(indexes, portion.ids)
        for new in set(portion.traits) - self._number.keys():
            self._number[new] = len(self._traits)
            self._traits.append(new.split("\n"))
        self._trait[indexes] = [self._number[trait] for trait in portion.traits]
        self._alive[indexes] = ~np.array(portion.retired, bool)
        digests = b"".join([digest.ljust(DIGEST, b"\0") for digest in portion.digests])
        self._digest[indexes] = np.frombuffer(digests, np.uint8).reshape(-1, DIGEST)

    def _place(self, indexes: list[int], ids: Sequence[str]) -> None:
        first = indexes[0] if indexes else 0
        if indexes == list(range(first, first + len(indexes))):
            self.ids[first : first + len(ids)] = ids
            return
        for index, name in zip(indexes, ids, strict=True):
            self.ids[index] = name

    def leave(self, index: int) -> None:
        """Its device has gone to another family; the index stays its own."""
        self._alive[index] = False
        self._digest[index] = 0

    def _reserve(self, size: int) -> None:
        self.ids.extend([None] * (size - len(self.ids)))
        have = len(self._alive)
        if size > have:
            room = max(size, have * 3 // 2, 64)
            self._trait = np.concatenate([self._trait, np.zeros(room - have, np.int32)])
            self._alive = np.concatenate([self._alive, np.zeros(room - have, bool)])
            self._digest = np.concatenate([self._digest, np.zeros((room - have, DIGEST), np.uint8)])
