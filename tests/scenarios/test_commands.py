"""A city must stay lit (law 7): real lamps over MQTT, two operators, and a gateway that is lost."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np

from gateway.app import App
from gateway.config import Config
from gateway.registry.roles import Role
from simulators.fleet import Fleet, Settings
from simulators.pace import Pace
from simulators.world.city import City as World
from tests.scenarios.city import HandClock, moment

PATIENT: Final = {"host": "127.0.0.1", "port": 0, "max_keepalive": 0, "sweep": 0.1}
OFF: Final = {"name": "switch", "args": {"state": "off"}}


class HandPace(Pace):
    """The lamps live in the scenario's time."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock.now())
        self._clock = clock

    def now(self) -> int:
        return self._clock.now()


@dataclass
class Street:
    gateway: App
    clock: HandClock
    world: World
    fleet: Fleet
    words: dict[str, str]  # tokens by person

    async def call(self, who: str, method: str, path: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.gateway.doors.application)
        headers = {"Authorization": f"Bearer {self.words[who]}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://gate/api/v1", headers=headers
        ) as one:
            return await one.request(method, path, **more)

    async def ok(self, who: str, method: str, path: str, **more: Any) -> dict[str, Any]:
        answer = await self.call(who, method, path, **more)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def until(self, reached: Callable[[dict[str, Any]], bool], path: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _ in range(2_000):  # forty seconds of the city's, and whatever a busy machine makes of them
            found = await self.ok("ann", "GET", path)
            if reached(found):
                return found
            await self.clock.sleep(0.01)
            self.clock.move(self.clock.now() + 20_000)
        raise AssertionError(found)

    async def cut(self, device: str) -> None:
        """Its radio is dead."""
        number = next(n for n, place in enumerate(self.fleet.places) if place.device == device)
        self.fleet._dialer.hold(number)
        link = self.fleet.links[number]
        assert link is not None
        link.abort()
        while self.fleet.links[number] is not None:
            await self.clock.sleep(0.01)

    def mend(self, device: str) -> None:
        number = next(n for n, place in enumerate(self.fleet.places) if place.device == device)
        self.fleet._dialer.release(number)

    def burns(self, device: str) -> tuple[bool, float]:
        """Whether a lamp really burns, and with how many W."""
        index = np.array([self.world.cohorts["streetlight"].ids.index(device)], np.int32)
        columns, _ = self.fleet._scene.columns("streetlight", index, np.array([self.clock.now()]))
        return bool(columns["switch"][0]), float(columns["power"][0])


@asynccontextmanager
async def street(folder: Path, start: str) -> AsyncIterator[Street]:
    clock = HandClock(moment(start))
    settings = {"data": folder, "pipeline": {"tick_ms": 1, "sweep_ms": 10}, "notify": {"log": []}}
    config = Config.model_validate({**settings, "mqtt": {"endpoint": PATIENT}})
    world = World.build(60, 7, clock.now())
    async with App(config, clock, listening=False) as gateway:
        rows = list(world.registry())
        text = "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)])
        done = await gateway.core.devices.import_csv(io.BytesIO(text.encode()), "token:test")
        assert not done.faults, done.faults[:3]
        words = {
            name: (await gateway.core.tokens.create(name, Role.OPERATOR, "token:test"))[1]
            for name in ("ann", "bob")
        }
        await gateway.doors.endpoint.start(gateway.tasks)
        try:
            secrets = {one.id: one.secret for one in done.created}
            port, pace = gateway.doors.endpoint.port, HandPace(clock)
            wishes = Settings(ramp=5_000, keepalive=36_000, drain=0.5)
            fleet = Fleet(world, "127.0.0.1", port, secrets=secrets, pace=pace, settings=wishes)
            async with asyncio.timeout(90), asyncio.TaskGroup() as group:
                group.create_task(fleet.run())
                while (
                    fleet.connected < len(world)
                    or len(gateway.core.derived.latest.newest("streetlight")) < 36
                ):
                    await clock.sleep(0.01)
                yield Street(gateway, clock, world, fleet, words)
                fleet.stop()
        finally:
            await gateway.doors.endpoint.stop()


async def test_all_off_at_nine_by_one_is_refused_and_by_two_stops_at_the_ten_that_do_not_confirm(
    tmp_path: Path,
) -> None:
    async with street(tmp_path, "21:00") as town:
        lamps = town.world.cohorts["streetlight"].ids
        asked = await town.ok("ann", "POST", "/commands", json={**OFF, "devices": list(lamps)})
        assert asked["state"] == "requested"
        assert f"{len(lamps)} lamps would go out at night" in asked["second"]
        path = f"/commands/{asked['id']}"
        alone = await town.call("ann", "POST", f"{path}/approve")
        assert (alone.status_code, alone.json()["type"]) == (403, "urn:citygate:forbidden")
        assert all(town.burns(lamp)[0] for lamp in lamps), "the city is lit"
        told = (await town.ok("ann", "GET", f"{path}/devices"))["items"]
        ten = [one["device"] for one in told if one["stage"] == 1]
        assert len(ten) == 10
        for lamp in ten:
            await town.cut(lamp)
        agreed = await town.ok("bob", "POST", f"{path}/approve", json={"reason": "works in the substation"})
        assert (agreed["approver"], agreed["stages"][:2]) == ("token:bob", [1, 10])
        second = await town.until(lambda one: one["stage"] == 1, path)
        assert second["counts"]["effective"] == 1, "the first lamp is dark, and its power says so"
        town.clock.move(town.clock.now() + 301_000_000)
        stopped = await town.until(lambda one: one["state"] == "stopped", path)
        assert stopped["error"] == "10 of 10 in stage 2 did not confirm"
        assert stopped["counts"] == {"effective": 1, "expired": 10, "failed": len(lamps) - 11}
        assert sum(town.burns(lamp)[0] for lamp in lamps) >= len(lamps) - 1
        events = (await town.ok("ann", "GET", f"{path}/events?limit=1000"))["items"]
        assert [one["event"] for one in events if one["command"] is None] == [
            "request",
            "approve",
            "stage",
            "stage",
            "stop",
        ]


async def test_a_lamp_cut_off_from_the_gateway_goes_on_at_dusk_by_itself(tmp_path: Path) -> None:
    async with street(tmp_path, "16:30") as town:
        lamp = town.world.cohorts["streetlight"].ids[5]
        told = await town.ok("ann", "POST", f"/devices/{lamp}/commands", json=OFF)
        await town.until(lambda one: one["counts"] == {"effective": 1}, f"/commands/{told['instruction']}")
        await town.cut(lamp)
        town.clock.move(moment("17:00"))
        assert town.burns(lamp)[0] is False, "the sun is up"
        town.clock.move(moment("18:30"))
        lit, power = town.burns(lamp)
        assert lit
        assert power > 20
        town.mend(lamp)
        await town.until(lambda one: one["values"]["switch"]["value"] == 1, f"/devices/{lamp}/latest")


async def test_the_kill_switch_reaches_what_waits_for_a_sleeping_lamp(tmp_path: Path) -> None:
    async with street(tmp_path, "12:00") as town:
        lamp = town.world.cohorts["streetlight"].ids[5]
        await town.cut(lamp)
        on = {"name": "switch", "args": {"state": "on"}, "lifetime": 3600}
        told = await town.ok("ann", "POST", f"/devices/{lamp}/commands", json=on)
        await town.ok("ann", "POST", "/downlink/stop", json={"reason": "wrong street"})
        refused = await town.call("bob", "POST", f"/devices/{lamp}/commands", json=on)
        assert refused.status_code == 409
        town.mend(lamp)
        connected = town.fleet.counts["connected"]
        while town.fleet.counts["connected"] == connected:
            await town.clock.sleep(0.01)
        await town.clock.sleep(0.6)
        assert (town.fleet.counts["commands"], town.burns(lamp)[0]) == (0, False)
        stopped = await town.ok("ann", "GET", f"/commands/{told['instruction']}")
        assert stopped["state"] == "stopped"
        await town.ok("bob", "POST", "/downlink/resume", json={"reason": "right street now"})
        town.clock.move(town.clock.now() + 61_000_000)
        again = await town.ok("bob", "POST", f"/devices/{lamp}/commands", json=on)
        await town.until(lambda one: one["counts"] == {"effective": 1}, f"/commands/{again['instruction']}")
