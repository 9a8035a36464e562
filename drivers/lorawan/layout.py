"""Layouts of binary frames as declarations; one walk reads them, its inverse writes them.

A layout is a tuple of items. Every item takes at least one byte, so a walk is linear in the frame. What does not fit
is refused with the byte where it stands; of frames made of repeated parts the parts before it are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct, calcsize
from typing import TYPE_CHECKING, Any, Protocol

from drivers.lorawan.bits import Bits, Said, Wish
from drivers.refusal import Reason, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Item(Protocol):
    """A piece of a frame."""

    def read(self, cursor: Cursor, said: Said) -> None:
        """Raises Refused where the bytes do not fit."""

    def write(self, out: bytearray, wish: Wish) -> None:
        """Raises ValueError where a wish does not fit."""

    def names(self) -> Iterator[str]:
        """Points and events that it may carry."""


Layout = tuple[Item, ...]


class Cursor:
    """A place in a frame, and where the frame ends."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end

    def take(self, count: int) -> bytes:
        left = self.end - self.at
        if left < count:
            raise Refused(
                Reason.BAD_FRAME,
                f"byte {self.at}: {count} more expected, {left} left; the frame is cut short",
            )
        self.at += count
        return self.data[self.at - count : self.at]


def read(layout: Layout, cursor: Cursor, said: Said) -> None:
    for item in layout:
        item.read(cursor, said)


def write(layout: Layout, out: bytearray, wish: Wish) -> None:
    for item in layout:
        item.write(out, wish)


def names(layout: Layout) -> Iterator[str]:
    for item in layout:
        yield from item.names()


def _kept(layout: Layout, cursor: Cursor, said: Said) -> bool:
    """Read a part; one that does not fit leaves no trace but its fault."""
    before = said.copy()
    try:
        read(layout, cursor, said)
    except Refused as refused:
        said.become(before)
        said.faults.note(refused.reason, refused.detail)
        return False
    return True


class Octets:
    """One number, struct's notation, cut into bits that mean something."""

    def __init__(self, form: str, *parts: Bits) -> None:
        self._struct = Struct(form)
        self._order: Any = "little" if form.startswith("<") else "big"
        self.size = self._struct.size
        self.parts = parts

    def number(self, cursor: Cursor) -> int:
        found: int = self._struct.unpack(cursor.take(self.size))[0]
        return found

    def read(self, cursor: Cursor, said: Said) -> None:
        number = self.number(cursor)
        for part in self.parts:
            part.read(number, said)

    def write(self, out: bytearray, wish: Wish) -> None:
        """Of parts that share their bits the first one writes them."""
        bits = {part.shift: part.write(wish, self.size * 8) for part in reversed(self.parts)}
        self.put(out, sum(bits.values()), wish)

    def put(self, out: bytearray, number: int, wish: Wish) -> None:
        data = (number % (1 << self.size * 8)).to_bytes(self.size, self._order)
        for part in self.parts:
            part.check(self._struct.unpack(data)[0], wish)
        out += data

    def names(self) -> Iterator[str]:
        return (part.name for part in self.parts if part.wishable)


@dataclass(frozen=True, slots=True)
class Fixed:
    """Bytes that are always the same."""

    value: bytes

    def read(self, cursor: Cursor, said: Said) -> None:  # noqa: ARG002 - they say nothing
        at, found = cursor.at, cursor.take(len(self.value))
        if found != self.value:
            raise Refused(Reason.BAD_FRAME, f"byte {at}: {found.hex()} where {self.value.hex()} belongs")

    def write(self, out: bytearray, wish: Wish) -> None:  # noqa: ARG002
        out += self.value

    def names(self) -> Iterator[str]:
        return iter(())


@dataclass(frozen=True, slots=True)
class Skip:
    """Bytes that mean nothing to us."""

    count: int

    def read(self, cursor: Cursor, said: Said) -> None:  # noqa: ARG002
        cursor.take(self.count)

    def write(self, out: bytearray, wish: Wish) -> None:  # noqa: ARG002
        out += bytes(self.count)

    def names(self) -> Iterator[str]:
        return iter(())


@dataclass(frozen=True, slots=True)
class Text:
    """A fact of bytes, 0 = all that are left, shown as hex digits; little: the last byte first."""

    name: str
    count: int = 0
    little: bool = False

    def read(self, cursor: Cursor, said: Said) -> None:
        found = cursor.take(self.count or cursor.end - cursor.at)
        said.facts[self.name] = (found[::-1] if self.little else found).hex()

    def write(self, out: bytearray, wish: Wish) -> None:  # noqa: ARG002
        out += bytes(self.count)

    def names(self) -> Iterator[str]:
        return iter(())


