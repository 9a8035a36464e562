"""How far off each device's clock is: the median of receipt less stamp over its last live samples that came in time.

It is learned from what the device itself said, before a stamp that cannot be is replaced; arrays by device index.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from drivers.telemetry import NO_TIME, SECOND, Batch, Family, Flag, Kind
from rules.control import Clock

if TYPE_CHECKING:
    import numpy.typing as npt

    from drivers.telemetry import Bool, Float64, Int64

KEPT: Final = 7  # samples of a device; three of them may be anything
# Sorts seven columns at once (Knuth, TAOCP 3, 5.3.4).
NETWORK: Final = (
    *((0, 6), (2, 3), (4, 5)),
    *((0, 2), (1, 4), (3, 6)),
    *((0, 1), (2, 5), (3, 4)),
    *((1, 2), (4, 6)),
    *((2, 3), (4, 5)),
    *((1, 2), (3, 4), (5, 6)),
)
QUORUM: Final = 5  # devices that must agree before the host is doubted
ASKED: Final = 1_000  # devices of a family that are asked at most
UNUSED: Final = int(Flag.LATE | Flag.HISTORICAL)


class Offset(NamedTuple):
    """offset: µs, above 0 where the device's clock is behind ours. samples: that it is estimated from, at most KEPT."""

    family: str
    device: int  # dense index
    offset: int
    samples: int


