"""What one tick did, put into the metrics at its end: a few counters a tick, never one a message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

import numpy as np

from drivers.telemetry import Flag, Kind
from gateway.history.duck import Kept
from gateway.ingest.inbox import Frame, Origin
from gateway.metrics import Metrics
from rules.transition import Transition

_ORIGIN: Final = attrgetter("origin")
_PAYLOAD: Final = attrgetter("payload")


class Tally:
    """Origins of one class speak one transport: the word before the colon of their address."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._transports: dict[type, str] = {}

    def ticked(
        self, number: int, frames: Sequence[Frame], kept: Sequence[Kept], transitions: Sequence[Transition]
    ) -> None:
        """One tick, its acknowledgements given."""
        m = self._metrics
        m.last_tick.set(number)
        if frames:
            self._frames(frames)
        for each in kept:
            self._readings(each)
        for (family, raised, shadow), n in Counter(
            (t.family, t.raised, t.shadow) for t in transitions
        ).items():
            said = m.shadow_transitions if shadow else m.transitions
            said.labels(family, "raised" if raised else "cleared").inc(n)

    def _frames(self, frames: Sequence[Frame]) -> None:
        m = self._metrics
        m.acked.inc(sum(1 for frame in frames if frame.token))
        origins = set(map(_ORIGIN, frames))
        transports = {self._transport(kind, origins) for kind in set(map(type, origins))}
        for name in transports:
            mine = frames
            if len(transports) > 1:
                mine = [frame for frame in frames if self._transports[type(frame.origin)] == name]
            m.frames.labels(name).inc(len(mine))
            m.frame_bytes.labels(name).inc(sum(map(len, map(_PAYLOAD, mine))))

    def _transport(self, kind: type, origins: set[Origin]) -> str:
        name = self._transports.get(kind)
        if name is None:
            address = next(origin.address for origin in origins if type(origin) is kind)
            name = self._transports[kind] = address.partition(":")[0]
        return name

    def _readings(self, kept: Kept) -> None:
        m, batch = self._metrics, kept.batch
        name = batch.family.name
        m.readings.labels(name).inc(len(batch))
        m.duplicates.labels(name).inc(len(kept.duplicates))
        m.late.labels(name).inc(int(np.count_nonzero(batch.flags & np.uint8(Flag.LATE))))
        m.clock.labels(name).inc(int(np.count_nonzero(batch.flags & np.uint8(Flag.CLOCK))))
        live = (batch.kind == Kind.SAMPLE) & (batch.flags & np.uint8(Flag.HISTORICAL) == 0)
        if live.any():
            m.event_lag.observe(name, (batch.received - batch.time)[live])
