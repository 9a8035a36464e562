"""What a backup holds: `backup.json`, written last. Where it is missing, the backup was not finished."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from gateway.errors import StoreError
from gateway.history.manifest import Part

NAME: Final = "backup.json"
FORMAT: Final = 1
OPERATIONS: Final = "operations.sqlite"
CONTROLS: Final = "history/control"  # folders of Parquet slices, in order of commit
HOT: Final = "history/hot"
PARTS: Final = "history/parts"
SNAPSHOTS: Final = "snapshots"
PHOTOS: Final = "photos"
DATA: Final = "data"  # what else lay at the top of the data folder: cursors, keys


class File(Struct, frozen=True):
    """name: path inside the backup."""

    name: str
    bytes: int
    sha256: str


class Ticks(Struct, frozen=True):
    """snapshot ≤ operations ≤ history: what lies between is replayed from history after a restore.

    Operations hold every change that history knew by their tick; history holds every tick up to its own.
    """

    snapshot: int
    operations: int
    history: int


class Inventory(Struct, frozen=True, kw_only=True):
    """time: city time at its end, µs UTC; made: the same for people.

    rows: of history by family and hour since the epoch. tables: rows of operations by table.
    """

    format: int = FORMAT
    version: str
    schema: str
    made: str
    time: int
    ticks: Ticks
    rows: dict[str, dict[int, int]]
    controls: int
    tables: dict[str, int]
    parts: list[Part]
    files: list[File]


class _Head(Struct):
    format: int


def encode(inventory: Inventory) -> bytes:
    return msgspec.json.format(msgspec.json.encode(inventory), indent=1)


def decode(text: bytes) -> Inventory:
    """Raises StoreError where it is not one that this version reads."""
    try:
        written = msgspec.json.decode(text, type=_Head).format
        if written != FORMAT:
            raise StoreError(f"{NAME}: format {written}; this citygate reads format {FORMAT}")
        return msgspec.json.decode(text, type=Inventory)
    except (msgspec.DecodeError, RecursionError) as error:
        raise StoreError(f"{NAME}: not the inventory of a backup: {error}") from error
