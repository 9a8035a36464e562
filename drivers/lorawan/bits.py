"""What bits of a number mean: a point, a flag, an event, or a fact that is no point."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from drivers.city_json import Faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Merge = Literal["last", "most", "sum", "whole"]


@dataclass(slots=True)
class Said:
    """What a frame has said so far. settled: points that later parts of it do not change."""

    values: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    event: str | None = None
    settled: set[str] = field(default_factory=set)
    faults: Faults = field(default_factory=Faults)

    def copy(self) -> Said:
        return Said(dict(self.values), dict(self.facts), self.event, set(self.settled), self.faults)

    def become(self, other: Said) -> None:
        self.values, self.facts, self.event, self.settled = (
            other.values,
            other.facts,
            other.event,
            other.settled,
        )

    def point(self, name: str, value: float, merge: Merge) -> None:
        """last: what comes later holds; most: the largest; sum: parts add up; whole: it stands for all parts."""
        if name in self.settled:
            return
        if merge == "whole":
            self.settled.add(name)
        elif merge != "last" and name in self.values:
            known = self.values[name]
            value = max(known, value) if merge == "most" else known + value
        self.values[name] = value


@dataclass(slots=True)
class Wish:
    """What a frame shall say. written: what it says already."""

    values: Mapping[str, float]
    event: str | None = None
    written: set[str] = field(default_factory=set)

    def has(self, name: str) -> bool:
        return name == self.event or name in self.values

    def count(self, names: Iterable[str]) -> int:
        """How many of these are wished and not yet written."""
        return len({name for name in names if self.has(name)} - self.written)

    def missing(self) -> set[str]:
        wanted = {*self.values, self.event} if self.event else {*self.values}
        return {name for name in wanted if name} - self.written


class Curve(NamedTuple):
    """A meaning that is no straight line, both directions."""

    read: Callable[[int], float]
    write: Callable[[float], int]


@dataclass(frozen=True, slots=True)
class Bits(ABC):
    """`width` bits from `shift` on; 0 = all from there. Nothing but a name."""

    name: str
    shift: int = 0
    width: int = 0

    @property
    def wishable(self) -> bool:
        return True

    def cut(self, number: int) -> int:
        number >>= self.shift
        return number & ((1 << self.width) - 1) if self.width else number

    @abstractmethod
    def read(self, number: int, said: Said) -> None: ...

    @abstractmethod
    def write(self, wish: Wish, size: int) -> int:
        """The bits in their place, of a number of `size` bits."""

    def place(self, raw: int, size: int) -> int:
        room = self.width or size - self.shift
        return (raw % (1 << room)) << self.shift

    def check(self, number: int, wish: Wish) -> None:  # noqa: B027 - most bits hold whatever they are given
        """What was written must read back; raises ValueError."""


@dataclass(frozen=True, slots=True)
class Part(Bits):
    """A point: raw / per + offset. absent: raw values that say "none"; span: raw values that may be sent."""

    per: float = 1.0
    offset: float = 0.0
    absent: tuple[int, ...] = ()
    merge: Merge = "last"
    curve: Curve | None = None
    span: tuple[int, int] | None = None

    def value(self, raw: int) -> float:
        return self.curve.read(raw) if self.curve else raw / self.per + self.offset

    def raw(self, value: float) -> int:
        return self.curve.write(value) if self.curve else round((value - self.offset) * self.per)

    def read(self, number: int, said: Said) -> None:
        raw = self.cut(number)
        if raw not in self.absent:
            said.point(self.name, self.value(raw), self.merge)

    def write(self, wish: Wish, size: int) -> int:
        if self.name not in wish.values:
            return self.place(self.absent[0], size) if self.absent else 0
        wish.written.add(self.name)
        raw = self.raw(wish.values[self.name])
        if self.span and not self.span[0] <= raw <= self.span[1]:
            low, high = self.value(self.span[0]), self.value(self.span[1])
            raise ValueError(
                f"{self.name} {wish.values[self.name]:g} is not within {low:g} to {high:g} of this product"
            )
        return self.place(raw, size)

    def check(self, number: int, wish: Wish) -> None:
        if self.name in wish.values and self.cut(number) != self.raw(wish.values[self.name]):
            raise ValueError(f"{self.name} {wish.values[self.name]:g} does not fit into the frame")


@dataclass(frozen=True, slots=True)
class Fact(Part):
    """A number that is no point. words: what raw values are called."""

    words: Mapping[int, str] = field(default_factory=dict)

    @property
    def wishable(self) -> bool:
        return False

    def read(self, number: int, said: Said) -> None:
        raw = self.cut(number)
        if raw not in self.absent:
            said.facts[self.name] = self.words.get(raw, self.value(raw))

    def write(self, wish: Wish, size: int) -> int:  # noqa: ARG002 - facts are read only
        return 0


@dataclass(frozen=True, slots=True)
class Flag(Bits):
    """A point of two labels: the second one where any of these bits is set, here or elsewhere in the frame.

    absent: raw values that say "none".
    """

    absent: tuple[int, ...] = ()

    def read(self, number: int, said: Said) -> None:
        if number not in self.absent:
            said.point(self.name, float(self.cut(number) != 0), "most")

    def write(self, wish: Wish, size: int) -> int:
        wish.written.add(self.name)
        return self.place(int(wish.values.get(self.name, 0.0) != 0), size)


@dataclass(frozen=True, slots=True)
class Event(Bits):
    """An alarm that the device reports where any of these bits is set, or they are one of `of`; the first of a frame counts."""

    of: tuple[int, ...] = ()

    def read(self, number: int, said: Said) -> None:
        raw = self.cut(number)
        if raw in self.of if self.of else raw:
            if said.event is None:
                said.event = self.name
            else:
                said.facts[self.name] = True

    def write(self, wish: Wish, size: int) -> int:
        if wish.event != self.name:
            return 0
        wish.written.add(self.name)
        return self.place(self.of[0] if self.of else 1, size)

    def check(self, number: int, wish: Wish) -> None:
        raw = self.cut(number)
        if wish.event == self.name and not (raw in self.of if self.of else raw):
            raise ValueError(f"{self.name} does not fit into the frame beside the rest")


@dataclass(frozen=True, slots=True)
class Happened:
    """A frame of this kind reports an alarm by being sent at all."""

    name: str

    def read(self, cursor: object, said: Said) -> None:  # noqa: ARG002 - it takes no bytes
        said.event = said.event or self.name

    def write(self, out: bytearray, wish: Wish) -> None:  # noqa: ARG002
        if wish.event == self.name:
            wish.written.add(self.name)

    def names(self) -> Iterator[str]:
        return iter((self.name,))
