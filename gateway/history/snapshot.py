"""Derived state as of a tick, on disk whole or not at all: written aside, fsynced, renamed; checksummed.

Of two kept files the newest undamaged one counts; without any, history is replayed from its start.
"""

from __future__ import annotations

import logging
import math
import os
import zlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import msgspec
import numpy as np

log = logging.getLogger(__name__)

MAGIC: Final = b"citygate snapshot 2\n"
ALIGN: Final = 64
ARRAY: Final = 1  # msgpack extension: an array, named by its position in the list of arrays
COUNT: Final = 8  # bytes of a length
CHECK: Final = 4  # bytes of the CRC-32 over all that precedes it


class Snapshot(NamedTuple):
    tick: int
    parts: dict[str, Any]


class Damaged(ValueError):  # noqa: N818 - a verdict on a file
    """The file is not a whole snapshot."""


class _Shape(msgspec.Struct):
    """Where an array stands, relative to the end of the head."""

    dtype: str
    shape: tuple[int, ...]
    start: int


class _Head(msgspec.Struct):
    tick: int
    tree: msgspec.Raw
    arrays: list[_Shape]


def save(folder: Path, tick: int, parts: dict[str, Any], keep: int = 2) -> None:
    """Write the state as of `tick`: nested dicts and lists of numpy arrays, str, bytes, int, float, bool and None.

    Blocks until it is durable; then all but the newest `keep` are deleted. Raises OSError, TypeError for other content.
    """
    arrays: list[np.ndarray[Any, Any]] = []

    def aside(value: object) -> object:
        if isinstance(value, np.generic):
            return value.item()
        if not isinstance(value, np.ndarray) or value.dtype.hasobject or value.dtype.names:
            raise TypeError(f"a snapshot cannot hold {type(value).__name__}")
        arrays.append(np.ascontiguousarray(value).reshape(value.shape))
        return msgspec.msgpack.Ext(ARRAY, (len(arrays) - 1).to_bytes(COUNT, "little"))

    tree = msgspec.msgpack.encode(parts, enc_hook=aside)
    shapes, end = [], 0
    for array in arrays:
        shapes.append(_Shape(array.dtype.str, array.shape, end))
        end += _padded(array.nbytes)
    head = msgspec.msgpack.encode(_Head(tick, msgspec.Raw(tree), shapes))
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"snapshot-{tick:020d}.bin"
    aside_file = folder / "snapshot.new"
    with aside_file.open("wb") as file:
        _write(file, head, arrays)
        os.fsync(file.fileno())
    aside_file.replace(target)
    _sync(folder)
    for old in _files(folder)[keep:]:
        old.unlink()


def load(folder: Path) -> Snapshot | None:
    """The newest snapshot that is whole; None without one."""
    return next(whole(folder), None)


def whole(folder: Path) -> Iterator[Snapshot]:
    """Those that are whole, newest first. Their arrays are writable."""
    for path in _files(folder):
        try:
            yield _read(path)
        except (OSError, msgspec.MsgspecError, ValueError, TypeError, LookupError) as error:
            log.warning("snapshot %s is passed over: %s", path.name, error)


def newest_tick(folder: Path) -> int:
    """The tick that the newest snapshot names; 0 without one."""
    return max((tick_of(path) for path in _files(folder)), default=0)


def tick_of(path: Path) -> int:
    """The tick that the name of a snapshot says."""
    return int(path.stem.rpartition("-")[2])


def _files(folder: Path) -> list[Path]:
    """Newest first."""
    return sorted(folder.glob("snapshot-*.bin"), reverse=True)


def _padded(size: int) -> int:
    return -(-size // ALIGN) * ALIGN


def _write(file: BinaryIO, head: bytes, arrays: list[np.ndarray[Any, Any]]) -> None:
    check = 0
    opening = MAGIC + len(head).to_bytes(COUNT, "little") + head
    pieces: list[bytes | memoryview] = [opening, bytes(_padded(len(opening)) - len(opening))]
    for array in arrays:
        pieces += [array.reshape(-1).view(np.uint8).data, bytes(_padded(array.nbytes) - array.nbytes)]
    for piece in pieces:
        check = zlib.crc32(piece, check)
        file.write(piece)
    file.write(check.to_bytes(CHECK, "little"))
    file.flush()


def _read(path: Path) -> Snapshot:
    """Every array has memory of its own, so that what is not kept is free at once."""
    with path.open("rb") as file:
        checked = _Checked(file)
        if checked.read(len(MAGIC)) != MAGIC:
            raise Damaged("it is no snapshot of this version")
        length = int.from_bytes(checked.read(COUNT), "little")
        head = msgspec.msgpack.decode(checked.read(length), type=_Head)
        start = len(MAGIC) + COUNT + length
        checked.read(_padded(start) - start)
        arrays = [checked.array(shape) for shape in head.arrays]
        checked.end()

    def back(code: int, data: memoryview) -> object:
        if code != ARRAY:
            raise Damaged(f"unknown content {code}")
        return arrays[int.from_bytes(data, "little")]

    return Snapshot(head.tick, msgspec.msgpack.decode(head.tree, ext_hook=back))


class _Checked:
    """A file that is read once, from its start, with the checksum of what was read. Raises Damaged."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self._left = os.fstat(file.fileno()).st_size - CHECK
        self._check = 0

    def read(self, count: int) -> bytes:
        self._take(count)
        piece = self._file.read(count)
        self._check = zlib.crc32(piece, self._check)
        return piece

    def array(self, shape: _Shape) -> np.ndarray[Any, Any]:
        dtype = np.dtype(shape.dtype)
        size = math.prod(shape.shape) * dtype.itemsize
        self._take(size)
        array = np.empty(shape.shape, dtype)
        whole = array.reshape(-1).view(np.uint8).data
        self._file.readinto(whole)
        self._check = zlib.crc32(whole, self._check)
        self.read(_padded(size) - size)
        return array

    def end(self) -> None:
        if self._left or self._check != int.from_bytes(self._file.read(CHECK), "little"):
            raise Damaged("its checksum does not match")

    def _take(self, count: int) -> None:
        """A length that is damaged must not be believed."""
        if not 0 <= count <= self._left:
            raise Damaged("it is cut short")
        self._left -= count


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