class _Clocks:
    """Of one family. last float32[KEPT, device]: s, NaN where there is none; median float32[device]; turn uint8[device]."""

    def __init__(self) -> None:
        self.last: npt.NDArray[np.float32] = np.empty((KEPT, 0), np.float32)
        self.median: npt.NDArray[np.float32] = np.empty(0, np.float32)
        self.turn: npt.NDArray[np.uint8] = np.empty(0, np.uint8)
        self.told: Bool = np.empty(0, bool)  # the log says that it is wrong

    def grow(self, n: int) -> None:
        have = len(self.turn)
        if n <= have:
            return
        more = max(n, have * 3 // 2, 64) - have
        self.last = np.concatenate([self.last, np.full((KEPT, more), np.nan, np.float32)], axis=1)
        self.median = np.concatenate([self.median, np.full(more, np.nan, np.float32)])
        self.turn = np.concatenate([self.turn, np.zeros(more, np.uint8)])
        self.told = np.concatenate([self.told, np.zeros(more, bool)])

    def put(self, device: Int64, behind: Float64) -> None:
        """One sample each; of several of one device the last counts."""
        turn = self.turn[device]
        self.last[turn, device] = behind
        self.turn[device] = (turn + np.uint8(1)) % np.uint8(KEPT)
        self.settle(device)

    def settle(self, device: Int64) -> None:
        """The lower median of what is known."""
        ordered = [column.take(device) for column in self.last]
        known = np.zeros(len(device), np.int8)
        for row, column in enumerate(ordered):
            missing = np.isnan(column)
            known += ~missing
            ordered[row] = np.where(missing, np.float32(np.inf), column)
        for low, high in NETWORK:
            one, other = ordered[low], ordered[high]
            ordered[low], ordered[high] = np.minimum(one, other), np.maximum(one, other)
        middle = np.choose(np.maximum(known - 1, 0) // 2, ordered[: KEPT // 2 + 1])
        self.median[device] = np.where(known > 0, middle, np.nan)

    def samples(self, index: int) -> int:
        return int(np.count_nonzero(~np.isnan(self.last[:, index])))


class Offsets(Collector):
    """limit: µs; a clock that is further off counts as wrong."""

    def __init__(self, families: Mapping[str, Family], limit: int = 60 * SECOND) -> None:
        self.limit = limit
        self.trusted = True  # city time is the host's
        self._of = {name: _Clocks() for name in families}
        self._turned: dict[str, set[int]] = {}  # whose clocks may have turned wrong or right

    def learn(self, batch: Batch, said: Int64) -> None:
        """said: the rows' stamps as their devices gave them, NO_TIME where there was none.

        While city time is on its way to the host's, it says nothing of anybody's clock.
        """
        if not self.trusted:
            return
        use = (said != NO_TIME) & (batch.kind == Kind.SAMPLE) & ((batch.flags & UNUSED) == 0)
        device = batch.device[use].astype(np.intp)
        if not len(device):
            return
        clocks = self._of[batch.family.name]
        clocks.grow(int(device.max()) + 1)
        clocks.put(device, (batch.received[use] - said[use]) / SECOND)
        turned = device[self._wrong(clocks, device) != clocks.told[device]]
        if len(turned):
            self._turned.setdefault(batch.family.name, set()).update(turned.tolist())

    def _wrong(self, clocks: _Clocks, device: Int64) -> Bool:
        wrong: Bool = np.abs(clocks.median[device]) > self.limit / SECOND
        return wrong

    def turned(self) -> list[Clock]:
        """What the log must be told: clocks that are wrong, or right again, once four samples are known.

        Nothing while it is our host that seems wrong.
        """
        if not self._turned or abs(self.consensus() or 0) > self.limit:
            return []
        found = []
        for family, devices in self._turned.items():
            clocks, device = self._of[family], np.array(sorted(devices), np.intp)
            agreed = np.count_nonzero(~np.isnan(clocks.last[:, device]), axis=0) > KEPT // 2
            device = device[agreed & (self._wrong(clocks, device) != clocks.told[device])]
            clocks.told[device] = ~clocks.told[device]
            if len(device):
                offsets = np.round(clocks.median[device].astype(np.float64), 1)
                found.append(Clock(family, device.tolist(), offsets.tolist()))
        self._turned.clear()
        return found

    def heed(self, family: str, offsets: Float64) -> None:
        """What the log says already (s, by device index), as a replay found it."""
        clocks = self._of[family]
        clocks.grow(len(offsets))
        clocks.told[: len(offsets)] = np.abs(offsets) > self.limit / SECOND

    def get(self, family: str, index: int) -> Offset | None:
        """None where the device has sent no stamp that counts."""
        clocks = self._of[family]
        if index >= len(clocks.median) or np.isnan(clocks.median[index]):
            return None
        return Offset(family, index, round(float(clocks.median[index]) * SECOND), clocks.samples(index))

    def worst(self, limit: int, family: str | None = None) -> list[Offset]:
        """The clocks that are furthest off, the worst first."""
        found = [one for name in ([family] if family else self._of) for one in self._worst(name, limit)]
        return sorted(found, key=lambda one: (-abs(one.offset), one.family, one.device))[:limit]

    def _worst(self, family: str, limit: int) -> Iterator[Offset]:
        off = np.nan_to_num(np.abs(self._of[family].median), nan=-1)
        some = np.argpartition(off, -limit)[-limit:] if limit < len(off) else np.arange(len(off))
        for index in some.tolist():
            if one := self.get(family, index):
                yield one

    def consensus(self) -> int | None:
        """What most clocks say of ours: the median of devices' offsets (µs); None where too few are known.

        Above 0 they are behind us. Where it is more than the limit, it is our host whose clock is wrong.
        """
        some = [clocks.median[:: max(1, len(clocks.median) // ASKED)] for clocks in self._of.values()]
        known = np.concatenate([each[~np.isnan(each)] for each in some])
        return round(float(np.median(known)) * SECOND) if len(known) >= QUORUM else None

    def collect(self) -> Iterator[Metric]:
        wrong = GaugeMetricFamily(
            "citygate_device_clocks_wrong",
            "Devices whose clock is off by more than [clocks] wrong_s",
            labels=["family"],
        )
        for name, clocks in self._of.items():
            wrong.add_metric([name], int(np.count_nonzero(np.abs(clocks.median) > self.limit / SECOND)))
        yield wrong

    def snapshot(self) -> dict[str, Any]:
        return {
            name: {"last": clocks.last.copy(), "turn": clocks.turn.copy()}
            for name, clocks in self._of.items()
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        for name, saved in state.items():
            clocks = self._of.get(name)
            if clocks is None or len(saved["last"]) != KEPT:
                continue
            size = len(saved["turn"])
            clocks.grow(size)
            clocks.last[:, :size], clocks.turn[:size] = saved["last"], saved["turn"]
            clocks.settle(np.arange(size))
