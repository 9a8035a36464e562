"""Trouble as a running gateway tells it: which part, since when, what to do, and whether telemetry waits for it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx

from gateway.app import App
from gateway.clock import CityClock
from gateway.config import Config
from gateway.watchdog import PATIENCE
from tests.gateway.ingest.link_town import free_port


class Leaping(CityClock):
    """Real seconds that a test can add to."""

    added = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.added


def configuration(folder: Path) -> Config:
    link = {"name": "east", "host": "127.0.0.1", "port": free_port(), "reconnect_cap": 1.0}
    return Config.model_validate(
        {
            "data": folder,
            "mqtt": {"endpoint": {"enabled": False}, "link": [link]},
            "http": {"port": 0},
            "notify": {"log": []},
        }
    )


async def ask(gateway: App, path: str) -> tuple[int, dict[str, Any]]:
    transport = httpx.ASGITransport(app=gateway.doors.local)
    async with httpx.AsyncClient(transport=transport, base_url="http://local") as client:
        answer = await client.get(path)
        return answer.status_code, answer.json()


async def test_a_broker_that_is_away_is_told_with_its_beginning_and_keeps_nobody_waiting(
    tmp_path: Path,
) -> None:
    async with App(configuration(tmp_path)) as gateway:
        clock = gateway.core.clock
        began = clock.now()
        async with asyncio.timeout(5):
            while not (first := await ask(gateway, "/readyz"))[1]["warnings"]:
                await clock.sleep(0.02)
        status, body = first
        (warning,) = body["warnings"]
        assert (status, body["ok"], warning["part"], warning["blocking"]) == (200, True, "link east", False)
        assert "[[mqtt.link]]" in warning["remedy"]
        assert abs(warning["since"] - began) < 5_000_000
        await clock.sleep(0.05)
        assert (await ask(gateway, "/readyz"))[1]["warnings"][0]["since"] == warning["since"]


async def test_history_that_cannot_be_written_blocks_and_is_forgotten_once_it_can(tmp_path: Path) -> None:
    async with App(configuration(tmp_path)) as gateway:
        gateway.core.pipeline.stalled = "history: disk full"
        status, body = await ask(gateway, "/readyz")
        (reason,) = body["reasons"]
        assert (status, reason["part"], reason["what"]) == (503, "history", "disk full")
        assert "goes on by itself" in reason["remedy"]
        gateway.core.pipeline.stalled = None
        assert (await ask(gateway, "/readyz"))[0] == 200


async def test_a_pipeline_that_hangs_is_dead_and_one_that_tries_on_is_not(tmp_path: Path) -> None:
    clock = Leaping()
    async with App(configuration(tmp_path), clock) as gateway:
        assert (await ask(gateway, "/livez"))[0] == 200
        clock.added = PATIENCE + 5
        gateway.core.pipeline.beat = clock.monotonic() - PATIENCE - 5
        found = gateway.readiness.stuck()
        assert found is not None
        assert (found.part, found.blocking) == ("pipeline", True)
        assert abs(found.since - (clock.now() - round((PATIENCE + 5) * 1_000_000))) < 1_000_000
        gateway.core.pipeline.beat = clock.monotonic()
        assert gateway.readiness.stuck() is None
