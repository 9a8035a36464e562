"""A city on a clock of its own: scenarios read as timelines, and run through the real gateway and its API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from drivers.telemetry import SECOND
from gateway.app import App
from gateway.clock import CityClock
from gateway.config import Config

ZONE = ZoneInfo("Asia/Shanghai")
MIDNIGHT = datetime(2026, 9, 22, tzinfo=ZONE)  # a Tuesday
ROUNDS = 3_000  # of 10 ms real time: how long an expectation is waited for


class HandClock(CityClock):
    """City time that only the scenario moves."""

    def __init__(self, start: int) -> None:
        super().__init__(start)
        self._at = start

    def now(self) -> int:
        return self._at

    def move(self, to: int) -> None:
        assert to >= self._at, "a timeline does not go back"
        self._at = to


def moment(text: str) -> int:
    """µs UTC of "02:10", "02:10:30" or "+1 02:10" (the next day), city time."""
    day, _, time = text.rpartition(" ")
    hours, minutes, seconds = (*map(int, time.split(":")), 0)[:3]
    at = MIDNIGHT + timedelta(days=int(day or 0), hours=hours, minutes=minutes, seconds=seconds)
    return int(at.timestamp()) * SECOND


class City:
    def __init__(self, gateway: App, clock: HandClock, remote: httpx.AsyncClient) -> None:
        self.gateway = gateway
        self.clock = clock
        self.remote = remote

    async def device(self, id: str, product: str, **fields: Any) -> str:  # noqa: A002 - the field's word
        answer = await self.remote.post("/devices", json={"id": id, "product": product, **fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["secret"])

    async def at(self, text: str) -> City:
        """Let city time go on to this moment, and the gateway notice it."""
        await self.run_to(moment(text))
        return self

    async def run_to(self, to: int) -> None:
        self.clock.move(to)
        swept = self.gateway.core.pipeline.sweeps
        while self.gateway.core.pipeline.sweeps < swept + 2:
            await self.clock.sleep(0.01)

    async def says(self, device: str, _event: str = "", **values: float | str) -> dict[str, Any]:
        """One reading of now, pushed as an operator."""
        item: dict[str, Any] = {"device": device, "ts": self.clock.now() // 1000, "v": values}
        if _event:
            item["event"] = _event
        answer = await self.remote.post("/telemetry", json=item)
        assert answer.is_success, answer.text
        said: dict[str, Any] = answer.json()
        return said

    async def alarms(self, device: str) -> list[dict[str, Any]]:
        found = await self.remote.get("/alarms", params={"device": device})
        items: list[dict[str, Any]] = found.json()["items"]
        return items

    async def case(self, template: str, device: str, state: str) -> dict[str, Any]:
        """The case of this cause, once it is in that state; fails where it does not come to it."""
        seen: list[str] = []
        for _ in range(ROUNDS):
            found = (await self.remote.get("/cases", params={"device": device})).json()["items"]
            seen = [f"{one['template']} {one['state']}" for one in found]
            for one in found:
                if one["template"] == template and one["state"] == state:
                    return dict(one)
            await self.clock.sleep(0.01)
        raise AssertionError(f"no {template} of {device} in state {state}; there are: {seen}")

    async def crew(self, case: dict[str, Any], *events: str, note: str = "") -> None:
        for event in events:
            answer = await self.remote.post(
                f"/cases/{case['id']}/events", json={"event": event, "note": note}
            )
            assert answer.is_success, answer.text


@asynccontextmanager
async def city(folder: Path, start: str, **options: Any) -> AsyncIterator[City]:
    """A running gateway in a fresh directory, at this moment of city time; no socket is opened."""
    clock = HandClock(moment(start))
    config = Config.model_validate(
        {"data": folder, "pipeline": {"tick_ms": 1, "sweep_ms": 10}, "notify": {"log": []}, **options}
    )
    async with App(config, clock, listening=False) as gateway:
        transport = httpx.ASGITransport(app=gateway.doors.local)
        async with httpx.AsyncClient(transport=transport, base_url="http://local/api/v1") as remote:
            yield City(gateway, clock, remote)
