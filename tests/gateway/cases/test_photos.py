"""A photo is what its first bytes say, is kept without what it tells of place and person, and is named by its content."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cases.photos import JPEG, LARGEST, PNG, WEBP, Album, strip
from gateway.errors import CallerError, Invalid, NotFound, TooLarge

SECRET = b"GPS 31.2N 121.4E, taken by Li"


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def jpeg(*, told: bytes = SECRET, after: bytes = b"") -> bytes:
    """As a phone writes it: Exif, a comment, tables, one scan with stuffing and a restart, and more after its end."""
    return b"".join(
        [
            b"\xff\xd8",
            segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"),
            segment(0xE1, b"Exif\0\0" + told),
            segment(0xFE, told),
            segment(0xED, told),
            segment(0xDB, bytes(65)),
            segment(0xC0, bytes(15)),
            segment(0xC4, bytes(28)),
            segment(0xDA, bytes(10)),
            b"\x12\x34\xff\x00\x56\xff\xd0\x78",
            segment(0xC4, bytes(28)),
            segment(0xDA, bytes(10)),
            b"\x9a",
            b"\xff\xd9",
            after,
        ]
    )


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*, told: bytes = SECRET) -> bytes:
    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0\0")
    chunks = [
        (b"IHDR", head),
        (b"tEXt", told),
        (b"eXIf", told),
        (b"IDAT", data),
        (b"tIME", told),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks) + told


def webp(*, told: bytes = SECRET) -> bytes:
    chunks = [
        (b"VP8X", bytes([0b0000_1100]) + bytes(9)),
        (b"VP8L", b"\x2f\0\0\0\0"),
        (b"EXIF", told),
        (b"XMP ", told),
    ]
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(each)) + each + b"\0" * (len(each) % 2) for kind, each in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(("data", "media"), [(jpeg(after=SECRET), JPEG), (png(), PNG), (webp(), WEBP)])
def test_what_a_file_tells_besides_the_picture_is_not_kept(data: bytes, media: str) -> None:
    assert SECRET in data
    found, bare = strip(data)
    assert found == media
    assert SECRET not in bare
    assert strip(bare) == (media, bare), "nothing is left to take off"


def test_the_picture_itself_is_kept_byte_by_byte() -> None:
    bare = strip(jpeg())[1]
    assert bare == strip(jpeg(told=b"other", after=b"trailer"))[1]
    assert b"\x12\x34\xff\x00\x56\xff\xd0\x78" in bare
    assert bare.endswith(b"\x9a\xff\xd9")
    assert b"JFIF" in bare
    flags = strip(webp())[1][20]
    assert flags == 0, "it does not announce what was taken off"
    assert strip(png())[1].endswith(chunk(b"IEND", b""))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"GIF89a",
        b"<html>",
        b"\xff\xd8\xff",
        jpeg()[:60],
        png()[:40],
        webp()[:30],
        b"\xff\xd8\xff\xe0\x00\x00",
        b"RIFF\0\0\0\0WEBP",
        b"\xff\xd8\xff\xd9",
    ],
)
def test_what_is_no_whole_picture_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        strip(data)


def test_a_photo_has_a_largest_size() -> None:
    with pytest.raises(TooLarge):
        strip(b"\xff\xd8\xff" + bytes(LARGEST))


@given(st.binary(max_size=400), st.sampled_from([jpeg(), png(), webp()]), st.integers(0, 300))
def test_no_bytes_bring_anything_but_a_refusal(noise: bytes, data: bytes, at: int) -> None:
    for each in (data[:at] + noise + data[at:], data[:at] + noise, data[:4] + noise):
        try:
            _, bare = strip(each)
        except CallerError:
            continue
        assert len(bare) <= len(each) + 8


async def test_an_album_names_a_picture_by_what_it_holds(tmp_path: Path) -> None:
    album = Album(tmp_path / "photos")
    stored = await album.put(jpeg())
    assert await album.put(jpeg(told=b"other")) == stored, "the same picture is one file"
    data = await album.get(stored.sha256)
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (stored.sha256, stored.bytes)
    assert album.path(stored.sha256) == tmp_path / "photos" / stored.sha256[:2] / stored.sha256
    for name in ("0" * 64, "../operations.sqlite", stored.sha256.upper()):
        with pytest.raises(NotFound):
            await album.get(name)
    album.path(stored.sha256).write_bytes(b"something else")
    with pytest.raises(NotFound):
        await album.get(stored.sha256)
