"""Feeders are cut: a cabinet without power is one case with its lamps folded in, and a whole district dark is one storm."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import func, select

from drivers.telemetry import SECOND
from gateway.store.schema import cases as schema
from tests.scenarios.city import City, city, moment

PORTION = 2_000  # devices or readings of one request
CHANNEL = "duty"


class Streets(NamedTuple):
    """Cabinets of one district, each with lamps on two loops, and how many feeders are cut."""

    cabinets: int
    lamps: int  # of a cabinet
    cut: int

    def dark(self) -> list[str]:
        return [f"CB-{number:02}" for number in range(self.cut)]

    def lamps_of(self, cabinet: str) -> list[str]:
        return [f"{cabinet.replace('CB', 'SL')}-{lamp:03}" for lamp in range(self.lamps)]

    def all(self) -> list[str]:
        return [f"CB-{number:02}" for number in range(self.cabinets)]


async def register(town: City, streets: Streets) -> None:
    """Through the registry's import, as a city does: parents before what stands below them."""
    head = "id,product,area,parent,attr.rated_power\n"
    rows = [f"{name},generic-cabinet,xuhui/{number % 3},," for number, name in enumerate(streets.all())]
    rows += [f"{name}-L{loop},generic-cabinet,xuhui/0,{name}," for name in streets.all() for loop in (0, 1)]
    await _import(town, head, rows)
    lamps = [
        f"{lamp},generic-streetlight,xuhui/0,{name}-L{place % 2},100"
        for name in streets.all()
        for place, lamp in enumerate(streets.lamps_of(name))
    ]
    await _import(town, head, lamps)


async def _import(town: City, head: str, rows: list[str]) -> None:
    for start in range(0, len(rows), PORTION):
        text = head + "\n".join(rows[start : start + PORTION])
        answer = await town.remote.post(
            "/devices/import", content=text.encode(), headers={"content-type": "text/csv"}
        )
        assert answer.is_success, answer.text


async def say(town: City, devices: list[str], event: str = "", **values: Any) -> None:
    """One reading of now from each of these."""
    said = {"event": event} if event else {}
    stamp = town.clock.now() // 1000
    for start in range(0, len(devices), PORTION):
        items = [
            {"device": name, "ts": stamp, "v": values, **said} for name in devices[start : start + PORTION]
        ]
        answer = await town.remote.post("/telemetry", json=items)
        assert answer.is_success, answer.text
        assert answer.json()["refused"] == []


async def lit(town: City, streets: Streets, cabinets: list[str]) -> None:
    loops = [f"{name}-L{loop}" for name in cabinets for loop in (0, 1)]
    await say(town, cabinets + loops, voltage_a=230, voltage_b=230, voltage_c=230)
    lamps = [lamp for name in cabinets for lamp in streets.lamps_of(name)]
    await say(town, lamps, switch="on", power=95, voltage=230)


async def feeders_are_cut(folder: Path, streets: Streets, most: int) -> None:
    options = {"notify": {"log": [{"name": CHANNEL, "wait": "10s"}]}, "desk": {"storm_causes": most}}
    async with city(folder, "20:00", **options) as town:
        await register(town, streets)
        await town.at("20:01")
        await lit(town, streets, streets.all())
        await town.at("20:01:30")
        dark, lamps = streets.dark(), streets.lamps_of
        gasps = [lamp for name in dark for lamp in lamps(name)[: streets.lamps // 2]]
        await say(town, gasps, event="lampFailure", voltage=0)
        for part in (dark[: len(dark) // 2], dark[len(dark) // 2 :]):  # two ticks of the same second
            await say(town, part, voltage_a=0, voltage_b=0, voltage_c=0)
            await town.run_to(town.clock.now() + SECOND // 2)
        for time in ("20:11", "20:21", "20:31"):
            await town.at(time)
            await lit(town, streets, [name for name in streets.all() if name not in dark])
        await town.at("20:33")  # by now the dark lamps are silent
        await all_is_folded(town, streets)
        await town.at("20:40")
        await lit(town, streets, streets.all())
        await town.at("20:41")
        await say(town, gasps, event="normal", voltage=230)
        await town.at("20:50")
        assert await count(town, schema.alarm, schema.alarm.c.state != "cleared") == 0, "power is back"
        await town.case("storm", "", "closed")
        assert await count(town, schema.case, schema.OPEN) == streets.cut, "for the crews to say what it was"


async def all_is_folded(town: City, streets: Streets) -> None:
    outages = [one for one in await cases(town, "cabinet-outage") if one["state"] != "void"]
    assert len(outages) == streets.cut
    (storm,) = await cases(town, "storm")
    assert {one["storm"] for one in outages} == {storm["id"]}
    listed = (await town.remote.get("/cases", params={"storm": storm["id"], "limit": 1000})).json()["items"]
    assert {one["id"] for one in outages} <= {one["id"] for one in listed}
    standing: Counter[str] = Counter()
    for outage in outages:
        alarms = (await town.remote.get("/alarms", params={"case": outage["id"], "limit": 1000})).json()[
            "items"
        ]
        (cause,) = [one for one in alarms if one["state"] == "active"]
        assert cause["name"] == "supplyLoss"
        for one in alarms:
            if one is not cause:
                assert one["state"] == "suppressed"
                assert one["suppressed_by"].startswith("alarm:")
                standing[one["name"]] += 1
    lamps = streets.cut * streets.lamps
    assert standing["lampFailure"] == lamps // 2, "they came before their cabinet's own alarm"
    assert standing["communicationFailure"] == lamps + streets.cut * 3, "lamps, loops and cabinets"
    own = [one for one in await cases(town, "lamp-out") if one["state"] != "void"]
    assert own == [], "lamps that had a case of their own go on in their cabinet's"
    assert await cases(town, "device-health") == []
    assert await told(town, until=moment("20:11")) <= 3


async def cases(town: City, template: str) -> list[dict[str, Any]]:
    found = (await town.remote.get("/cases", params={"limit": 1000})).json()["items"]
    return [one for one in found if one["template"] == template]


async def count(town: City, table: Any, where: Any) -> int:
    query = select(func.count()).select_from(table).where(where)
    return await town.gateway.core.store.read(lambda conn: conn.scalar(query) or 0)


async def told(town: City, until: int) -> int:
    """Messages that went, or would go, to the channel."""
    return await count(town, schema.outbox, schema.outbox.c.created < until)


async def test_two_feeders_are_two_cases_with_their_lamps_folded_in(tmp_path: Path) -> None:
    await feeders_are_cut(tmp_path, Streets(cabinets=4, lamps=20, cut=2), most=3)


@pytest.mark.drill
async def test_twenty_feeders_of_fifty_cabinets_with_ten_thousand_lamps(tmp_path: Path) -> None:
    await feeders_are_cut(tmp_path, Streets(cabinets=50, lamps=200, cut=20), most=10)
