"""The whole gateway with a bus: registered over the API, polled, stored, commanded and proven."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from gateway.app import App
from gateway.config import Config
from simulators.modbus_slaves import Slaves
from tests.gateway.ingest.modbus_city import line, slaves

UNITS = {"meter": 2, "relay": 3, "inputs": 4}
ROUNDS = 3_000  # of 10 ms


async def until(app: App, ask: Callable[[], Awaitable[Any]], good: Callable[[Any], bool]) -> Any:
    found: Any = None
    for _ in range(ROUNDS):
        found = await ask()
        if good(found):
            return found
        await app.core.clock.sleep(0.01)
    raise AssertionError(found)


async def test_a_cabinet_is_registered_polled_and_switched(tmp_path: Path) -> None:
    values = {"voltage_a": 231.5, "power": 2750.0, "contactor": 0.0, "contactor_feedback": 1.0}
    peer = Slaves(line(*slaves("modbus-cabinet", UNITS, values), rtu=True))
    await peer.listen()
    config = Config.model_validate(
        {
            "data": tmp_path,
            "http": {"port": 0},
            "mqtt": {"endpoint": {"host": "127.0.0.1", "port": 0}},
            "notify": {"log": []},
            "modbus": [
                {
                    "name": "north",
                    "kind": "rtu-tcp",
                    "port": peer.port,
                    "silence": "1s",
                    "slaves": [{"device": "CB-1", "units": UNITS, "period": "50ms"}],
                }
            ],
        }
    )
    async with App(config) as app:
        transport = httpx.ASGITransport(app=app.doors.local)
        async with httpx.AsyncClient(transport=transport, base_url="http://local/api/v1") as remote:
            made = await remote.post("/devices", json={"id": "CB-1", "product": "modbus-cabinet"})
            assert made.status_code == 201, made.text

            async def latest() -> dict[str, Any]:
                found: dict[str, Any] = (await remote.get("/devices/CB-1/latest")).json()
                return found

            await until(app, latest, lambda found: "231.5" in str(found) and "2750" in str(found))
            sent = await remote.post(
                "/devices/CB-1/commands", json={"name": "contactor", "args": {"state": "on"}}
            )
            assert sent.status_code in {201, 202}, sent.text

            async def commands() -> str:
                return (await remote.get("/devices/CB-1/commands")).text

            await until(app, commands, lambda text: '"applied"' in text)
            assert peer.line.slaves[UNITS["relay"]].image["coil"][0] == 1
            scraped = await remote.get("http://local/metrics")
            assert 'citygate_modbus_up{bus="north"} 1.0' in scraped.text
    await peer.close()
