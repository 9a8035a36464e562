"""A dust station loses its link for two hours: afterwards history has no gap, and what was filled in raised nothing."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import httpx

from drivers.products import catalog
from drivers.telemetry import HOUR, MINUTE
from gateway.app import App
from gateway.config import Config
from simulators.hj212_stations import StationLink, dial
from simulators.pace import Pace
from tests.scenarios.city import City, HandClock, moment

SHANGHAI = ZoneInfo("Asia/Shanghai")
SITE = "010000A8900016F000169DC0"
BEFORE, OUTAGE, AFTER = 10, 120, 10  # minutes


class HandPace(Pace):
    """The station lives in the scenario's time."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock.now())
        self._clock = clock

    def now(self) -> int:
        return self._clock.now()


def measured(time: int) -> dict[str, float]:
    """Clean air, but for an hour of filth in the middle of the outage."""
    minute = (time - moment("09:00")) // MINUTE
    return {"pm10": 900.0 if 40 <= minute < 100 else 60.0, "noise": 55.0, "pressure": 101.2}


async def test_two_hours_without_a_link_leave_no_gap_and_raise_nothing(tmp_path: Path) -> None:
    clock = HandClock(moment("09:00"))
    settings = {"enabled": True, "host": "127.0.0.1", "port": 0, "look": 0.01}
    config = Config.model_validate(
        {
            "data": tmp_path,
            "pipeline": {"tick_ms": 1, "sweep_ms": 10},
            "notify": {"log": []},
            "hj212": settings,
        }
    )
    async with App(config, clock, listening=False) as gateway:
        transport = httpx.ASGITransport(app=gateway.doors.local)
        async with httpx.AsyncClient(transport=transport, base_url="http://local/api/v1") as remote:
            city = City(gateway, clock, remote)
            await city.device(SITE, "hj212-dust", name="site", area="xuhui")
            await gateway.doors.stations.start(gateway.tasks)
            try:
                await lived(city)
            finally:
                await gateway.doors.stations.stop()


async def lived(city: City) -> None:
    profile = catalog()["hj212-dust"].hj212
    assert profile is not None
    station = StationLink(SITE, profile, measured, HandPace(city.clock), zone=SHANGHAI)
    start = city.clock.now()
    for minute in range(BEFORE + OUTAGE + AFTER):
        city.clock.move(start + minute * MINUTE)
        if minute == BEFORE:
            station.cut()
        if minute in {0, BEFORE + OUTAGE}:
            await dial([station], "127.0.0.1", city.gateway.doors.stations.port)
        station.measure(city.clock.now())
        while station.connected and station.kept:
            await city.clock.sleep(0.002)
    await city.run_to(city.clock.now() + MINUTE)
    wanted = {start + minute * MINUTE for minute in range(BEFORE + OUTAGE + AFTER)}
    assert set(station.times) == wanted
    found = await stored(city, start)
    assert found == wanted
    raised = {one["name"] for one in await city.alarms(SITE)}
    assert "communicationFailure" in raised
    assert raised <= {"communicationFailure", "stationFault"}, (
        "silence raised these; the filth in it is history"
    )
    assert city.gateway.doors.stations.hub.counters.pulls == 2, "minute and hour data"
    assert city.clock.now() - start < 3 * HOUR


async def stored(city: City, start: int) -> set[int]:
    """Times of the samples in history."""
    answer = await city.remote.get(
        f"/devices/{SITE}/readings",
        params={"from": start, "to": city.clock.now(), "points": ["pm10"], "limit": 1000},
    )
    assert answer.is_success, answer.text
    return {row["time"] for row in answer.json()["items"] if row["kind"] == "sample"}
