"""Device clocks that are wrong by years, step or drift: every reading is kept, alarms are right, and the offset is shown."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from drivers.telemetry import DAY, HOUR, MINUTE, SECOND
from tests.scenarios.city import City, city, moment

TILTED = "orientationChanged"
CLOCK_WRONG = "clockWrong"


async def says(town: City, device: str, stamp: int, **values: float) -> None:
    item = {"device": device, "ts": stamp // 1000, "v": values}
    answer = await town.remote.post("/telemetry", json=item)
    assert answer.is_success, answer.text
    assert answer.json()["refused"] == []


async def rows(town: City, device: str) -> list[dict[str, Any]]:
    span = {"from": 0, "to": town.clock.now() + DAY, "limit": 1000}
    items: list[dict[str, Any]] = (await town.remote.get(f"/devices/{device}/readings", params=span)).json()[
        "items"
    ]
    return items


async def standing(town: City, device: str) -> list[str]:
    """Alarms of what it senses; that its clock is wrong is told of apart."""
    return [
        one["name"] for one in await town.alarms(device) if one["standing"] and one["name"] != CLOCK_WRONG
    ]


async def clock_is_wrong(town: City, device: str) -> bool:
    return any(one["standing"] for one in await town.alarms(device) if one["name"] == CLOCK_WRONG)


async def offset(town: City, device: str) -> int:
    clock = (await town.remote.get(f"/devices/{device}")).json()["clock"]
    behind: int = clock["offset"]
    return behind


@pytest.mark.parametrize("year", [1970, 2000, 2099])
async def test_a_clock_that_is_wrong_by_years_is_not_believed(tmp_path: Path, year: int) -> None:
    """1970: it counts from its boot; 2000: it was never set."""
    stamp = int(datetime(year, 1, 12, tzinfo=UTC).timestamp()) * SECOND
    behind = moment("02:00") - stamp
    async with city(tmp_path, "02:00") as town:
        await town.device("MH-1", "generic-manhole")
        begin = town.clock.now()
        for minute in range(5):
            await town.run_to(begin + minute * MINUTE)
            await says(town, "MH-1", stamp + minute * MINUTE, tilt=31 if minute > 1 else 1)
        await town.run_to(town.clock.now() + MINUTE)
        assert await standing(town, "MH-1") == [TILTED]
        (alarm,) = await town.alarms("MH-1")
        assert alarm["raised"] == begin + 2 * MINUTE + 30 * SECOND, "by the receive time"
        kept = await rows(town, "MH-1")
        assert [row["time"] for row in kept] == [begin + minute * MINUTE for minute in range(5)]
        assert {tuple(row["flags"]) for row in kept} == {("clock",)}
        assert abs(await offset(town, "MH-1") - behind) < abs(behind) * 1e-6 + SECOND
        (worst,) = (await town.remote.get("/clocks")).json()["items"]
        assert (worst["device"], worst["wrong"]) == ("MH-1", True)


async def test_a_clock_that_stepped_back_is_followed_after_three_intervals(tmp_path: Path) -> None:
    async with city(tmp_path, "02:00") as town:
        await town.device("MH-1", "generic-manhole", interval="60s")
        begin = town.clock.now()
        for minute in range(20):
            await town.run_to(begin + minute * MINUTE)
            back = HOUR if minute >= 5 else 0
            await says(town, "MH-1", town.clock.now() - back, tilt=31 if minute >= 12 else 1)
        await town.run_to(town.clock.now() + MINUTE)
        flags = [row["flags"] for row in sorted(await rows(town, "MH-1"), key=lambda row: row["received"])]
        late = [minute for minute, one in enumerate(flags) if one == ["late"]]
        assert late == [5, 6, 7], "three intervals of nothing but old stamps, then its time counts again"
        assert await standing(town, "MH-1") == [TILTED]
        (alarm,) = await town.alarms("MH-1")
        assert alarm["raised"] == begin + 12 * MINUTE + 30 * SECOND - HOUR, "in the device's own time"
        assert abs(await offset(town, "MH-1") - HOUR) < SECOND


async def test_a_clock_that_stepped_forward_and_back_costs_no_alarm(tmp_path: Path) -> None:
    async with city(tmp_path, "02:00") as town:
        await town.device("MH-1", "generic-manhole", interval="60s")
        begin = town.clock.now()
        for minute in range(20):
            await town.run_to(begin + minute * MINUTE)
            ahead = 2 * HOUR if 5 <= minute < 10 else 0
            await says(town, "MH-1", town.clock.now() + ahead, tilt=31 if minute in {7, 8, 15} else 1)
            if minute == 8:
                assert await standing(town, "MH-1") == [TILTED]
        kept = await rows(town, "MH-1")
        assert [row["flags"] for row in kept] == [[]] * 5 + [["clock"]] * 5 + [[]] * 10
        assert await standing(town, "MH-1") == []
        raised = sorted(one["raised"] for one in await town.alarms("MH-1"))
        assert raised == [
            begin + 7 * MINUTE + 30 * SECOND,
            begin + 15 * MINUTE + 30 * SECOND,
        ]
        assert abs(await offset(town, "MH-1")) < SECOND


@pytest.mark.parametrize("drift", [5 * SECOND, -5 * SECOND], ids=["fast", "slow"])
async def test_a_clock_that_drifts_is_followed_until_it_is_wrong(tmp_path: Path, drift: int) -> None:
    """drift: a minute. A fast clock is replaced once it is a minute ahead; a slow one is right about its order."""
    async with city(tmp_path, "02:00") as town:
        await town.device("MH-1", "generic-manhole", interval="60s")
        begin = town.clock.now()
        for minute in range(30):
            await town.run_to(begin + minute * MINUTE)
            tilt = 31 if minute in {6, 7, 13, 14, 25, 26} else 1
            await says(town, "MH-1", town.clock.now() + minute * drift, tilt=tilt)
            assert await standing(town, "MH-1") == ([TILTED] if minute in {7, 14, 26} else [])
        kept = await rows(town, "MH-1")
        assert len(kept) == 30, "none lost, none doubled"
        assert [row["received"] for row in kept] == sorted(row["received"] for row in kept)
        wrong = [minute for minute, row in enumerate(kept) if row["flags"] == ["clock"]]
        assert wrong == (list(range(13, 30)) if drift > 0 else [])
        assert abs(await offset(town, "MH-1") + 26 * drift) < SECOND, "the median of the last seven"
        assert await clock_is_wrong(town, "MH-1"), "over a minute off for over ten"


async def test_most_clocks_know_better_than_the_host(tmp_path: Path) -> None:
    async with city(tmp_path, "02:00") as town:
        for number in range(6):
            await town.device(f"MH-{number}", "generic-manhole")
            behind = 10 * MINUTE if number else 3 * DAY
            await says(town, f"MH-{number}", town.clock.now() - behind, tilt=1)
        worst = (await town.remote.get("/clocks", params={"limit": 2})).json()["items"]
        assert [one["device"] for one in worst] == ["MH-0", "MH-1"]
        health = (await town.remote.get("http://local/readyz")).json()
        assert [one["what"] for one in health["warnings"] if one["part"] == "clock"] == [
            "city time is 600 s ahead of most devices' clocks"
        ]
        figure = town.gateway.core.metrics.registry.get_sample_value
        assert figure("citygate_device_clocks_wrong", {"family": "manhole"}) == 6


async def test_what_is_known_of_clocks_survives_a_restart(tmp_path: Path) -> None:
    async with city(tmp_path, "02:00") as town:
        await town.device("MH-1", "generic-manhole")
        for minute in range(3):
            await town.run_to(moment("02:00") + minute * MINUTE)
            await says(town, "MH-1", town.clock.now() - 40 * SECOND, tilt=1)
    async with city(tmp_path, "03:00") as town:
        clock = (await town.remote.get("/devices/MH-1")).json()["clock"]
        assert clock == {"offset": 40 * SECOND, "samples": 3, "wrong": False}
