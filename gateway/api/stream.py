"""Who looks on: changes of alarms and cases, and readings of chosen devices, to any number of subscribers.

A subscriber has a bounded queue; one that does not keep up is told so and closed, and never slows a tick.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec
import numpy as np
from msgspec import Struct

from drivers.telemetry import Batch, Quality
from gateway.registry.roles import Areas, covers

QUEUE: Final = 1_000
SUBSCRIBERS: Final = 200


class Change(Protocol):
    """A change of an alarm or a case (gateway.cases.record.Change)."""

    @property
    def kind(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def area(self) -> str: ...
    @property
    def device(self) -> str: ...


class Wanted(Struct, frozen=True):
    """What a subscriber hears of. kinds: alarm, case. devices: index → id, by family, whose readings it wants.

    areas: that it is limited to; () = the whole city.
    """

    kinds: frozenset[str]
    family: str = ""
    area: str = ""
    devices: Mapping[str, Mapping[int, str]] = {}
    areas: Areas = ()

    def hears(self, change: Change) -> bool:
        inside = not self.area or change.area == self.area or change.area.startswith(self.area + "/")
        inside = inside and covers(self.areas, change.area)
        return change.kind in self.kinds and inside and self.family in {"", change.family}


class Subscriber:
    """Events as (name, JSON); None ends them."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.events: asyncio.Queue[tuple[str, bytes] | None] = asyncio.Queue(QUEUE)
        self.lost = False

    def put(self, name: str, data: bytes) -> None:
        try:
            self.events.put_nowait((name, data))
        except asyncio.QueueFull:
            self.lost = True

    def end(self) -> None:
        if self.events.full():
            self.events.get_nowait()
        self.events.put_nowait(None)


class Hub:
    """`publish` is called once a tick; with nobody watching it costs nothing."""

    def __init__(self) -> None:
        self._subscribers: set[Subscriber] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._subscribers)

    @property
    def full(self) -> bool:
        """Nobody more is taken: there are too many already, or the gateway stops."""
        return self._closed or len(self._subscribers) >= SUBSCRIBERS

    def join(self, wanted: Wanted) -> Subscriber:
        """Its events end at once where the gateway stops."""
        subscriber = Subscriber(wanted)
        if self._closed:
            subscriber.end()
        self._subscribers.add(subscriber)
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        self._subscribers.discard(subscriber)

    def publish(self, changes: Sequence[Any], batches: Iterable[Batch]) -> None:
        """Changes of alarms and cases, and committed readings."""
        if not self._subscribers:
            return
        told = [(change, msgspec.json.encode(change)) for change in changes]
        for subscriber in self._subscribers:
            for change, data in told:
                if subscriber.wanted.hears(change):
                    subscriber.put(change.kind, data)
            for batch in batches:
                for data in _readings(batch, subscriber.wanted):
                    subscriber.put("reading", data)
        self._drop_slow()

    def close(self) -> None:
        """End every subscriber's events; the gateway stops."""
        self._closed = True
        for subscriber in self._subscribers:
            subscriber.end()

    def _drop_slow(self) -> None:
        for subscriber in [one for one in self._subscribers if one.lost]:
            self.leave(subscriber)
            subscriber.end()


def _readings(batch: Batch, wanted: Wanted) -> Iterable[bytes]:
    watched = wanted.devices.get(batch.family.name)
    if not watched:
        return
    for row in np.flatnonzero(np.isin(batch.device, list(watched))).tolist():
        carried = np.flatnonzero(batch.quality[:, row] != Quality.ABSENT).tolist()
        points = batch.family.points
        yield msgspec.json.encode(
            {
                "device": watched[int(batch.device[row])],
                "time": int(batch.time[row]),
                "received": int(batch.received[row]),
                "values": {points[point].name: float(batch.values[point, row]) for point in carried},
                "quality": {
                    points[point].name: Quality(batch.quality[point, row]).name.lower()
                    for point in carried
                    if batch.quality[point, row]
                },
            }
        )
