"""Data segments to columns: factors to points, data flags to quality, DataTime to event time.

Every payload gives a row or a refusal that says why not (law 4).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import TYPE_CHECKING, Final

import numpy as np

from drivers.decode import Decoded
from drivers.families import FAMILIES
from drivers.hj212.commands import KINDS
from drivers.hj212.moment import moment
from drivers.hj212.profile import FLAGS, PERIOD, SAMPLE, STATES, STATISTICS, Factor
from drivers.hj212.segment import decode
from drivers.hj212.tolerance import Tolerance
from drivers.refusal import Reason, Refusal, Refused
from drivers.telemetry import DAY, HOUR, LAST_JUDGED, MINUTE, NO_TIME, Batch, Flag, Kind, Quality

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from drivers.hj212.profile import StationMap
    from drivers.hj212.segment import Segment
    from drivers.products.product import Product

CHANNEL: Final = "hj212"  # the lane of live data segments
PULLED: Final = "hj212-pulled"  # of records that a history pull brought

# DataTime this far behind the station's own time of sending is data sent again
BACKFILL: Final = {Kind.SAMPLE: 5 * MINUTE, Kind.MINUTE: HOUR, Kind.HOUR: 3 * HOUR, Kind.DAY: 3 * DAY}

DOUBTFUL: Final = 10  # samples in a row with a doubtful value: an event; one without: it is over
NORMAL: Final = "normal"

_SHOWN: Final = 12  # codes named in a refusal
_WIDTH: Final = 32  # characters of a foreign word in a refusal
_KNOWN_SUFFIXES: Final = frozenset((*SAMPLE, *PERIOD, "Flag", "RS", *STATISTICS)) - {""}


@dataclass(slots=True)
class Reading:
    """One row: value and quality by point, and what of the message was of no use."""

    kind: Kind
    time: int
    flags: int = 0
    values: dict[str, tuple[float, Quality]] = field(default_factory=dict)
    faults: list[tuple[Reason, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Words:
    """The attributes of a message by code and suffix, as sent."""

    time: str = ""
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    flag: str = ""  # a bare one: of every factor without its own


class Reader:
    """Reads the messages of one product. oddities: what was tolerated in CP, counted."""

    def __init__(self, profile: StationMap, family: str, zone: tzinfo, oddities: Counter[Tolerance]) -> None:
        self.oddities = oddities
        self._profile = profile
        self._points = {point.name: point for point in FAMILIES[family].points}
        self._zone = zone
        self._codes = {code for factor in profile.factors for code in factor.codes} | profile.unused

    def read(self, segment: Segment) -> Reading:
        """The reading a message carries; raises Refused where it carries none at all."""
        kind = KINDS.get(segment.cn)
        if kind is None:
            raise Refused(Reason.EMPTY, f"CN={segment.cn:.8} carries no reading")
        words = self._words(segment)
        reading = Reading(kind, self._time(segment, words, kind))
        sent = moment(segment.qn, self._zone)
        if segment.rf or (
            sent is not None and reading.time != NO_TIME and sent - reading.time > BACKFILL[kind]
        ):
            reading.flags = int(Flag.HISTORICAL)
        suffixes = SAMPLE if kind is Kind.SAMPLE else PERIOD
        for factor in self._profile.factors:
            self._factor(factor, suffixes, words, reading)
        strange = [code for code in words.values if code not in self._codes]
        if strange:
            more = "" if len(strange) <= _SHOWN else f" and {len(strange) - _SHOWN} more"
            named = ", ".join(f"{code:.{_WIDTH}}" for code in strange[:_SHOWN])
            reading.faults.append(
                (Reason.UNKNOWN_POINT, f"factor {named}{more} has no point in this product")
            )
        if not reading.values and not reading.faults:
            reading.faults.append((Reason.EMPTY, f"CN={segment.cn} without a value of a factor"))
        return reading

    def _time(self, segment: Segment, words: _Words, kind: Kind) -> int:
        text = words.time
        if not text:
            self.oddities[Tolerance.MISSING_TIME] += 1
            text = segment.qn
            if not text and kind is Kind.SAMPLE:
                return NO_TIME
        elif len(text) != 14:
            self.oddities[Tolerance.TIME_DIGITS] += 1
        time = moment(text, self._zone)
        if time is None:
            raise Refused(Reason.BAD_TIME, f"DataTime {text!r:.{_WIDTH}} is no yyyyMMddHHmmss")
        return time

    def _words(self, segment: Segment) -> _Words:
        words = _Words()
        for item in segment.cp or ():
            for name, value in item:
                if name == "DataTime":
                    words.time = value.strip()
                elif name == "Flag":
                    self.oddities[Tolerance.BARE_FLAG] += 1
                    words.flag = value.strip()
                else:
                    code, suffix = self._split(name)
                    known = words.values.setdefault(code, {})
                    if suffix in SAMPLE and known.keys() == {"Flag"}:
                        self.oddities[Tolerance.FLAG_FIRST] += 1
                    known.setdefault(suffix, value.strip())
        return words

    def _split(self, name: str) -> tuple[str, str]:
        """A state keeps its suffix in its code: SB7-RS is a factor, SB7-RT another."""
        code, _, suffix = name.partition("-")
        first, doubled, again = suffix.partition("-")
        if doubled and first == again:
            self.oddities[Tolerance.DOUBLED_SUFFIX] += 1
            suffix = first
        if suffix == "RS":
            return name if not doubled else f"{code}-RS", ""
        if suffix and suffix not in _KNOWN_SUFFIXES:
            self.oddities[Tolerance.UNKNOWN_SUFFIX] += 1
        return code, suffix

    def _factor(self, factor: Factor, suffixes: tuple[str, ...], words: _Words, reading: Reading) -> None:
        for code in factor.codes:
            attributes = words.values.get(code)
            fits = ("",) if factor.state else suffixes
            suffix = next((one for one in fits if attributes and one in attributes), None)
            if attributes is None or suffix is None:
                continue
            try:
                reading.values[factor.point] = self._value(factor, attributes, suffix, words.flag)
            except Refused as refused:
                reading.faults.append((refused.reason, f"{code}: {refused.detail}"))
            return

    def _value(
        self, factor: Factor, attributes: dict[str, str], suffix: str, bare: str
    ) -> tuple[float, Quality]:
        text = attributes[suffix]
        if factor.state:
            if text not in STATES:
                raise Refused(Reason.OUT_OF_RANGE, f"{text!r:.{_WIDTH}} is no state of 0 to 5")
            return STATES[text]
        word = attributes.get("Flag", bare)
        quality = FLAGS.get(word or "N")
        if quality is None:
            raise Refused(Reason.UNKNOWN_QUALITY, f"{word!r:.{_WIDTH}} is no data flag of {' '.join(FLAGS)}")
        value = _number(text) * factor.scale
        if not isfinite(value):
            raise Refused(Reason.NOT_FINITE, f"{text!r:.{_WIDTH}} is not finite")
        if quality <= LAST_JUDGED:
            point = self._points[factor.point]
            if not point.low <= value <= point.high:
                span = f"{point.low:g} to {point.high:g} {point.unit}"
                raise Refused(
                    Reason.OUT_OF_RANGE,
                    f"{value:g} is not within {span}; check the sensor and the declared unit",
                )
            if quality is Quality.GOOD and factor.doubts(value):
                quality = Quality.UNCERTAIN
        return value, quality


def _number(text: str) -> float:
    if len(text) <= _WIDTH and "_" not in text:
        try:
            return float(text)
        except ValueError:
            pass
    raise Refused(Reason.WRONG_TYPE, f"{text!r:.{_WIDTH}} is no number")


class StationDecoder:
    """Decodes data segments of one product. oddities: counts on; pulled: they are records of a history pull."""

    def __init__(
        self,
        product: Product,
        zone: tzinfo,
        oddities: Counter[Tolerance] | None = None,
        *,
        pulled: bool = False,
    ) -> None:
        if product.hj212 is None:
            raise ValueError(f"{product.id} does not speak HJ 212")
        self._family = FAMILIES[product.family]
        self._pulled = pulled
        self._doubt = product.hj212.doubt
        self._doubtful: dict[int, int] = {}  # device -> samples in a row; nothing of those without doubt
        self.reader = Reader(product.hj212, product.family, zone, Counter() if oddities is None else oddities)

    def decode(self, payloads: Sequence[bytes], devices: Sequence[int], received: Sequence[int]) -> Decoded:
        """As drivers.decode.Decoder: one row a payload at most, in order; never raises for what a payload holds."""
        rows: list[Reading] = []
        frames: list[int] = []
        refusals: list[Refusal] = []
        for frame, payload in enumerate(payloads):
            try:
                reading = self.reader.read(decode(payload).segment)
            except Refused as refused:
                refusals.append(Refusal(frame, refused.reason, refused.detail, whole=True))
                continue
            whole = not reading.values
            refusals += [Refusal(frame, reason, detail, whole) for reason, detail in reading.faults]
            if not whole:
                self._doubts(reading, devices[frame])
                rows.append(reading)
                frames.append(frame)
        frame_of = np.array(frames, np.int32)
        batch = self._columns(rows)
        batch.device[:] = np.asarray(devices, np.int32)[frame_of]
        batch.received[:] = np.asarray(received, np.int64)[frame_of]
        return Decoded(batch, frame_of, refusals)

    def _doubts(self, reading: Reading, device: int) -> None:
        """A run of doubtful samples is the station's fault, and it says so; the first sound one ends it."""
        if not self._doubt or self._pulled or reading.flags or reading.kind is not Kind.SAMPLE:
            return
        run = self._doubtful.pop(device, 0)
        event = ""
        if any(quality is Quality.UNCERTAIN for _, quality in reading.values.values()):
            self._doubtful[device] = run + 1
            event = self._doubt if run + 1 == DOUBTFUL else ""
        elif run >= DOUBTFUL:
            event = NORMAL
        if event:
            labels = self._family.points[self._family.index["event"]].labels
            reading.values["event"] = (float(labels.index(event)), Quality.GOOD)

    def _columns(self, rows: list[Reading]) -> Batch:
        family = self._family
        batch = Batch.empty(family, len(rows))
        more = int(Flag.HISTORICAL) if self._pulled else 0
        batch.time[:] = [row.time for row in rows]
        batch.kind[:] = [row.kind for row in rows]
        batch.flags[:] = [row.flags | more for row in rows]
        for name, place in family.index.items():
            if any(name in row.values for row in rows):
                pairs = [row.values.get(name, (nan, Quality.ABSENT)) for row in rows]
                batch.values[place], batch.quality[place] = zip(*pairs, strict=True)
        return batch
