"""From frames in order of arrival to one Batch a family, in order of arrival for each device. Bytes end here."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from drivers.decode import Decoder, Limits, Reply, decode_reply
from drivers.hj212.readings import CHANNEL, PULLED, StationDecoder
from drivers.hj212.tolerance import Tolerance
from drivers.products.product import Product
from drivers.refusal import Reason, Refusal, Refused
from drivers.telemetry import Batch, Int64
from gateway.ingest.inbox import Frame, Lane


class PayloadSettings(BaseModel):
    """[payloads]: judged on the bytes, before any parser; beyond: refused with the reason."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(65_536, ge=256, description="bytes of one payload")
    depth: int = Field(16, ge=4, le=256, description="levels of nesting")
    readings: int = Field(1_000, ge=1, description="readings in one payload")

    def limits(self) -> Limits:
        return Limits(self.size, self.depth, self.readings)


class Readings(NamedTuple):
    """Rows of one family, and for each the position of its frame in the tick."""

    batch: Batch
    frame: Int64


class Decoded(NamedTuple):
    """What the frames of a tick said; refusals name frames by their position in the tick."""

    readings: list[Readings]
    replies: list[tuple[Frame, Reply]]
    refusals: list[Refusal]


class Decoding:
    """One decoder for each lane; lanes are made on first use and kept. zone: the wall clock of HJ 212 stations."""

    def __init__(
        self, catalog: Mapping[str, Product], zone: str = "Asia/Shanghai", limits: Limits | None = None
    ) -> None:
        self._catalog = catalog
        self._limits = limits
        self._zone = ZoneInfo(zone)
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._decoders: dict[Lane, Decoder | StationDecoder] = {}
        self.tolerated: Counter[Tolerance] = Counter()  # departures from HJ 212 inside its data

    def lane(self, product: str, family: str, channel: str) -> Lane:
        """The lane of a product's channel: the same object for the same pair."""
        lane = self._lanes.get((product, channel))
        if lane is None:
            lane = self._lanes[product, channel] = Lane(product, family, channel)
            if channel != "reply":
                self._decoders[lane] = self._decoder(self._catalog[product], channel)
        return lane

    def _decoder(self, product: Product, channel: str) -> Decoder | StationDecoder:
        if channel in {CHANNEL, PULLED}:
            return StationDecoder(product, self._zone, self.tolerated, pulled=channel == PULLED)
        return Decoder(product, channel, self._limits)

    def decode(self, frames: Sequence[Frame]) -> Decoded:
        lanes: dict[Lane | None, list[int]] = defaultdict(list)
        for position, frame in enumerate(frames):
            lanes[frame.lane].append(position)
        refusals = [
            Refusal(
                position,
                frames[position].verdict or Reason.UNKNOWN_TOPIC,
                frames[position].detail,
                whole=True,
            )
            for position in lanes.pop(None, [])
        ]
        replies: list[tuple[Frame, Reply]] = []
        parts: dict[str, list[Readings]] = defaultdict(list)
        for lane, positions in lanes.items():
            if lane is None:
                continue
            if lane.channel == "reply":
                _replies(frames, positions, replies, refusals)
                continue
            taken = [frames[position] for position in positions]
            decoded = self._decoders[lane].decode(
                [frame.payload for frame in taken],
                [frame.device for frame in taken],
                [frame.received for frame in taken],
            )
            where = np.array(positions, np.int64)
            refusals += [refusal._replace(frame=positions[refusal.frame]) for refusal in decoded.refusals]
            if len(decoded.batch):
                parts[lane.family].append(Readings(decoded.batch, where[decoded.frame]))
        return Decoded([_joined(family) for family in parts.values()], replies, refusals)


def _joined(parts: list[Readings]) -> Readings:
    """One batch of a family's lanes, rows in order of arrival."""
    if len(parts) == 1:
        return parts[0]
    batch = Batch.concat([part.batch for part in parts])
    frame = np.concatenate([part.frame for part in parts])
    arrival = np.argsort(frame, kind="stable")
    return Readings(batch.take(arrival), frame[arrival])


def _replies(
    frames: Sequence[Frame],
    positions: list[int],
    replies: list[tuple[Frame, Reply]],
    refusals: list[Refusal],
) -> None:
    for position in positions:
        try:
            replies.append((frames[position], decode_reply(frames[position].payload)))
        except Refused as refused:
            refusals.append(Refusal(position, refused.reason, refused.detail, whole=True))
