"""How far the mirror has come, on disk: what the file says was written was acknowledged by the mirror before."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from gateway.errors import StoreError

NAME: Final = "mirror.json"


class Gap(msgspec.Struct, frozen=True, array_like=True):
    """Ticks that are still to be written: after < tick ≤ until."""

    after: int
    until: int


class Cursor(msgspec.Struct, frozen=True):
    """Every tick up to `live` is in the mirror, gaps excepted; they are in order and do not touch.

    written, refused: points, since the first start.
    """

    live: int = 0
    gaps: tuple[Gap, ...] = ()
    written: int = 0
    refused: int = 0

    @property
    def passed(self) -> int:
        """The tick up to which nothing is missing."""
        return self.gaps[0].after if self.gaps else self.live

    def leap(self, newest: int) -> Cursor:
        """Go on from `newest`; what lies before it is backlog."""
        return self.opened(self.live, newest).moved(newest)

    def moved(self, live: int) -> Cursor:
        return msgspec.structs.replace(self, live=live)

    def opened(self, after: int, until: int) -> Cursor:
        """These ticks are to be written (again)."""
        gaps = sorted([*self.gaps, Gap(after, until)], key=lambda gap: gap.after)
        joined: list[Gap] = []
        for gap in gaps:
            if gap.until <= gap.after:
                continue
            if joined and gap.after <= joined[-1].until:
                joined[-1] = Gap(joined[-1].after, max(joined[-1].until, gap.until))
            else:
                joined.append(gap)
        return msgspec.structs.replace(self, gaps=tuple(joined))

    def closed(self, after: int, until: int) -> Cursor:
        """These ticks are in the mirror."""
        if until <= after:
            return self
        rest: list[Gap] = []
        for gap in self.gaps:
            rest += [Gap(gap.after, min(gap.until, after)), Gap(max(gap.after, until), gap.until)]
        return msgspec.structs.replace(self, gaps=tuple(gap for gap in rest if gap.after < gap.until))

    def counted(self, written: int, refused: int) -> Cursor:
        return msgspec.structs.replace(self, written=self.written + written, refused=self.refused + refused)


def load(folder: Path) -> Cursor:
    """A mirror without a cursor has got nothing yet. Raises StoreError where the file is damaged."""
    path = folder / NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Cursor)
    except FileNotFoundError:
        return Cursor()
    except (OSError, msgspec.DecodeError) as error:
        raise StoreError(
            f"{path}: {error}; without the file the mirror is filled again from the start"
        ) from error


def save(folder: Path, cursor: Cursor) -> None:
    """Blocks until it is durable; raises StoreError."""
    aside = folder / f"{NAME}.new"
    try:
        with aside.open("wb") as file:
            file.write(msgspec.json.encode(cursor))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(folder / NAME)
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise StoreError(f"{aside}: {error}") from error
