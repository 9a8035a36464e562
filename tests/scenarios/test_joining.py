"""From unboxing to the first reading with a real client, without a restart; and what is kept of those who stay strangers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from gateway.app import App
from gateway.config import Config

PATIENCE = 30.0
TOPIC = "city/dust/DU-0077/telemetry"


class Device:
    """A device as it comes out of its box: paho, in a thread of its own."""

    def __init__(self, name: str, password: str, port: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._heard: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, name, reconnect_on_failure=False)
        self.client.username_pw_set(name, password)
        self.client.on_connect = lambda *said: self._tell("connected", said[3].value)
        self.client.on_publish = lambda *said: self._tell("acked", said[2])
        self.client.on_disconnect = lambda *_: self._tell("gone", 0)
        self._port = port

    def _tell(self, what: str, code: int) -> None:
        self._loop.call_soon_threadsafe(self._heard.put_nowait, (what, code))

    async def connect(self) -> int:
        """The code of CONNACK."""
        await asyncio.to_thread(self.client.connect, "127.0.0.1", self._port)
        self.client.loop_start()
        return await self.until("connected")

    async def publish(self, topic: str, **values: float) -> None:
        """Returns once it is acknowledged."""
        self.client.publish(topic, json.dumps({"v": values}), qos=1)
        await self.until("acked")

    async def until(self, what: str) -> int:
        async with asyncio.timeout(PATIENCE):
            while True:
                said, code = await self._heard.get()
                if said == what:
                    return code

    async def switch_off(self) -> None:
        self.client.disconnect()
        await asyncio.to_thread(self.client.loop_stop)


class Town:
    def __init__(self, gateway: App, remote: httpx.AsyncClient) -> None:
        self.gateway = gateway
        self.remote = remote
        self._devices: list[Device] = []

    def device(self, name: str, password: str) -> Device:
        one = Device(name, password, self.gateway.doors.endpoint.port)
        self._devices.append(one)
        return one

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.remote.get(path, params=query)
        assert answer.is_success, answer.text
        return answer.json()

    async def post(self, path: str, **form: Any) -> Any:
        answer = await self.remote.post(path, json=form)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def unknown(self, name: str) -> dict[str, Any]:
        """What is known of a stranger, once its payloads were tried on the catalogue."""
        await self.gateway.core.joining.look()
        (one,) = (await self.get("/unknown-devices", id=name))["items"]
        return dict(one)

    async def audit(self) -> list[str]:
        rows = await self.gateway.core.store.read(
            lambda conn: conn.exec_driver_sql("SELECT action, object FROM audit ORDER BY id").all()
        )
        return [f"{row[0]} {row[1]}" for row in rows]

    async def leave(self) -> None:
        for one in self._devices:
            await one.switch_off()


@asynccontextmanager
async def town(folder: Path, **joining: Any) -> AsyncIterator[Town]:
    config = Config.model_validate(
        {
            "data": folder,
            "pipeline": {"tick_ms": 1},
            "notify": {"log": []},
            "http": {"port": 0},
            "mqtt": {"endpoint": {"host": "127.0.0.1", "port": 0}},
            "joining": joining,
        }
    )
    async with App(config) as gateway:
        transport = httpx.ASGITransport(app=gateway.doors.local)
        async with httpx.AsyncClient(transport=transport, base_url="http://local/api/v1") as remote:
            it = Town(gateway, remote)
            try:
                yield it
            finally:
                await it.leave()


async def test_from_unboxing_to_the_first_reading_without_a_restart(tmp_path: Path) -> None:
    async with town(tmp_path) as it:
        # unboxed: the maker's password opens nothing, but the device is seen
        assert await it.device("DU-0077", "factory").connect() != 0
        seen = await it.unknown("DU-0077")
        assert (seen["transport"], seen["area"], seen["samples"]) == ("mqtt", "", [])
        assert seen["address"].startswith("127.0.0.1:")

        # a window for this area: it comes in, speaks, and is acknowledged, but makes no history
        opened = await it.post("/join-windows", area="xuhui/tianping", minutes=5)
        newcomer = it.device("DU-0077", "factory")
        assert await newcomer.connect() == 0
        await newcomer.publish(TOPIC, pm10=42, noise=58)
        seen = await it.unknown("DU-0077")
        assert (seen["area"], seen["products"]) == ("xuhui/tianping", ["generic-dust"])
        assert json.loads(seen["samples"][-1]["payload"]) == {"v": {"pm10": 42, "noise": 58}}
        assert it.gateway.core.derived.latest.get("dust", 0) == {}
        (sample,) = (await it.get("/quarantine", device="DU-0077"))["items"]
        assert sample["reason"] == "unknown_device"

        # adopted: what the window and the payload told need not be said again
        made = await it.post("/unknown-devices/adopt", id="DU-0077", lat=31.23, lon=121.47)
        device = made["device"]
        assert (device["product"], device["area"]) == ("generic-dust", "xuhui/tianping")
        await newcomer.until("gone")
        assert await it.device("DU-0077", "factory").connect() != 0

        # it comes back with its own secret, and its first reading stands
        own = it.device("DU-0077", made["secret"])
        assert await own.connect() == 0
        await own.publish(TOPIC, pm10=43)
        latest = await it.get("/devices/DU-0077/latest")
        assert latest["values"]["pm10"]["value"] == 43
        assert "noise" not in latest["values"]
        assert (await it.get("/unknown-devices"))["items"] == []
        told = await it.audit()
        assert [line for line in told if "DU-0077" in line or "join_window" in line] == [
            f"opened join_window:{opened['window']['id']}",
            "created device:DU-0077",
            "adopted device:DU-0077",
        ]


async def test_a_window_closes_by_itself_and_shows_newcomers_out(tmp_path: Path) -> None:
    async with town(tmp_path) as it:
        opened = await it.post("/join-windows", area="xuhui", minutes=0.01)
        newcomer = it.device("PK-0001", "any")
        assert await newcomer.connect() == 0
        await it.gateway.core.clock.sleep(0.6)
        await it.gateway.core.joining.look()
        await newcomer.until("gone")
        assert (await it.get("/join-windows"))["items"] == []
        assert await it.device("PK-0001", "any").connect() != 0
        assert f"closed join_window:{opened['window']['id']}" in await it.audit()
        assert (await it.unknown("PK-0001"))["area"] == "xuhui"


async def test_a_window_with_a_secret_lets_in_who_has_it(tmp_path: Path) -> None:
    async with town(tmp_path, newcomers=1) as it:
        opened = await it.post("/join-windows", area="xuhui", secret=True)
        assert await it.device("PK-0001", "guess").connect() != 0
        assert await it.device("PK-0001", opened["secret"]).connect() == 0
        assert await it.device("PK-0002", opened["secret"]).connect() != 0, "one newcomer is the bound"
        (window,) = (await it.get("/join-windows"))["items"]
        await it.remote.delete(f"/join-windows/{window['id']}")
        assert await it.device("PK-0001", opened["secret"]).connect() != 0


async def test_what_was_remembered_survives_a_restart(tmp_path: Path) -> None:
    async with town(tmp_path) as it:
        await it.post("/join-windows", area="xuhui", minutes=5, product="generic-parking")
        item = {"device": "PK-0009", "v": {"occupied": "occupied"}}
        pushed = await it.remote.post("/telemetry", json=item)
        assert pushed.json()["refused"][0]["reason"] == "unknown_device"
        assert (await it.unknown("PK-0009"))["products"] == ["generic-parking"]
    async with town(tmp_path) as it:
        seen = await it.unknown("PK-0009")
        assert (seen["transport"], seen["count"], seen["products"]) == ("http", 1, ["generic-parking"])
        assert json.loads(seen["samples"][0]["payload"]) == item
        assert [one["area"] for one in (await it.get("/join-windows"))["items"]] == ["xuhui"]
        await it.post("/unknown-devices/adopt", id="PK-0009")
        assert (await it.get("/devices/PK-0009"))["product"] == "generic-parking"