@dataclass(frozen=True, slots=True)
class Choice:
    """A number that decides how it goes on. shift: of its deciding bits; parts: what its other bits mean."""

    form: str
    cases: Mapping[int, Layout]
    shift: int = 0
    parts: tuple[Bits, ...] = ()
    octets: Octets = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "octets", Octets(self.form, *self.parts))

    def read(self, cursor: Cursor, said: Said) -> None:
        at, number = cursor.at, self.octets.number(cursor)
        layout = self.cases.get(number >> self.shift)
        if layout is None:
            width = calcsize(self.form) * 2
            raise Refused(
                Reason.BAD_FRAME,
                f"byte {at}: type {number:0{width}x} is unknown; what follows cannot be read",
            )
        for part in self.parts:
            part.read(number, said)
        read(layout, cursor, said)

    def write(self, out: bytearray, wish: Wish) -> None:
        """The case that says most of what is wished."""
        best = max(self.cases, key=lambda case: wish.count(names(self.cases[case])))
        self._case(best, out, wish)

    def write_all(self, out: bytearray, wish: Wish) -> None:
        """The fewest cases that say all that is wished, in the order of their declaration."""
        left, chosen = wish.missing(), set()
        said = {case: set(names(layout)) for case, layout in self.cases.items()}
        while left:
            best = max(said, key=lambda case: len(said[case] & left))
            if not said[best] & left:
                break
            chosen.add(best)
            left -= said[best]
        for case in self.cases:
            if case in chosen:
                self._case(case, out, wish)

    def _case(self, case: int, out: bytearray, wish: Wish) -> None:
        bits = sum(part.write(wish, self.octets.size * 8) for part in self.parts)
        self.octets.put(out, (case << self.shift) + bits, wish)
        write(self.cases[case], out, wish)

    def names(self) -> Iterator[str]:
        for layout in self.cases.values():
            yield from names(layout)


class Repeat:
    """The same layout until the frame ends; stops at the first that does not fit, and keeps those before."""

    def __init__(self, *layout: Item) -> None:
        self._layout = layout

    def read(self, cursor: Cursor, said: Said) -> None:
        while cursor.at < cursor.end:
            if not _kept(self._layout, cursor, said):
                cursor.at = cursor.end

    def write(self, out: bytearray, wish: Wish) -> None:
        first = self._layout[0]
        if isinstance(first, Choice):
            first.write_all(out, wish)
        elif wish.count(self.names()):
            write(self._layout, out, wish)

    def names(self) -> Iterator[str]:
        return names(self._layout)


class Sized:
    """A byte that tells a length, and in that length a layout repeated; what does not fit there is left out alone."""

    def __init__(self, *layout: Item) -> None:
        self._inner = Repeat(*layout)

    def read(self, cursor: Cursor, said: Said) -> None:
        count = cursor.take(1)[0]
        end = cursor.at + count
        cursor.take(count)
        self._inner.read(Cursor(cursor.data, end - count, end), said)

    def write(self, out: bytearray, wish: Wish) -> None:
        inner = bytearray()
        self._inner.write(inner, wish)
        out.append(len(inner))
        out += inner

    def names(self) -> Iterator[str]:
        return self._inner.names()


class Options:
    """A byte whose bits tell which of these layouts follow, lowest first. parts: what its other bits mean."""

    def __init__(self, *layouts: Layout, parts: tuple[Bits, ...] = ()) -> None:
        self._layouts = layouts
        self._parts = parts

    def read(self, cursor: Cursor, said: Said) -> None:
        bits = cursor.take(1)[0]
        for part in self._parts:
            part.read(bits, said)
        for place, layout in enumerate(self._layouts):
            if bits >> place & 1:
                read(layout, cursor, said)

    def write(self, out: bytearray, wish: Wish) -> None:
        chosen = [place for place, layout in enumerate(self._layouts) if wish.count(names(layout))]
        bits = sum(part.write(wish, 8) for part in self._parts)
        out.append(sum(1 << place for place in chosen) | bits)
        for place in chosen:
            write(self._layouts[place], out, wish)

    def names(self) -> Iterator[str]:
        yield from (part.name for part in self._parts if part.wishable)
        for layout in self._layouts:
            yield from names(layout)


class Hex:
    """A layout as the ASCII text of its hex digits."""

    def __init__(self, *layout: Item) -> None:
        self._layout = layout

    def read(self, cursor: Cursor, said: Said) -> None:
        at = cursor.at
        try:
            inner = bytes.fromhex(cursor.take(cursor.end - at).decode("ascii"))
        except ValueError:
            raise Refused(Reason.BAD_FRAME, f"byte {at}: no hex digits in ASCII") from None
        read(self._layout, Cursor(inner), said)

    def write(self, out: bytearray, wish: Wish) -> None:
        inner = bytearray()
        write(self._layout, inner, wish)
        out += inner.hex().upper().encode()

    def names(self) -> Iterator[str]:
        return names(self._layout)
