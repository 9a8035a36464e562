"""Sunrise and sunset against the astral package, and where the sun does neither."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from astral import Observer
from astral.sun import sunrise, sunset

from drivers.telemetry import DAY, HOUR, MINUTE, SECOND
from rules.sun import Almanac, sun_times
from rules.zone import Zone

PLACES = {
    "Shanghai": (31.23, 121.47),
    "Urumqi": (43.83, 87.62),
    "Harbin": (45.8, 126.53),
    "Sanya": (18.25, 109.5),
    "Sydney": (-33.87, 151.21),
    "Quito": (-0.18, -78.47),
    "Helsinki": (60.17, 24.94),
    "Fiji": (-17.8, 178.1),
    "Adak": (51.88, -176.65),
}


def micros(moment: datetime) -> int:
    return round(moment.timestamp()) * SECOND


@pytest.mark.parametrize("place", PLACES)
def test_sunrise_and_sunset_lie_within_two_minutes_of_astral(place: str) -> None:
    lat, lon = PLACES[place]
    days = [date(2026, 1, 1) + timedelta(step) for step in range(0, 365, 9)]
    noons = [
        micros(datetime(day.year, day.month, day.day, 12, tzinfo=UTC)) - round(lon * 4 * MINUTE)
        for day in days
    ]
    start, rise, fall, end = sun_times(np.array(noons), np.full(len(days), lat), np.full(len(days), lon))
    assert (start < rise).all()
    assert (rise < fall).all()
    assert (fall < end).all()
    for noon, up, down in zip(noons, rise, fall, strict=True):
        for event, found in ((sunrise, up), (sunset, down)):
            around = datetime.fromtimestamp(noon / SECOND, UTC).date()
            told = [micros(event(Observer(lat, lon), around + timedelta(step), UTC)) for step in (-1, 0, 1)]
            assert min(abs(each - int(found)) for each in told) <= 2 * MINUTE


def test_the_sun_may_be_up_or_down_all_day() -> None:
    summer, winter = (micros(datetime(2026, month, 21, 12, tzinfo=UTC)) for month in (6, 12))
    lat, lon = np.full(2, 69.65), np.full(2, 18.96)  # Tromso
    start, rise, fall, end = sun_times(np.array([summer, winter]), lat, lon)
    assert (rise[0], fall[0]) == (start[0], end[0])
    assert (rise[1], fall[1]) == (end[1], end[1])
    almanac = Almanac(1)
    who = np.zeros(24, np.int64)
    hours = np.arange(24) * HOUR
    assert almanac.up(who, summer + hours, (lat, lon)).all()
    assert not almanac.up(who, winter + hours, (lat, lon)).any()


def test_days_join_without_a_gap() -> None:
    times = micros(datetime(2026, 3, 1, tzinfo=UTC)) + np.arange(0, 40 * DAY, 37 * MINUTE)
    start, _, _, end = sun_times(times, np.full(len(times), 31.2), np.full(len(times), 121.5))
    assert ((start <= times) & (times < end)).all()
    edges = np.unique(start)
    assert (np.isin(end, edges) | (end > edges[-1])).all()


def test_a_device_that_moves_gets_another_sun() -> None:
    almanac = Almanac(1)
    lat, lon = np.array([31.2]), np.array([121.5])
    noon = np.array([micros(datetime(2026, 3, 10, 4, tzinfo=UTC))])
    who = np.array([0])
    assert almanac.up(who, noon, (lat, lon))[0]
    almanac.moved(who)
    assert not almanac.up(who, noon, (lat, np.array([-60.0])))[0]


def test_time_of_day_follows_the_zone_through_summer_time() -> None:
    zone = Zone("Europe/Berlin")
    moments = [datetime(2026, 3, 29, hour, 30, tzinfo=UTC) for hour in (0, 1)]  # 01:30 CET, 03:30 CEST
    times = np.array([micros(moment) for moment in moments])
    assert list(zone.time_of_day(times) // MINUTE) == [90, 210]
    assert list(zone.time_of_day(times[1:]) // MINUTE) == [210]
    assert len(zone.time_of_day(times[:0])) == 0
