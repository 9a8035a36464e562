"""Devices that spoke and are nobody's: the newest of them, in memory, with the last payloads of each. Bounded.

Its owner writes what `changes` names; whoever floods it with made-up names drives out only those from the same address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from msgspec import Struct, field

from gateway.registry.joining_settings import JoiningSettings

GUESSES: Final = 5  # payloads of one device that are tried on the catalogue
SHARE: Final = 10  # one address fills at most this part of the table with names alone
WIDTH: Final = {"id": 64, "transport": 16, "address": 192, "topic": 512}  # the columns' own


class Sample(Struct, frozen=True):
    """time: µs UTC. payload: as it came, cut."""

    time: int
    topic: str
    payload: bytes


class Stranger(Struct):
    """area: of the join window it came in by; "" = it was refused. Times µs UTC.

    products: that would decode what it said. proven: it spoke through a transport that we trust with names.
    """

    id: str
    transport: str
    address: str
    first: int
    last: int
    count: int = 0
    area: str = ""
    products: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    proven: bool = True
    guesses: int = 0

    @property
    def host(self) -> str:
        return self.address.rpartition(":")[0] or self.address


class Changes(NamedTuple):
    """What the table must be told: rows as they are now, and ids that are gone."""

    rows: list[Stranger]
    gone: list[str]


class Strangers:
    def __init__(self, settings: JoiningSettings) -> None:
        self._settings = settings
        self._all: dict[str, Stranger] = {}  # the longest unheard first
        self._unproven: Counter[str] = Counter()  # names by host
        self._dirty: dict[str, None] = {}
        self._untried: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Stranger]:
        """The newest heard first."""
        return reversed(self._all.values())

    def find(self, who: str) -> Stranger | None:
        return self._all.get(storable(who, WIDTH["id"]))

    def heard(self, who: str, origin: str, time: int, *, area: str = "", proven: bool = True) -> Stranger:
        """It spoke. origin: "<transport>:<address>". proven False: anyone could have said this name."""
        who = storable(who, WIDTH["id"])
        one = self._all.pop(who, None)
        if one is None:
            one = Stranger(who, "", "", time, time, proven=proven)
        else:
            self._forget_host(one)
        if proven or not one.proven:
            transport, _, address = origin.partition(":")
            one.transport = storable(transport, WIDTH["transport"])
            one.address = storable(address, WIDTH["address"])
        one.proven |= proven
        self._make_room(one)
        one.last, one.count, one.area = time, one.count + 1, area or one.area
        self._all[who] = one
        self._dirty[who] = None
        return one

    def said(self, one: Stranger, time: int, topic: str, payload: bytes) -> None:
        """Keep a payload of it."""
        kept = payload[: self._settings.sample_bytes]
        one.samples = [*one.samples, Sample(time, storable(topic, WIDTH["topic"]), kept)]
        del one.samples[: -self._settings.samples]
        if one.guesses < GUESSES and len(kept) == len(payload):
            self._untried[one.id] = None

    def untried(self, limit: int) -> list[tuple[str, Sample]]:
        """Newest payloads, by device, that nobody has tried on the catalogue yet."""
        names = list(self._untried)[:limit]
        for who in names:
            del self._untried[who]
        return [(who, self._all[who].samples[-1]) for who in names if who in self._all]

    def learn(self, found: Mapping[str, list[str]]) -> None:
        """Products that decode the payload tried, by device; one that none decodes changes nothing."""
        for who, products in found.items():
            one = self._all.get(who)
            if one is None:
                continue
            one.guesses += 1
            if products and products != one.products:
                one.products = products
                self._dirty[who] = None

    def forget(self, who: str) -> bool:
        """Whether it was remembered."""
        one = self._all.pop(storable(who, WIDTH["id"]), None)
        if one is None:
            return False
        self._forget_host(one)
        self._dirty[one.id] = None
        return True

    def load(self, rows: Iterable[Stranger]) -> None:
        """What the table holds, the longest unheard first."""
        for one in rows:
            self._make_room(one)
            self._all[one.id] = one

    def changes(self) -> Changes:
        """Since the last call; if they cannot be written, give them back to `again`."""
        names, self._dirty = self._dirty, {}
        gone = [who for who in names if who not in self._all]
        return Changes([self._all[who] for who in names if who in self._all], gone)

    def again(self, changes: Changes) -> None:
        for who in (*(one.id for one in changes.rows), *changes.gone):
            self._dirty[who] = None

    def _make_room(self, newcomer: Stranger) -> None:
        """For one that is not in the table, and counts it."""
        remembered = self._settings.remembered
        if not newcomer.proven and self._unproven[newcomer.host] >= max(1, remembered // SHARE):
            mine = (one.id for one in self._all.values() if not one.proven and one.host == newcomer.host)
            self.forget(next(mine))
        elif len(self._all) >= remembered:
            self.forget(next(iter(self._all)))
        self._unproven[newcomer.host] += not newcomer.proven

    def _forget_host(self, one: Stranger) -> None:
        self._unproven[one.host] -= not one.proven
        if not self._unproven[one.host]:
            del self._unproven[one.host]


def storable(text: str, length: int) -> str:
    """No lone surrogates and no NUL: neither store takes them."""
    return text[:length].encode("utf-8", "replace").decode().replace("\0", "�")
