"""Derived state as of a tick, on disk whole or not at all: written aside, fsynced, renamed; checksummed.

Of two kept files the newest undamaged one counts; without any, history is replayed from its start.
"""

from __future__ import annotations

import logging
import os
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import msgspec
import numpy as np

log = logging.getLogger(__name__)

MAGIC: Final = b"citygate snapshot 1\n"
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
    """The newest snapshot that is whole; None without one. Its arrays are writable."""
    for path in _files(folder):
        try:
            return _read(path)
        except (Damaged, OSError) as error:
            log.warning("snapshot %s is passed over: %s", path.name, error)
    return None


def newest_tick(folder: Path) -> int:
    """The tick that the newest snapshot names; 0 without one."""
    return max((int(path.stem.rpartition("-")[2]) for path in _files(folder)), default=0)


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
    raw = memoryview(bytearray(path.stat().st_size))
    with path.open("rb") as file:
        if file.readinto(raw) != len(raw):
            raise Damaged("it is shorter than it was")
    body, check = raw[:-CHECK], raw[-CHECK:]
    start = len(MAGIC) + COUNT
    if len(body) < start or bytes(body[: len(MAGIC)]) != MAGIC:
        raise Damaged("it is no snapshot of this version")
    if zlib.crc32(body) != int.from_bytes(check, "little"):
        raise Damaged("its checksum does not match")
    end = start + int.from_bytes(body[len(MAGIC) : start], "little")
    head = msgspec.msgpack.decode(body[start:end], type=_Head)
    content = body[_padded(end) :]

    def back(code: int, data: memoryview) -> object:
        if code != ARRAY:
            raise Damaged(f"unknown content {code}")
        shape = head.arrays[int.from_bytes(data, "little")]
        dtype = np.dtype(shape.dtype)
        count = int(np.prod(shape.shape, dtype=np.int64))
        return np.frombuffer(content, dtype, count, shape.start).reshape(shape.shape)

    return Snapshot(head.tick, msgspec.msgpack.decode(head.tree, ext_hook=back))


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
