"""Pictures of the work: what a file says of its place, time and maker is not believed, not kept and not served.

A picture is known by its first bytes, not by its name; it is stored without metadata, under the SHA-256 of what is stored.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from gateway.errors import Invalid, NotFound, StoreError, TooLarge

LARGEST: Final = 8 * 1024 * 1024
NAME: Final = re.compile(r"[0-9a-f]{64}")

JPEG: Final = "image/jpeg"
PNG: Final = "image/png"
WEBP: Final = "image/webp"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_SHOWN: Final = frozenset(
    (
        b"IHDR",
        b"PLTE",
        b"IDAT",
        b"IEND",
        b"tRNS",
        b"gAMA",
        b"cHRM",
        b"sRGB",
        b"iCCP",
        b"sBIT",
        b"pHYs",
        b"bKGD",
    )
)
_WEBP: Final = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"))
_DRAWN: Final = frozenset((b"VP8 ", b"VP8L", b"ANMF"))
_TOLD: Final = 0b0000_1100  # VP8X: EXIF and XMP follow
_START_OF_SCAN: Final = 0xDA
_END: Final = 0xD9
_KEPT: Final = frozenset((0xE0, 0xE2, 0xEE))  # JFIF, colour profile, Adobe's colour transform
_COMMENT: Final = 0xFE
_BARE: Final = frozenset((0x01, *range(0xD0, 0xD9)))  # markers without a length


class Stored(NamedTuple):
    sha256: str
    media: str
    bytes: int


class Album:
    """The folder of pictures."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def put(self, data: bytes) -> Stored:
        """What is stored of it, synced; raises Invalid, TooLarge, StoreError."""
        return await asyncio.to_thread(self._put, data)

    async def get(self, name: str) -> bytes:
        """Raises NotFound, also where the file is not what its name says."""
        return await asyncio.to_thread(self._get, name)

    def _put(self, data: bytes) -> Stored:
        media, bare = strip(data)
        name = hashlib.sha256(bare).hexdigest()
        path = self.path(name)
        try:
            if not path.exists():
                _write(path, bare)
        except OSError as error:
            raise StoreError(f"a photo cannot be written: {error}") from error
        return Stored(name, media, len(bare))

    def _get(self, name: str) -> bytes:
        with suppress(OSError):
            data = self.path(name).read_bytes()
            if hashlib.sha256(data).hexdigest() == name:
                return data
        raise NotFound(f"there is no whole photo {name:.12}…")

    def path(self, name: str) -> Path:
        """Where it lies; raises NotFound for what is no name of a photo."""
        if not NAME.fullmatch(name):
            raise NotFound("a photo is named by its SHA-256")
        return self.folder / name[:2] / name


def strip(data: bytes) -> tuple[str, bytes]:
    """(media type, the same picture without metadata); raises Invalid, TooLarge."""
    if len(data) > LARGEST:
        raise TooLarge(f"a photo has at most {LARGEST} bytes; send a smaller one", limit=LARGEST)
    for media, magic, bare in KINDS:
        if magic(data):
            try:
                return media, bare(data)
            except (struct.error, IndexError, ValueError) as error:
                raise Invalid(f"the {media.removeprefix('image/')} file is broken: {error}") from error
    raise Invalid("a photo is a JPEG, PNG or WebP file")


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = path.with_name(f"{path.name}.{os.getpid()}.new")
    with aside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    aside.chmod(0o600)
    aside.replace(path)
    for folder in (path.parent, path.parent.parent):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _jpeg(data: bytes) -> bytes:
    """Segments up to the first scan without APPn (but the three that colours need) and comments; then to the last end."""
    kept, at = [data[:2]], 2
    while True:
        if data[at] != 0xFF:
            raise ValueError(f"no marker at byte {at}")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in _BARE:
            at += 2
            continue
        if marker == _START_OF_SCAN:
            break
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker == _END or length < 2 or at + 2 + length > len(data):
            raise ValueError(f"no picture after byte {at}")
        if marker in _KEPT or (not 0xE0 <= marker <= 0xEF and marker != _COMMENT):
            kept.append(data[at : at + 2 + length])
        at += 2 + length
    return b"".join(kept) + _scans(data, at)


def _scans(data: bytes, at: int) -> bytes:
    """From the first scan to the end of the picture; what comes after it is not kept, nor segments that tell."""
    kept = []
    while True:
        (length,) = struct.unpack_from(">H", data, at + 2)
        marker = data[at + 1]
        begin, at = at, at + 2 + length
        if marker == _START_OF_SCAN:
            at = _after_scan(data, at)
        if not 0xE0 <= marker <= 0xEF and marker != _COMMENT:
            kept.append(data[begin:at])
        if data[at + 1] == _END:
            return b"".join([*kept, data[at : at + 2]])


def _after_scan(data: bytes, at: int) -> int:
    """Where the next marker that ends entropy-coded bytes stands."""
    while True:
        at = data.index(b"\xff", at)
        if data[at + 1] != 0 and data[at + 1] != 0xFF and not 0xD0 <= data[at + 1] <= 0xD7:
            return at
        at += 1


def _png(data: bytes) -> bytes:
    kept, at = [_PNG], len(_PNG)
    while True:
        (length,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            raise ValueError(f"it ends within {kind!r}")
        if kind in _SHOWN:
            kept.append(data[at:end])
        if kind == b"IEND":
            return b"".join(kept)
        at = end


def _webp(data: bytes) -> bytes:
    kept = []
    for kind, body in _chunks(data):
        if kind == b"VP8X":
            body = bytes([body[0] & ~_TOLD & 0xFF]) + body[1:]  # noqa: PLW2901
        if kind in _WEBP:
            kept.append(kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2))
    if not any(each[:4] in _DRAWN for each in kept):
        raise ValueError("it has no picture")
    whole = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(whole)) + whole


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        if at + 8 + length > len(data):
            raise ValueError(f"it ends within {data[at : at + 4]!r}")
        yield data[at : at + 4], data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


KINDS: Final[tuple[tuple[str, Callable[[bytes], bool], Callable[[bytes], bytes]], ...]] = (
    (JPEG, lambda data: data.startswith(b"\xff\xd8\xff"), _jpeg),
    (PNG, lambda data: data.startswith(_PNG), _png),
    (WEBP, lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", _webp),
)
