"""The host's clock is set while the city runs, or stands wrong at boot: nothing is raised or missed because of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from drivers.telemetry import DAY, HOUR, MINUTE, SECOND
from gateway.app import App
from gateway.clock import RATE, CityClock, Verdict
from gateway.config import Config
from tests.gateway.host import HandHost

TRUE = 1_790_042_400 * SECOND  # 2026-09-22 10:00 in Shanghai, when the scenarios begin


class Town:
    """Devices have right clocks; only the host's is wrong."""

    def __init__(self, gateway: App, host: HandHost, remote: httpx.AsyncClient) -> None:
        self.gateway = gateway
        self.host = host
        self.remote = remote

    @property
    def clock(self) -> CityClock:
        return self.gateway.core.clock

    async def devices(self, **products: str) -> None:
        for name, product in products.items():
            answer = await self.remote.post("/devices", json={"id": name, "product": product})
            assert answer.is_success, answer.text

    async def run(self, span: int) -> None:
        """So many µs pass, and the gateway notices."""
        self.host.run(span)
        await self.noticed()

    async def noticed(self) -> None:
        swept = self.gateway.core.pipeline.sweeps
        while self.gateway.core.pipeline.sweeps < swept + 3:
            await self.clock.sleep(0.005)

    async def says(self, device: str, **values: float) -> None:
        item = {"device": device, "ts": self.host.true // 1000, "v": values}
        answer = await self.remote.post("/telemetry", json=item)
        assert answer.is_success, answer.text
        assert answer.json()["refused"] == []

    async def standing(self) -> set[tuple[str, str]]:
        found = (await self.remote.get("/alarms")).json()["items"]
        return {(one["device"], one["name"]) for one in found if one["standing"]}

    async def flags(self, device: str) -> list[list[str]]:
        span = {"from": 0, "to": self.clock.now() + DAY}
        rows = (await self.remote.get(f"/devices/{device}/readings", params=span)).json()["items"]
        return [row["flags"] for row in rows]

    async def warnings(self) -> list[str]:
        health = (await self.remote.get("http://local/readyz")).json()
        return [one["what"] for one in health["warnings"] if one["part"] == "clock"]

    def figure(self, name: str, **labels: str) -> float | None:
        return self.gateway.core.metrics.registry.get_sample_value(name, labels)


@asynccontextmanager
async def town(folder: Path, host: HandHost) -> AsyncIterator[Town]:
    config = Config.model_validate(
        {"data": folder, "pipeline": {"tick_ms": 1, "sweep_ms": 10}, "notify": {"log": []}}
    )
    async with App(config, CityClock(host=host), listening=False) as gateway:
        transport = httpx.ASGITransport(app=gateway.doors.local)
        async with httpx.AsyncClient(transport=transport, base_url="http://local/api/v1") as remote:
            yield Town(gateway, host, remote)


PRODUCTS: dict[str, Any] = {"MH": "generic-manhole", "DU": "generic-dust", "QUIET": "generic-dust"}
TILTED = ("MH", "orientationChanged")
DUSTY = ("DU", "pm10TooHigh")


async def test_set_forward_an_hour_nothing_is_raised_and_what_runs_goes_on(tmp_path: Path) -> None:
    host = HandHost(wall=TRUE - HOUR, true=TRUE)
    async with town(tmp_path, host) as it:
        await it.devices(**PRODUCTS)
        for _ in range(10):
            await it.run(MINUTE)
            await it.says("DU", pm10=260)
            await it.says("QUIET", pm10=20)
        await it.says("MH", tilt=31)
        await it.run(10 * SECOND)
        host.correct()
        await it.run(5 * SECOND)
        assert it.clock.now() == host.true, "city time is the host's at once"
        assert await it.standing() == set(), "the tilt has stood for 15 s of 30, whatever the clock says"
        await it.run(20 * SECOND)
        assert await it.standing() == {TILTED}

        # five minutes of dust were missing for the quarter-hour's mean, and five it takes
        await it.says("QUIET", pm10=20)
        for _ in range(5):
            await it.run(MINUTE)
            await it.says("DU", pm10=260)
            await it.says("QUIET", pm10=20)
        await it.run(90 * SECOND)
        assert await it.standing() == {TILTED, DUSTY}
        assert (await it.flags("DU"))[:10] == [["clock"]] * 10, "an hour ahead of a host that was behind"
        assert (await it.flags("DU"))[10:] == [[]] * 5
        assert it.figure("citygate_host_clock_steps_total", direction="forward") == 1
        assert it.figure("citygate_city_time_leaps_total") == 1

        # silence is still heard
        for _ in range(25):
            await it.run(MINUTE)
            await it.says("DU", pm10=260)
        assert ("QUIET", "communicationFailure") in await it.standing()


async def test_set_back_an_hour_city_time_goes_on_slower(tmp_path: Path) -> None:
    host = HandHost(wall=TRUE + HOUR, true=TRUE)
    async with town(tmp_path, host) as it:
        await it.devices(MH="generic-manhole", DU="generic-dust")
        await it.says("DU", pm10=20)
        await it.says("MH", tilt=31)
        before = it.clock.now()
        host.correct()
        await it.noticed()
        assert it.clock.now() >= before
        assert await it.warnings() == [
            "the host's clock is 3600 s behind; city time waits for it, slower by 1/8"
        ]
        assert it.figure("citygate_host_clock_steps_total", direction="back") == 1
        await it.run(15 * SECOND)
        assert await it.standing() == set()
        await it.run(20 * SECOND)
        assert await it.standing() == {TILTED}, "30 s of city time are 34 s now"
        for _ in range(10):
            await it.run(MINUTE)
            await it.says("DU", pm10=20)
            assert await it.standing() == {TILTED}
        for _ in range(35):
            await it.run(MINUTE)
        assert await it.standing() == {TILTED, ("DU", "communicationFailure")}, "silence is not missed"
        await it.run(RATE * HOUR)
        assert it.clock.verdict is Verdict.TOGETHER
        assert await it.warnings() == []


async def test_set_back_by_mistake_and_right_again_no_window_is_lost(tmp_path: Path) -> None:
    host = HandHost(wall=TRUE)
    async with town(tmp_path, host) as it:
        await it.devices(DU="generic-dust")
        for minute in range(20):
            if minute == 3:
                host.set(-HOUR)
            if minute == 15:
                host.correct()
            await it.run(MINUTE)
            await it.says("DU", pm10=260)
        await it.run(90 * SECOND)
        assert await it.standing() == {DUSTY}
        assert it.clock.now() == host.true
        assert len(await it.flags("DU")) == 20


async def test_a_host_that_boots_in_1970_goes_on_from_the_log(tmp_path: Path) -> None:
    host = HandHost(wall=TRUE)
    async with town(tmp_path, host) as it:
        await it.devices(**PRODUCTS)
        await it.run(MINUTE)
        await it.says("DU", pm10=20)
        await it.says("MH", tilt=1)
    host.run(2 * DAY)
    booted = HandHost(wall=30 * SECOND, true=host.true)
    async with town(tmp_path, booted) as it:
        assert TRUE < it.clock.now() < TRUE + HOUR, "it knows no better"
        await it.says("DU", pm10=20)
        await it.says("MH", tilt=31)
        await it.run(40 * SECOND)
        assert await it.standing() == {TILTED}, "alarms do not wait for the right time"
        (warning,) = await it.warnings()
        assert warning.endswith("days behind what is recorded, and is not believed")
        booted.correct()
        await it.noticed()
        assert it.clock.now() == booted.true
        assert await it.standing() == {TILTED}, "nobody was silent for two days"
        await it.says("DU", pm10=20)
        await it.says("MH", tilt=1)
        assert await it.standing() == set()
        assert (await it.flags("DU"))[-2:] == [["clock"], []]
        assert await it.warnings() == []


async def test_a_first_boot_in_1970_has_no_log_to_go_on_from(tmp_path: Path) -> None:
    host = HandHost(wall=30 * SECOND, true=TRUE)
    async with town(tmp_path, host) as it:
        await it.devices(**PRODUCTS)
        await it.says("MH", tilt=31)
        await it.run(40 * SECOND)
        host.correct()
        await it.noticed()
        assert it.clock.now() == host.true
        assert await it.standing() == {TILTED}
        await it.says("MH", tilt=1)
        assert await it.standing() == set()


async def test_a_restart_after_a_step_back_denies_nothing(tmp_path: Path) -> None:
    host = HandHost(wall=TRUE + HOUR, true=TRUE)
    async with town(tmp_path, host) as it:
        await it.devices(**PRODUCTS)
        await it.says("DU", pm10=20)
        await it.says("MH", tilt=31)
        await it.run(40 * SECOND)
        assert await it.standing() == {TILTED}
        last = it.clock.now()
    host.correct()
    async with town(tmp_path, host) as it:
        assert it.clock.now() >= last
        await it.run(MINUTE)
        assert await it.standing() == {TILTED}
        await it.says("DU", pm10=20)
        await it.says("MH", tilt=1)
        assert await it.standing() == set()
        await it.run((RATE + 1) * HOUR)
        assert it.clock.now() - host.true < SECOND


async def test_a_host_set_ahead_by_years_does_not_take_the_city_with_it(tmp_path: Path) -> None:
    host = HandHost(wall=TRUE)
    async with town(tmp_path, host) as it:
        await it.devices(**PRODUCTS)
        await it.says("DU", pm10=20)
    host.run(MINUTE)
    host.set(26_000 * DAY)
    async with town(tmp_path, host) as it:
        await it.noticed()
        assert it.clock.now() < TRUE + HOUR
        (warning,) = await it.warnings()
        assert warning.endswith("days ahead of what is recorded, and is not believed")
        await it.says("DU", pm10=20)
        assert await it.standing() == set()
        host.correct()
        await it.noticed()
        assert it.clock.verdict in {Verdict.TOGETHER, Verdict.HURRYING}
