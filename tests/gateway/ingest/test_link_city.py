"""The whole gateway behind a broker that is stopped and started: each acknowledged reading once in history, no false silence."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from drivers.families import FAMILIES
from drivers.telemetry import HOUR
from gateway.app import App
from gateway.cases import query
from gateway.clock import CityClock
from gateway.config import Config
from tests.gateway.ingest.link_town import Broker, Feeder, Town, linked, running

DEVICES = 20
SPEED = 1_800.0  # city seconds in a real one: an outage of a second is half an hour
SILENT = 1_800.0  # seconds after which a monitor counts as silent: one real one

pytestmark = pytest.mark.peer("mosquitto")


def configuration(folder: Path, port: int, cap: float = 1.0) -> Config:
    link = linked(port, reconnect_cap=cap).model_dump(exclude_unset=True)
    return Config.model_validate(
        {
            "data": folder / "data",
            "mqtt": {"endpoint": {"enabled": False}, "link": [link]},
            "http": {"port": 0},
            "notify": {"log": []},
        }
    )


async def settle_in(gateway: App) -> None:
    await gateway.core.rulebook.override("dust-silent", "timeout", "", SILENT / 60, "test", "a quick test")
    for number in range(DEVICES):
        form = {"id": f"DU-{number}", "product": "generic-dust", "link": "broker"}
        await gateway.core.devices.create(form, "test")
    await Town().until(lambda: next(iter(gateway.doors.links)).up)


async def stored(gateway: App) -> list[tuple[int, int]]:
    """(device, time) of every row."""
    keys: list[tuple[int, int]] = []
    async for chunk in gateway.core.queries.readings(FAMILIES["dust"], 0, 2**60):
        keys += zip(chunk.device.tolist(), chunk.time.tolist(), strict=True)
    return keys


async def outages(folder: Path, times: int, pause: float, away: float, cap: float = 1.0) -> None:
    async with Broker(folder) as broker:
        clock = CityClock(speed=SPEED)
        start = clock.now() // 1000 - 3_600_000

        def reading(number: int) -> bytes:
            return b'{"ts":%d,"v":{"pm10":%d}}' % (start + number, number % 50)

        feeder = Feeder(
            broker.port, [f"city/dust/DU-{number}/telemetry" for number in range(DEVICES)], reading
        )
        async with App(configuration(folder, broker.port, cap), clock) as gateway:
            await settle_in(gateway)
            link = next(iter(gateway.doors.links))
            async with running(feeder.run()):
                await Town().until(lambda: link.counters.acked > DEVICES)
                began = clock.now()
                for _ in range(times):
                    await clock.sleep(pause)
                    await broker.stop()
                    await Town().until(lambda: not link.up)
                    await clock.sleep(away)
                    await broker.start()
                    await Town().until(lambda: link.up)
                ended = clock.now()
                feeder.limit = feeder.sent
                await Town().until(lambda: len(feeder.acked) == feeder.sent, 30)
                expected = {(number % DEVICES, (start + number) * 1000) for number in feeder.acked}
                for _ in range(600):
                    if len(keys := await stored(gateway)) >= len(expected):
                        break
                    await clock.sleep(0.1)
                assert len(keys) == len(set(keys)), "each once"
                assert set(keys) == expected
            feeder.stop()
            alarms = await gateway.core.store.read(query.alarms)
            silent = [each["raised"] for each in alarms.items if each["rule"] == "dust-silent"]
            assert not [moment for moment in silent if began < moment < ended], "no false silence"
            assert link.counters.reconnects == times
            print(f"{len(keys)} readings, {link.counters.repeated} repeated")


async def test_the_broker_is_away_for_longer_than_a_device_may_be_silent(tmp_path: Path) -> None:
    await outages(tmp_path, times=1, pause=0.3, away=1.3)


@pytest.mark.drill
async def test_twenty_restarts_of_the_broker_under_load(tmp_path: Path) -> None:
    await outages(tmp_path, times=20, pause=2.0, away=1.0, cap=2.0)


async def test_the_gateway_restarts_while_the_broker_is_away(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    clock = CityClock(speed=SPEED)
    async with broker, App(configuration(tmp_path, broker.port), clock) as gateway:
        await settle_in(gateway)
    again = CityClock(clock.now() + HOUR, SPEED)
    async with App(configuration(tmp_path, broker.port), again) as gateway:
        assert gateway.core.derived.engine.links["broker"] is not None
        await again.sleep(1.2 * SILENT / SPEED)
        assert gateway.core.derived.engine.standing("dust", 0) == []
    last = CityClock(again.now() + HOUR, SPEED)
    async with broker, App(configuration(tmp_path, broker.port), last) as gateway:
        link = next(iter(gateway.doors.links))
        await Town().until(lambda: link.up)
        assert link.counters.sessions_lost == 0
        async with asyncio.timeout(10):
            while not (standing := gateway.core.derived.engine.standing("dust", 0)):
                await last.sleep(0.05)
        assert standing[0].rule == "dust-silent"  # heard of no more, though all is up
