"""Twenty stations of every bad habit against the real server: nothing acknowledged is missing, nothing is told twice wrongly."""

from __future__ import annotations

import asyncio
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from drivers.families import FAMILIES
from drivers.hj212.crc import Crc
from drivers.hj212.tolerance import Tolerance
from drivers.products import catalog
from drivers.refusal import Reason
from drivers.telemetry import HOUR, MINUTE, SECOND, Flag, Kind, Quality
from simulators.hj212_stations import Manners, StationLink, dial
from simulators.pace import Pace
from simulators.world.city import City
from tests.gateway.ingest.hj212_city import PATIENCE, ZONE, Town, town

SHANGHAI = ZoneInfo(ZONE)
HABITS = (
    Manners(),
    Manners(wrong_crc=3),
    Manners(wrong_length=2, no_trailer=3),
    Manners(items=3),
    Manners(garbage=2, st="22"),
    Manners(version=2),
    Manners(version=0),
    Manners(obeys=False),
    Manners(quality={"noise": Quality.FAULT}),
    Manners(items=2, wrong_crc=7),
)


class District:
    """Stations that measure what the city's building sites show."""

    def __init__(self, one: Town, count: int, habits: tuple[Manners, ...] = HABITS) -> None:
        profile = one.products["hj212-dust"].hj212
        assert profile is not None
        self.pace = Pace(one.clock.now() // SECOND * SECOND)
        self.points = [factor.point for factor in profile.factors]
        self.city = City.build(600, 7, self.pace.start)
        self.town = one
        self.stations = [
            StationLink(
                f"M{index:04}",
                profile,
                lambda time, index=index: self.value(index, time),  # type: ignore[misc]
                self.pace,
                zone=SHANGHAI,
                manners=habits[index % len(habits)],
            )
            for index in range(count)
        ]

    def value(self, index: int, time: int) -> dict[str, float]:
        columns = self.city.values("dust", np.array([index], np.int32), np.array([time], np.int64))
        return {name: round(float(columns[name][0]), 2) for name in self.points}

    async def dial(self) -> None:
        await dial(self.stations, "127.0.0.1", self.town.server.port)

    def measure(self, time: int) -> None:
        for station in self.stations:
            station.measure(time)

    async def settled(self) -> None:
        """Until every station is rid of all it kept; damaged frames are sent again."""

        def done() -> bool:
            for station in self.stations:
                if station.kept:
                    station.resend()
            return not any(station.kept for station in self.stations)

        async with asyncio.timeout(PATIENCE):
            while not done():
                await self.town.clock.sleep(0.1)


async def test_twenty_stations_of_every_habit_lose_nothing() -> None:
    async with town(20, greet=True) as one:
        district = District(one, 20)
        await district.dial()
        times = [district.pace.start - (5 - step) * MINUTE for step in range(6)]
        for time in times:
            district.measure(time)
        await district.settled()
        for index, station in enumerate(district.stations):
            assert one.times(index) == set(times)
            assert sorted(station.times) == times
        reasons = {refusal.reason for refusal in one.refusals}
        assert reasons == {Reason.BAD_CRC, Reason.BAD_FRAME}
        tolerated = one.server.hub.tolerated
        assert tolerated[Tolerance.LENGTH] > 0
        assert one.server.hub.counters.strays == 0
        await one.until(lambda: district.stations[0].tally.requests == 6)


async def test_rows_are_what_the_stations_measured() -> None:
    async with town(2) as one:
        district = District(one, 2, (Manners(), Manners(items=2)))
        await district.dial()
        district.measure(district.pace.start)
        await district.settled()
        index = FAMILIES["dust"].index
        for device in (0, 1):
            found: dict[str, float] = {}
            for batch in one.batches:
                for row in np.flatnonzero(batch.device == device):
                    for name in district.points:
                        value = batch.values[index[name], row]
                        if not np.isnan(value):
                            found[name] = float(value)
            assert found == pytest.approx(district.value(device, district.pace.start))


async def test_a_lost_link_leaves_no_gap_and_what_comes_late_is_historical() -> None:
    """The memory is sent first, oldest first: none of it may be judged as if it were of now."""
    async with town(3) as one:
        district = District(one, 3, (Manners(), Manners(items=3), Manners(version=2)))
        await district.dial()
        start = district.pace.start - 2 * HOUR
        district.measure(district.pace.start - 2 * HOUR - MINUTE)
        await district.settled()
        for station in district.stations:
            station.cut()
        await one.until(lambda: one.server.hub.present == 0)
        times = {start + minute * MINUTE for minute in range(0, 121, 4)}
        for time in sorted(times):
            district.measure(time)
        one.last = dict.fromkeys(range(3), start - MINUTE)
        await district.dial()
        await district.settled()
        for index in range(3):
            assert one.times(index) >= times
            live = one.times(index, 0)
            assert live, "the newest are live"
            assert min(live) >= district.pace.start - 5 * MINUTE
            assert one.times(index, Flag.HISTORICAL) >= {time for time in times if time < min(live)}


async def test_a_station_without_a_memory_is_pulled() -> None:
    async with town(1) as one:
        district = District(one, 1, (Manners(),))
        [station] = district.stations
        past = [district.pace.start - step * 10 * MINUTE for step in range(12)]
        for time in past:
            station.measure(time)
        station.forget()
        one.last[0] = min(past)
        await district.dial()
        station.measure(district.pace.start)
        await one.until(lambda: one.server.hub.counters.answers >= 4)
        await one.until(lambda: len(one.times(0, Flag.HISTORICAL)) >= 10)

        def kinds() -> set[Kind]:
            return {Kind(int(kind)) for batch in one.batches for kind in batch.kind}

        await one.until(lambda: Kind.HOUR in kinds())
        assert kinds() == {Kind.SAMPLE, Kind.MINUTE, Kind.HOUR}


async def test_a_station_with_a_wrong_clock_is_set_right() -> None:
    async with town(1) as one:
        district = District(one, 1, (Manners(),))
        [station] = district.stations
        station.clock = -3 * HOUR
        await district.dial()
        for step in range(2):
            station.measure(district.pace.start - 3 * HOUR + step * SECOND)
        await one.until(lambda: station.tally.requests == 1)
        await one.until(lambda: abs(station.clock) < 2 * SECOND)


async def test_a_station_of_the_other_sum_is_refused_unless_it_may() -> None:
    async with town(2, mns={"M0001": {"crc": "either"}}) as one:
        district = District(one, 2, (Manners(crc=Crc.MODBUS),))
        await district.dial()
        district.measure(district.pace.start)
        await one.until(lambda: one.rows == 1 and len(one.refusals) == 1)
        assert one.times(1) == {district.pace.start}
        assert one.refusals[0].reason is Reason.BAD_CRC
        assert catalog()["hj212-dust"].hj212 is not None
