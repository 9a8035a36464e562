"""A rule that acts: dust starts the spray, and rain, frost, its run and pause times say when it may not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import delete, insert

from drivers.families import FAMILIES
from drivers.telemetry import SECOND
from gateway.commands.linkage import Linkage
from gateway.store.schema.cases import alarm
from rules import packs
from rules.document import read_rules
from tests.gateway.commands.town import NOON, Town, open_town

RULE: Final = "dust-spray-linkage"
DOCUMENT: Final = next(rule for rule in packs.load() if rule["id"] == RULE)
DRY: Final = {"rain": 0.0, "temperature": 20.0}


@dataclass
class Site:
    """One building site and its recorded alarm."""

    town: Town
    linkage: Linkage

    async def dusty(self, *, standing: bool) -> None:
        values: dict[str, Any] = {column.name: "" for column in alarm.columns}
        values |= {"id": "a1", "rule": RULE, "version": 1, "family": "dust", "idx": 0, "device": "DU-1"}
        values |= {
            "state": "active",
            "standing": True,
            "raised": 0,
            "received": 0,
            "revision": 0,
            "evidence": {},
        }
        values |= dict.fromkeys(("lat", "lon", "cleared", "acknowledged", "shelved_until", "case"))
        own = {column.name for column in alarm.columns}

        def work(conn: Any) -> None:
            conn.execute(delete(alarm))
            if standing:
                conn.execute(insert(alarm).values({name: values[name] for name in own}))

        await self.town.city.store.write(work)

    async def minutes(self, n: float, **weather: float) -> None:
        """Time passes in steps of ten seconds, the station reporting its weather."""
        for _ in range(round(n * 6)):
            self.town.city.clock.time += 10 * SECOND
            if weather:
                self.town.says("DU-1", **weather)
            await self.town.commands.turn()
            await self.linkage.turn()

    @property
    def told(self) -> list[tuple[str, int]]:
        """on or off, and at which second since noon."""
        return [
            ("on" if order.args["state"] else "off", (at - NOON) // SECOND)
            for _, order, at in self.town.lamps.sent
        ]


@asynccontextmanager
async def site(path: Path, **settings: Any) -> AsyncIterator[Site]:
    async with open_town(path, **settings) as town:
        await town.lamp("DU-1", product="generic-dust", attributes={"sprayer": 1})
        yield Site(town, linked(town))


def linked(town: Town) -> Linkage:
    async def documents() -> list[dict[str, Any]]:
        return [DOCUMENT]

    return Linkage(town.commands, town.city.store, town.city.clock, town.latest, documents)


def test_the_shipped_rule_is_sound() -> None:
    (rule,) = read_rules([DOCUMENT], FAMILIES)
    assert rule.document["action"]["command"] == "spray"


async def test_the_spray_runs_while_it_is_dusty_and_at_least_five_minutes(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.minutes(1, **DRY)
        await here.dusty(standing=True)
        await here.minutes(2, **DRY)
        assert here.told == [("on", 70)]
        await here.dusty(standing=False)
        await here.minutes(2, **DRY)
        assert here.told == [("on", 70)], "it has run for three minutes only"
        await here.minutes(3, **DRY)
        assert here.told == [("on", 70), ("off", 370)]
        (one,) = [each for each in await here.town.commands.listing("DU-1", None, 9) if each.args["state"]]
        assert one.actor == "rule:dust-spray-linkage"


async def test_it_pauses_for_ten_minutes_and_then_runs_again(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.dusty(standing=True)
        await here.minutes(41, **DRY)
        assert here.told == [("on", 10), ("on", 10 + 30 * 60 + 10 * 60)], "each run ends by its own length"


async def test_never_in_rain_nor_in_frost_nor_in_weather_that_nobody_knows(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.dusty(standing=True)
        await here.minutes(2)
        await here.minutes(2, rain=1.0, temperature=20.0)
        await here.minutes(2, rain=0.0, temperature=2.0)
        assert here.told == []
        await here.minutes(1, **DRY)
        assert len(here.told) == 1


async def test_rain_stops_it_at_once(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.dusty(standing=True)
        await here.minutes(2, **DRY)
        await here.minutes(1, rain=2.0, temperature=20.0)
        assert here.told == [("on", 10), ("off", 130)]
        off = (await here.town.commands.listing("DU-1", None, 1))[0]
        assert (await here.town.commands.find(off.instruction)).note == "rain is 2"


async def test_a_restart_starts_no_pump_twice(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        await here.dusty(standing=True)
        await here.minutes(2, **DRY)
        other = here.town.restart()
        await other.commands.load()
        again = Site(other, linked(other))
        await again.minutes(5, **DRY)
        assert len(here.told) == 1


async def test_rules_command_what_they_may_and_nothing_past_the_switch(tmp_path: Path) -> None:
    async with site(tmp_path, linkage=[]) as here:
        await here.dusty(standing=True)
        await here.minutes(3, **DRY)
        assert here.told == []
    async with site(tmp_path / "other") as here:
        await here.dusty(standing=True)
        await here.town.commands.stop("token:ann", "pump is being repaired")
        await here.minutes(3, **DRY)
        assert here.town.lamps.sent == []
