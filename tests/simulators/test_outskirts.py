"""The demo's devices that speak no MQTT of their own, against a whole gateway: what they were promised is in history."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from drivers.families import FAMILIES
from gateway.app import App
from gateway.clock import CityClock
from gateway.config import Config
from gateway.ingest.modbus_settings import ModbusSettings
from simulators.outskirts import BAY, POLE_ID, Outskirts
from simulators.pace import Pace

ZONE = "Asia/Shanghai"
EVENING = 1_790_069_400_000_000  # µs UTC, 17:30 in Shanghai
LOCAL = {"host": "127.0.0.1", "port": 0}


async def test_what_every_transport_was_promised_is_in_history_once(tmp_path: Path) -> None:
    clock = CityClock(EVENING, 600.0)
    config = {"data": tmp_path, "http": LOCAL, "mqtt": {"endpoint": LOCAL}, "notify": {"log": []}}
    config |= {"hj212": {**LOCAL, "enabled": True}}
    outskirts = Outskirts(Config().products(), Pace.parse(str(clock)), ZoneInfo(ZONE), 7, round_=0.05)
    async with App(Config.model_validate(config), clock) as gateway:
        inside = httpx.ASGITransport(app=gateway.doors.local)
        async with httpx.AsyncClient(transport=inside, base_url="http://local/api/v1") as admin:
            for form in outskirts.forms():
                assert (await admin.post("/devices", json=form)).status_code == 201
            bus = ModbusSettings.model_validate(await outskirts.listen())
            await gateway.doors.change_modbus([bus], gateway.tasks)
            wish = {"name": "lns", "filters": ["application/#"], "area": ""}
            secret = (await admin.post("/sources", json=wish)).json()["secret"]

            async def push(messages: bytes) -> bool:
                head = {"authorization": f"Bearer {secret}"}
                done = await admin.post(f"/push/lns?product={BAY}", content=messages, headers=head)
                assert done.status_code == 200, done.text
                return not done.json()["refused"]

            doors = gateway.doors
            ports = doors.endpoint.port, ("lns", secret), doors.stations.port
            speaking = gateway.tasks.start("outskirts", outskirts.run("127.0.0.1", *ports, push))
            for _ in range(1_500):
                await clock.sleep(0.02)
                if min(outskirts.counts().values()) >= 3 * 8 and outskirts.sprays:
                    break
            assert min(outskirts.counts().values()) >= 3 * 8, outskirts.counts()
            assert outskirts.sprays, "the rule of spray linkage has switched the site's relay"
            outskirts.stop()
            await speaking
        assert not gateway.core.quarantine.counts, gateway.core.quarantine.counts
        held = [row for family in ("streetlight", "dust", "parking") for row in await rows(gateway, family)]
    await outskirts.close()
    assert len(held) == len(set(held))
    promised = outskirts.promised()
    assert all(promised.values())
    assert {one for mine in promised.values() for one in mine} <= set(held)
    polled = sum(device.startswith(POLE_ID) for device, _ in held)
    assert polled == pytest.approx(outskirts.counts()["modbus"], abs=16)


async def rows(gateway: App, family: str) -> list[tuple[str, int]]:
    found = gateway.core.queries.readings(FAMILIES[family], 0, 2 * EVENING)
    names = gateway.core.directory
    return [
        (entry.id, time)
        async for part in found
        for device, time in zip(part.device.tolist(), part.time.tolist(), strict=True)
        if (entry := names.by_index(family, device)) is not None
    ]
