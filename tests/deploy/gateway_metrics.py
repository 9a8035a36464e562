"""The metrics of a gateway that really runs: every transport is on, readings came over several, a link is away."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from gateway.app import App
from gateway.clock import CityClock
from gateway.config import Config
from simulators.modbus_slaves import Slaves
from tests.gateway.ingest.link_town import free_port
from tests.gateway.ingest.modbus_city import line, slaves

UNITS = {"meter": 2, "relay": 3, "inputs": 4}
BUS = {
    "name": "north",
    "kind": "rtu-tcp",
    "silence": "1s",
    "host": "127.0.0.1",
    "slaves": [{"device": "CB-1", "units": UNITS, "period": "50ms"}],
}
CLOCK = CityClock()
AWAITED = {
    "citygate_cases",
    "citygate_alarms",
    "citygate_outbox_oldest_seconds",
    "citygate_modbus_period_seconds",
}
READINGS = (
    {"v": {"cover": "open"}},
    {"ts": 1_000, "v": {"tilt": 1}},
    {"v": {"nonsense": 1}},
)


def configuration(folder: Path, bus: int) -> Config:
    away = free_port()
    return Config.model_validate(
        {
            "data": folder,
            "mqtt": {
                "endpoint": {"host": "127.0.0.1", "port": 0},
                "link": [{"name": "east", "host": "127.0.0.1", "port": away, "publish": ["cases"]}],
            },
            "hj212": {"enabled": True, "host": "127.0.0.1", "port": 0},
            "modbus": [BUS | {"port": bus}],
            "mirror": {"url": f"http://127.0.0.1:{away}"},
            "http": {"port": 0},
        }
    )


async def scrape(folder: Path) -> dict[str, set[str]]:
    """Names of samples with the labels that any of them has."""
    cabinet = Slaves(line(*slaves("modbus-cabinet", UNITS, {"power": 2750.0}), rtu=True))
    await cabinet.listen()
    try:
        return await _scrape(configuration(folder, cabinet.port))
    finally:
        await cabinet.close()


async def _scrape(config: Config) -> dict[str, set[str]]:
    async with App(config) as gateway, asyncio.timeout(30):
        url = f"http://127.0.0.1:{gateway.doors.http.port}"
        await gateway.core.devices.create({"id": "CB-1", "product": "modbus-cabinet"}, "test")
        _, secret = await gateway.core.devices.create({"id": "MH-1", "product": "generic-manhole"}, "test")
        async with httpx.AsyncClient(base_url=url) as client:
            await _push(client, secret)
            while True:
                text = (await client.get("/metrics")).text
                found = _samples(text)
                if found.keys() >= AWAITED:
                    return found
                await CLOCK.sleep(0.1)


async def _push(client: httpx.AsyncClient, secret: str) -> None:
    headers = {"Authorization": f"Bearer {secret}"}
    for reading in READINGS:
        body = json.dumps({"device": "MH-1", **reading})
        await client.post("/api/v1/telemetry", content=body, headers=headers)


def _samples(text: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                found.setdefault(sample.name, set()).update(sample.labels)
    return found
