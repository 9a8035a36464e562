"""Payloads to columns. What fits the strict shape is decoded at once; the rest is read again, exactly.

Every payload is accounted for: it gives rows, or refusals that say so (law 4). One payload never harms another.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, starmap
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from drivers.city_json import CityReader, Faults
from drivers.dialogue import Reply, decode_reply
from drivers.families import FAMILIES
from drivers.jsonscan import Limits, parse
from drivers.lorawan.copies import Copies
from drivers.mapped import MappedReader
from drivers.refusal import Reason, Refusal, Refused
from drivers.shape import QUALITIES, UNTIMED, Shape
from drivers.telemetry import LAST_JUDGED, NO_TIME, Batch, Flag, Kind, Quality

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drivers.city_json import Reader
    from drivers.codec import Codec
    from drivers.products.product import Product
    from drivers.telemetry import Bool, Float64, Int32

__all__ = ["Decoded", "Decoder", "Limits", "Reply", "decode_reply"]

_MILLISECOND: Final = 1_000
_MICROSECOND: Final = 1
_FACTS: Final = 8  # how many of them a refusal names
_REJECTED: Final = (msgspec.DecodeError, UnicodeDecodeError)


@dataclass(slots=True)
class Decoded:
    """Rows in the order of payloads and, in them, of lists. frame int32[n]: the payload each row came from."""

    batch: Batch
    frame: Int32
    refusals: list[Refusal]


class _Work:
    """Readings and refusals of one call, as they are found. odd: rows whose values are not of the usual shape."""

    def __init__(self) -> None:
        self.readings: list[Any] = []
        self.frames: list[int] = []
        self.odd: list[int] = []
        self.refused: list[tuple[int, Reason, str]] = []

    def keep(self, frame: int, readings: Sequence[Any]) -> None:
        """Readings of one payload, not of the usual shape."""
        self.odd += range(len(self.readings), len(self.readings) + len(readings))
        self.readings += readings
        self.frames += [frame] * len(readings)


class _Usual:
    """The points that were carried so far, as a strict shape of their own: those that no device sends cost nothing."""

    def __init__(self, shape: Shape) -> None:
        self.names = shape.names
        self.decode = shape.decoder()
        self.rows = [shape.family.index[name] for name in shape.names]
        self._pack = Struct(f"{len(self.names)}d").pack
        self._none = shape.values()

    def table(self, readings: list[Any], odd: list[int]) -> Float64:
        """float64[point, n], NaN where absent and in odd rows. Packing is twice as fast as numpy reading tuples."""
        values = [reading.v for reading in readings]
        for row in odd:
            values[row] = self._none
        cells = b"".join(starmap(self._pack, map(msgspec.structs.astuple, values)))
        return np.frombuffer(cells).reshape(-1, len(self.names)).T


class Decoder:
    """Decodes payloads of one product and one channel (telemetry, event or status)."""

    def __init__(self, product: Product, channel: str, limits: Limits | None = None) -> None:
        family = FAMILIES[product.family]
        self._family = family
        self._limits = limits or Limits()
        self._shape = Shape(family, channel)
        mapping = product.telemetry if channel != "status" else None
        self._codec = product.codec if channel != "status" else None
        self._copies = Copies()
        self._strict = None if mapping or self._codec else self._shape.decoder()
        self._all = _Usual(self._shape)
        self._usual = self._all if channel == "status" else None
        self._strict_list = self._shape.list_decoder(self._limits.readings)
        self._reader: Reader = MappedReader(mapping, self._shape) if mapping else CityReader(self._shape)
        self._tick = _MICROSECOND if mapping or self._codec else _MILLISECOND
        eventful = channel == "event" or (mapping is not None and mapping.event is not None)
        eventful = eventful or self._codec is not None
        self._events = {alarm.name: float(row) for row, alarm in enumerate(family.alarms) if eventful}
        self._enumerated: Bool = np.array([bool(point.labels) for point in family.points])

    def decode(self, payloads: Sequence[bytes], devices: Sequence[int], received: Sequence[int]) -> Decoded:
        """devices: dense indices; received: µs UTC; one each a payload. Never raises for what a payload holds."""
        work = self._read(payloads) if self._codec is None else self._frames(self._codec, payloads, devices)
        batch = self._columns(work)
        if len(work.frames) == len(payloads) and not work.odd:
            frame = np.arange(len(payloads), dtype=np.int32)
            batch.device[:], batch.received[:] = devices, received
        else:
            frame = np.array(work.frames, np.int32)
            batch.device[:] = np.asarray(devices, np.int32)[frame]
            batch.received[:] = np.asarray(received, np.int64)[frame]
        kept = self._judge(batch, work)
        if kept is not None:
            batch, frame = batch.take(kept), frame[kept]
        return Decoded(batch, frame, _verdicts(work.refused, frame, len(payloads)))

    def _read(self, payloads: Sequence[bytes]) -> _Work:
        """In one sweep, as long as payloads have the usual shape; each that has not is read on its own."""
        work, at = _Work(), 0
        usual = self._usual if max(map(len, payloads), default=0) <= self._limits.size else None
        rest = iter(payloads)
        while at < len(payloads):
            if usual is not None:
                before = len(work.readings)
                with suppress(*_REJECTED):
                    work.readings.extend(map(usual.decode, rest))
                swept = len(work.readings) - before
                work.frames += range(at, at + swept)
                at += swept
            if at < len(payloads):
                self._one(at, payloads[at], work)
                at += 1
        return work

    def _one(self, frame: int, payload: bytes, work: _Work) -> None:
        """One strict reading, a strict list of them, or something to explain."""
        if self._strict is not None and len(payload) <= self._limits.size:
            try:
                listed = payload.startswith(b"[")
                work.keep(frame, self._strict_list(payload) if listed else [self._strict(payload)])
            except _REJECTED:
                pass
            else:
                return
        self._explain(frame, payload, work)

    def _explain(self, frame: int, payload: bytes, work: _Work) -> None:
        """Read one payload element by element; keep what is sound and name what is not."""
        try:
            document = parse(payload, self._limits)
        except Refused as refused:
            work.refused.append((frame, refused.reason, refused.detail))
            return
        if not isinstance(document, list):
            self._element(frame, "", document, work)
        elif not document:
            work.refused.append((frame, Reason.EMPTY, "list of no readings; send at least one"))
        elif len(document) > self._limits.readings:
            detail = f"{len(document)} readings, limit {self._limits.readings}; send smaller batches"
            work.refused.append((frame, Reason.TOO_MANY, detail))
        else:
            for position, element in enumerate(document):
                self._element(frame, f"element {position}: ", element, work)

    def _element(self, frame: int, where: str, element: object, work: _Work) -> None:
        faults = Faults()
        try:
            work.keep(frame, [self._reader.read(element, faults)])
        except Refused as refused:
            if refused.reason is not Reason.EMPTY or not faults:
                faults.note(refused.reason, refused.detail)
        work.refused += [(frame, reason, where + detail) for reason, detail in faults.lines()]

    def _frames(self, codec: Codec, payloads: Sequence[bytes], devices: Sequence[int]) -> _Work:
        """Payloads of a codec; copies of a frame get the time of the first."""
        work = _Work()
        for frame, (payload, device) in enumerate(zip(payloads, devices, strict=True)):
            faults = Faults()
            try:
                for one in codec.readings(payload, self._limits, faults):
                    time = UNTIMED if one.time is None else one.time
                    if one.mark is not None and one.time is not None:
                        time = self._copies.time(device, one.mark, one.time)
                    if one.values or one.event is not None:
                        v = self._shape.values(**one.values)
                        reading = self._shape.reading(v=v, ts=time, q=None, hist=False, event=one.event)
                        work.keep(frame, [reading])
                    elif not faults:
                        faults.note(Reason.EMPTY, f"no point; it says {_told(one.facts)}")
            except Refused as refused:
                faults.note(refused.reason, refused.detail)
            work.refused += [(frame, reason, detail) for reason, detail in faults.lines()]
        return work

    def _columns(self, work: _Work) -> Batch:
        readings = work.readings
        batch = Batch.empty(self._family, len(readings))
        if not readings:
            return batch
        time = np.array([reading.ts for reading in readings], np.int64)
        batch.time[:] = np.where(time < 0, NO_TIME, time * self._tick)
        if self._shape.channel == "status":
            online = [reading.state == "online" for reading in readings]
            batch.values[self._family.index["online"]] = online
            batch.kind[:] = Kind.STATUS
        else:
            self._points(batch, work)
        batch.quality[~np.isnan(batch.values)] = Quality.GOOD
        if self._shape.channel != "status":
            self._marks(batch, work)
        return batch

    def _points(self, batch: Batch, work: _Work) -> None:
        readings, width = work.readings, len(self._shape.names)
        if self._usual is not None and len(work.odd) < len(readings):
            batch.values[self._usual.rows] = self._usual.table(readings, work.odd)
        if work.odd:
            odd = self._all.table([readings[row] for row in work.odd], [])
            where: Any = work.odd if len(work.odd) < len(readings) else slice(None)
            batch.values[:width, where] = odd
            self._widen(odd)
        if self._events:
            names = [self._events.get(reading.event, np.nan) for reading in readings]
            batch.values[self._family.index["event"]] = names

    def _widen(self, odd: Float64) -> None:
        """The usual shape has every point that was carried once."""
        if self._strict is None:
            return
        carried = {self._shape.names[row] for row in np.flatnonzero(~np.isnan(odd).all(axis=1))}
        known = self._usual.names if self._usual is not None else ()
        if carried.difference(known):
            carried.update(known)
            self._usual = _Usual(Shape(self._family, self._shape.channel, carried))

    def _marks(self, batch: Batch, work: _Work) -> None:
        """What few readings carry: quality words and the historical mark."""
        index, graded = self._family.index, []
        for row, reading in [(row, r) for row, r in enumerate(work.readings) if r.q is not None or r.hist]:
            if reading.hist:
                batch.flags[row] |= Flag.HISTORICAL
            graded += [(row, index[name], QUALITIES[word]) for name, word in (reading.q or {}).items()]
        if not graded:
            return
        rows, points, codes = np.array(graded).T
        bare = batch.quality[points, rows] == Quality.ABSENT
        batch.quality[points[~bare], rows[~bare]] = codes[~bare]
        for row, point in zip(rows[bare].tolist(), points[bare].tolist(), strict=True):
            detail = f"quality without a value for {self._family.points[point].name}; send both or neither"
            work.refused.append((work.frames[row], Reason.UNKNOWN_QUALITY, detail))

    def _judge(self, batch: Batch, work: _Work) -> Bool | None:
        """Take out values beyond their range, then rows that carry nothing. Returns the rows to keep, None for all.

        A value that is not to be judged may be absurd (HJ 212 stations send 12000 flagged D); a label may not.
        """
        family, values = self._family, batch.values
        out = (values < family.low[:, None]) | (values > family.high[:, None])
        labels = self._enumerated
        out[~labels] &= batch.quality[~labels] <= LAST_JUDGED
        whole = values[labels]
        out[labels] |= np.abs(whole - np.rint(whole)) > 0
        if out.any():
            for row in np.flatnonzero(out.any(axis=0)).tolist():
                detail = "; ".join(
                    self._beyond(point, values[point, row]) for point in np.flatnonzero(out[:, row]).tolist()
                )
                work.refused.append((work.frames[row], Reason.OUT_OF_RANGE, detail))
            values[out] = np.nan
            batch.quality[out] = Quality.ABSENT
        empty = (batch.quality == Quality.ABSENT).all(axis=0)
        if not empty.any():
            return None
        for row in np.flatnonzero(empty & ~out.any(axis=0)).tolist():
            work.refused.append((work.frames[row], Reason.EMPTY, 'no point; send {"v": {"<point>": number}}'))
        kept: Bool = ~empty
        return kept

    def _beyond(self, row: int, value: float) -> str:
        point = self._family.points[row]
        if point.labels:
            words = ", ".join(f"{position}={label}" for position, label in enumerate(point.labels))
            return f"{point.name} {value:g} is none of {words}"
        span = f"{point.low:g} to {point.high:g} {point.unit}".rstrip()
        return f"{point.name} {value:g} is not within {span}; check the sensor and the declared unit"


def _told(facts: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in islice(facts.items(), _FACTS))


def _verdicts(refused: list[tuple[int, Reason, str]], frame: Int32, payloads: int) -> list[Refusal]:
    """In the order of payloads; whole where no row of the payload is left."""
    if not refused:
        return []
    used = np.bincount(frame, minlength=payloads) > 0
    refused.sort(key=lambda one: one[0])
    return [Refusal(position, reason, detail, not used[position]) for position, reason, detail in refused]
