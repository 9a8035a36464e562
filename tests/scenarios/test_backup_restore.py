"""A backup of a city that goes on talking, and the city that rises from it: nothing acked is lost, every alarm is there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.products import catalog
from gateway.backup.backup import Taken
from gateway.backup.restore import Restored, Wish, restore
from gateway.cli.backup import report, take
from gateway.clock import CityClock
from gateway.errors import Conflict
from gateway.history.settings import HistorySettings
from tests.scenarios.city import City, city, moment

FAMILIES = ("manhole", "dust")


async def rise(backup: Path, data: Path) -> Restored:
    wish = Wish(backup, data, check=True)
    return await restore(wish, catalog(), HistorySettings(), CityClock(moment("12:00")))


async def said(town: City, until: int) -> list[Any]:
    """Every reading of a tick up to `until`, as the API exports it."""
    found: list[Any] = []
    for family in FAMILIES:
        answer = await town.remote.get(f"/readings/{family}", params={"from": str(moment("00:00"))})
        found += [json.loads(line) for line in answer.text.splitlines()]
    return [one for one in found if one["tick"] <= until]


async def alarms(town: City) -> list[tuple[Any, ...]]:
    items = (await town.remote.get("/alarms", params={"limit": 1000})).json()["items"]
    return sorted(
        (one["id"], one["device"], one["name"], one["state"], one["raised"], one["cleared"]) for one in items
    )


@asynccontextmanager
async def talking(town: City) -> AsyncIterator[list[int]]:
    """Devices go on talking; the ticks by which each reading was acknowledged."""
    acked: list[int] = []

    async def talk() -> None:
        n = 0
        while True:
            n += 1
            town.clock.move(town.clock.now() + 1_000_000)
            await town.says("DU-0001", pm10=100 + n % 40)
            await town.says("MH-0001", tilt=1 + n % 3)
            acked.append(town.gateway.core.history.last_tick())
            await town.clock.sleep(0.001)

    task = asyncio.ensure_future(talk())
    try:
        yield acked
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def build(town: City) -> None:
    for number in (1, 2):
        await town.device(f"MH-000{number}", "generic-manhole", area="xuhui")
        await town.device(f"DU-000{number}", "generic-dust", area="xuhui")
    await town.says("MH-0002", tilt=2, cover="closed")
    await town.at("02:01")
    await town.says("MH-0002", tilt=40)
    await town.at("02:02")
    await town.case("cover-danger", "MH-0002", "dispatched")


@pytest.mark.parametrize("target", ["copy", "copy.tar"])
async def test_a_city_rises_from_a_backup_that_was_made_while_it_talked(tmp_path: Path, target: str) -> None:
    backup = tmp_path / target
    async with city(tmp_path / "data", "02:00") as town:
        await build(town)
    async with city(tmp_path / "data", "02:03") as town:  # it has a snapshot now, and goes on from it
        async with talking(town) as acked:
            while len(acked) < 20:
                await town.clock.sleep(0.01)
            assert await take(town.remote, backup) == []
        await town.at("02:10")
        restored = await rise(backup, tmp_path / "risen")
        tick = restored.contents.ticks.history
        assert restored.contents.ticks.snapshot > 0
        assert restored.contents.ticks.snapshot <= restored.contents.ticks.operations <= tick
        assert sum(at <= tick for at in acked) >= 20, "it talked while it was copied"
        wanted, standing = await said(town, tick), await alarms(town)
    async with city(tmp_path / "risen", "02:10") as risen:
        assert await said(risen, tick) == wanted
        assert await alarms(risen) == standing
        assert risen.gateway.core.replayed > 0
        await risen.case("cover-danger", "MH-0002", "dispatched")
        await risen.says("MH-0001", tilt=3)


async def test_what_happens_between_operations_and_history_is_in_the_city_that_rises(tmp_path: Path) -> None:
    """The gap between the two moments is where alarms, devices and rules could get lost."""
    backup = tmp_path / "copy"
    async with city(tmp_path / "data", "02:00") as town:
        await build(town)
        core = town.gateway.core
        async for stage in town.gateway.backup.take(backup):
            if not isinstance(stage, Taken) and stage.stage == "operations":
                await town.at("02:10")
                await town.says("MH-0001", tilt=35)
                await town.at("02:11")
                await town.case("cover-danger", "MH-0001", "dispatched")
                core.derived.save(
                    tmp_path / "data" / "snapshots", core.pipeline.number
                )  # too new for operations
                await town.device("MH-0003", "generic-manhole", area="jingan", attributes={"depth": 2.5})
                await town.says("MH-0003", tilt=7)
                await town.remote.patch("/devices/MH-0002", json={"area": "pudong"})
                await core.rulebook.override("cover-tilted", "limit", "area:jingan", 20, "test", "soft soil")
        standing, index = await alarms(town), core.directory.device("MH-0003")
    restored = await rise(backup, tmp_path / "risen")
    assert restored.forwarded.secretless == ["MH-0003"]
    assert (restored.forwarded.devices, restored.forwarded.parameters) == (2, 1)
    assert any("MH-0003" in line for line in report(Wish(backup, tmp_path / "risen"), restored))
    async with city(tmp_path / "risen", "02:11") as risen:
        await risen.at("02:12")
        assert await alarms(risen) == standing
        await risen.case("cover-danger", "MH-0001", "dispatched")
        assert index is not None
        known = risen.gateway.core.directory.device("MH-0003")
        assert known is not None
        assert (known.index, known.digest) == (index.index, bytes(32))
        assert (await risen.remote.get("/devices/MH-0002")).json()["area"] == "pudong"
        (own,) = await risen.gateway.core.rulebook.overrides("cover-tilted")
        assert (own.scope, own.value) == ("area:jingan", 20)
        latest = (await risen.remote.get("/devices/MH-0003/latest")).json()
        assert latest["values"]["tilt"]["value"] == 7
        await risen.device("MH-0004", "generic-manhole")
        fresh = risen.gateway.core.directory.device("MH-0004")
        assert fresh is not None
        assert fresh.index == index.index + 1, "an index is never used again"


async def test_parts_come_along_and_history_agrees_with_itself(tmp_path: Path) -> None:
    backup = tmp_path / "copy"
    async with city(tmp_path / "data", "02:00") as town:
        await build(town)
    async with city(tmp_path / "data", "+2 02:00") as town:
        await town.remote.post("/history/compact")
        parts = (await town.remote.get("/history/parts")).json()["items"]
        assert parts
        await take(town.remote, backup)
        wanted = await said(town, 1 << 60)
        restored = await rise(backup, tmp_path / "risen")
    assert dict(restored.checked)["parts"] == len(parts)
    async with city(tmp_path / "risen", "+2 02:01") as risen:
        assert (await risen.remote.get("/history/parts")).json()["items"] == parts
        assert await said(risen, 1 << 60) == wanted


async def test_nothing_that_stands_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter").write_text("mine", encoding="utf-8")
    async with city(tmp_path / "data", "02:00") as town:
        answer = await town.remote.post("/backup", json={"to": str(tmp_path / "full")})
        assert (answer.status_code, "not an empty folder" in answer.json()["detail"]) == (409, True)
        await take(town.remote, tmp_path / "copy")
        answer = await town.remote.post("/backup", json={"to": str(tmp_path / "copy")})
        assert answer.status_code == 409
        assert (await town.remote.post("/backup", json={"to": "here"})).status_code == 422
    with pytest.raises(Conflict, match="not an empty folder"):
        await rise(tmp_path / "copy", tmp_path / "data")
    assert (tmp_path / "full" / "letter").read_text(encoding="utf-8") == "mine"
