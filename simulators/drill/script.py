"""What the devices of a drill say, hour by hour of city time: readings by the clock, changes, events, and what faults do to them.

The payloads are those that the devices of the generic products send; what the network does to them comes last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from drivers.encode import encode
from drivers.families import FAMILIES
from drivers.families.every import NORMAL
from drivers.mqtt import topics
from drivers.products import catalog
from drivers.telemetry import MINUTE, SECOND
from simulators.drill.kinds import SHIFT
from simulators.mishaps import Rows
from simulators.poison import SPOIL
from simulators.world.city import rounded
from simulators.world.noise import Noise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from drivers.products.product import Product
    from drivers.telemetry import Bool, Float64, Int32, Int64
    from simulators.drill.plan import Injury
    from simulators.drill.scenario import Network
    from simulators.world.city import City
    from simulators.world.cohort import Columns

GLANCE: Final = MINUTE  # how often a device looks at what it watches
MILLISECOND: Final = 1_000
TRANSIT: Final = SECOND  # on a good way
PLAIN: Final = -1


class Said(NamedTuple):
    """One message. device: its position in its cohort. received: µs UTC. injury: the fault on bytes that made it, -1 elsewhere."""

    received: int
    family: str
    device: int
    channel: str
    topic: str
    payload: bytes
    injury: int


class Rota(NamedTuple):
    """Rows of readings to be made. mark: the injury whose begin or end the row tells, PLAIN elsewhere."""

    device: Int32
    time: Int64
    mark: Int64

    def take(self, rows: Int64 | Bool) -> Rota:
        return Rota(self.device[rows], self.time[rows], self.mark[rows])


class Script:
    """`chunk` is asked for successive spans of city time; each is made once."""

    def __init__(self, city: City, injuries: Sequence[Injury], network: Network, seed: int) -> None:
        self.city = city
        self._injuries = {
            family: sorted(
                (one for one in injuries if one.fault.family == family), key=lambda one: one.fault.start
            )
            for family in city.cohorts
        }
        self._by_number = {one.number: one for one in injuries}
        self._network = network
        self._random = np.random.default_rng([seed, 7])
        self._products: dict[str, Product] = {
            family: catalog()[f"generic-{family}"] for family in city.cohorts
        }
        self._phase = {
            family: (Noise(city.seed, f"schedule.{family}").uniform(cohort.everyone()) * _interval(family))
            for family, cohort in city.cohorts.items()
        }
        self._state: dict[str, Int64] = {}
        self._waiting: list[Said] = []

    def chunk(self, start: int, end: int) -> list[Said]:
        """What arrives up to `end` (µs UTC) and was not told before, in order of arrival."""
        said = [*self._waiting]
        for family in self.city.cohorts:
            said += self._of(family, start, end)
            said += self._links(family, start, end)
        said.sort(key=lambda one: one.received)
        here = next((place for place, one in enumerate(said) if one.received > end), len(said))
        self._waiting = said[here:]
        return said[:here]

    def values(self, family: str, device: Int32, time: Int64) -> tuple[Columns, dict[int, dict[str, str]]]:
        """Every point of these devices at these times, and quality words by row where one is not good."""
        found = list(self._active(family, device, time))
        shown = time
        for one, rows in found:
            if one.fault.kind.frozen:
                shown = shown.copy() if shown is time else shown
                shown[rows] = one.fault.start
        columns = self.city.models[family].values(device, shown)
        quality: dict[int, dict[str, str]] = {}
        for one, rows in found:
            self._apply(one, columns, device, time, rows)
            if one.fault.kind.quality:
                quality |= {row: {**quality.get(row, {}), **one.fault.kind.quality} for row in rows.tolist()}
        return rounded(FAMILIES[family], columns), quality

    def _apply(self, one: Injury, columns: Columns, device: Int32, time: Int64, rows: Int64) -> None:
        fault = one.fault
        cohort = self.city.cohorts[fault.family]
        fault.kind.apply(Rows(cohort, columns, rows, device[rows], time[rows], fault.start))

    def _active(self, family: str, device: Int32, time: Int64) -> Iterator[tuple[Injury, Int64]]:
        """Faults with their rows, in the order of their start."""
        if not len(time):
            return
        first, last = int(time.min()), int(time.max())
        for one in self._injuries[family]:
            fault = one.fault
            if fault.start <= last and fault.end > first:
                rows = np.flatnonzero((device == fault.index) & (time >= fault.start) & (time < fault.end))
                if len(rows):
                    yield one, rows

    def _of(self, family: str, start: int, end: int) -> Iterator[Said]:
        """What the devices of a family send, as it arrives."""
        rota, spoilt = self._silenced(family, self._rota(family, start, end))
        n, ids = len(rota.time), self.city.cohorts[family].ids
        arrived, lost = self._arrivals(rota.time), self._random.random(n) < self._network.loss
        again = self._random.random(n) < self._network.duplicates
        for row, payload in enumerate(self._payloads(family, rota)):
            if lost[row]:
                continue
            index, received = int(rota.device[row]), int(arrived[row])
            told = self._event(int(rota.mark[row]), int(rota.time[row]))
            channel = "telemetry" if told is None else "event"
            topic = topics.build(family, ids[index], channel)
            yield Said(received, family, index, channel, topic, payload, PLAIN)
            if again[row]:
                yield Said(received + 3 * SECOND, family, index, channel, topic, payload, PLAIN)
            for one in spoilt.get(row, ()):
                message = SPOIL[one.fault.kind.name](topic, payload)
                yield Said(received + 1, family, index, channel, message.topic, message.payload, one.number)

    def _silenced(self, family: str, rota: Rota) -> tuple[Rota, dict[int, list[Injury]]]:
        """Without those that say nothing; and by row the faults that make a bad message of it besides."""
        kept = np.ones(len(rota.time), bool)
        spoilt: dict[int, list[Injury]] = {}
        for one, rows in self._active(family, rota.device, rota.time):
            if one.fault.kind.mute:
                kept[rows] = False
            elif one.fault.kind.name in SPOIL:
                for row in rows.tolist():
                    spoilt.setdefault(row, []).append(one)
        place = np.cumsum(kept) - 1
        return rota.take(kept), {int(place[row]): bad for row, bad in spoilt.items() if kept[row]}

    def _rota(self, family: str, start: int, end: int) -> Rota:
        """Who says something from `start` up to, not including, `end`: no device twice at one time."""
        regular, changed = self._regular(family, start, end), self._changes(family, start, end)
        turns = [
            (one.fault.index, moment, one.number)
            for one in self._injuries[family]
            for moment in (one.fault.start, one.fault.end)
            if one.fault.kind.at_once and start <= moment < end
        ]
        told = np.array(turns, np.int64).reshape(-1, 3)
        device = np.concatenate([regular.device, changed.device, told[:, 0].astype(np.int32)])
        time = np.concatenate([regular.time, changed.time, told[:, 1]]) // MILLISECOND * MILLISECOND
        mark = np.concatenate([regular.mark, changed.mark, told[:, 2]])
        order = np.lexsort((mark, time, device))
        device, time, mark = device[order], time[order], mark[order]
        while (same := np.flatnonzero((np.diff(device) == 0) & (np.diff(time) <= 0)) + 1).size:
            time[same] = time[same - 1] + MILLISECOND
        return Rota(device, time, mark)

    def _regular(self, family: str, start: int, end: int) -> Rota:
        """Each device at its own place in its interval."""
        interval, phase = _interval(family), self._phase[family].astype(np.int64)
        first = -((phase - start) // interval)
        count = np.maximum(-((phase - end) // interval) - first, 0)
        device = np.repeat(np.arange(len(phase), dtype=np.int32), count)
        turn = np.arange(len(device)) - np.repeat(np.cumsum(count) - count, count)
        time = phase[device] + (first[device] + turn) * interval
        return Rota(device, time, np.full(len(device), PLAIN, np.int64))

    def _changes(self, family: str, start: int, end: int) -> Rota:
        """Devices that watch something report as soon as they see that it has changed."""
        model, cohort = self.city.models[family], self.city.cohorts[family]
        n = len(cohort)
        if not model.watches:
            return Rota(np.array([], np.int32), np.array([], np.int64), np.array([], np.int64))
        looks = np.arange(-(-start // GLANCE) * GLANCE, end, GLANCE, dtype=np.int64)
        lag = (self._phase[family] % GLANCE).astype(np.int64)
        device = np.tile(cohort.everyone(), len(looks))
        time = np.repeat(looks, n) + np.tile(lag, len(looks))
        columns = self._watched(family, device, time)
        bits = np.zeros(len(device), np.int64)
        for position, watch in enumerate(model.watches):
            bits |= (columns[watch.point] > watch.above).astype(np.int64) << position
        seen = bits.reshape(len(looks), n)
        before = np.vstack([self._state.get(family, seen[:1].reshape(-1))[None, :], seen[:-1]])
        self._state[family] = seen[-1]
        rows = np.flatnonzero((seen != before).reshape(-1))
        return Rota(device[rows], time[rows], np.full(len(rows), PLAIN, np.int64))

    def _watched(self, family: str, device: Int32, time: Int64) -> Columns:
        found, shown = list(self._active(family, device, time)), time.copy()
        for one, rows in found:
            if one.fault.kind.frozen:
                shown[rows] = one.fault.start
        columns = self.city.models[family].watched(device, shown)
        for one, rows in found:
            self._apply(one, columns, device, time, rows)
        return columns

    def _payloads(self, family: str, rota: Rota) -> Iterator[bytes]:
        columns, quality = self.values(family, rota.device, rota.time)
        product, names = self._products[family], list(columns)
        cells = zip(*(column.tolist() for column in columns.values()), strict=True)
        stamps = rota.time.copy()
        for one, rows in self._active(family, rota.device, rota.time):
            stamps[rows] += SHIFT.get(one.fault.kind.name, 0)
        told = zip(rota.time.tolist(), stamps.tolist(), rota.mark.tolist(), cells, strict=True)
        for row, (time, stamp, mark, values) in enumerate(told):
            event = None if mark == PLAIN else self._event(mark, time)
            channel = "telemetry" if event is None else "event"
            said = dict(zip(names, values, strict=True))
            yield encode(product, channel, stamp, said, quality.get(row, {}), event)

    def _event(self, mark: int, time: int) -> str | None:
        """What the device itself calls it when a fault begins or ends."""
        if mark == PLAIN:
            return None
        fault = self._by_number[mark].fault
        if fault.kind.event is None:
            return None
        return fault.kind.event if time < fault.end // MILLISECOND * MILLISECOND else NORMAL.name

    def _links(self, family: str, start: int, end: int) -> Iterator[Said]:
        """The endpoint says when a connection is lost, and when it is back."""
        for one in self._injuries[family]:
            fault = one.fault
            for moment, state in ((fault.start, "offline"), (fault.end, "online")):
                if fault.kind.layer == "link" and start <= moment < end:
                    payload = b'{"ts":%d,"state":"%s"}' % (moment // MILLISECOND, state.encode())
                    topic = topics.status_topic(family, fault.device)
                    yield Said(moment + TRANSIT, family, fault.index, "status", topic, payload, PLAIN)

    def _arrivals(self, time: Int64) -> Int64:
        network, n = self._network, len(time)
        way = (TRANSIT * (0.2 + 0.8 * self._random.random(n))).astype(np.int64)
        slow: Float64 = (self._random.random(n) < network.delayed) * self._random.random(n)
        arrived: Int64 = time + way + (slow * network.delay).astype(np.int64)
        return arrived


def _interval(family: str) -> int:
    return FAMILIES[family].interval
