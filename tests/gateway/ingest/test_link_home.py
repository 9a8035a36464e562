"""Home Assistant finds the city's devices at a real mosquitto: their alarms turn on and off, and who retires is gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from drivers.mqtt.packets import Publish
from gateway.app import App
from gateway.notify import home
from tests.gateway.ingest.link_town import Broker, linked
from tests.gateway.ingest.test_link_publish import CLOCK, Platform, configuration, cover, lid, up

pytestmark = pytest.mark.peer("mosquitto")

CONFIG = "homeassistant/device/MH-1/config"
STATE = "city/homestates/MH-1"


class Assistant(Platform):
    """Knows what stands at each topic, whatever its form."""

    kinds = frozenset(("device", "homestates"))

    def _take(self, packet: Publish) -> None:
        if packet.payload:
            self.known[packet.topic] = json.loads(packet.payload)
        else:
            self.known.pop(packet.topic, None)
            self.emptied.add(packet.topic)

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.known.get(STATE, {}).get("homestate", {})
        return found


@asynccontextmanager
async def assistant(port: int) -> AsyncIterator[Assistant]:
    it = Assistant(port, "#")
    await asyncio.get_running_loop().create_connection(lambda: it, "127.0.0.1", port)
    try:
        yield it
    finally:
        it.transport.abort()
        await CLOCK.sleep(0)


async def test_a_device_is_found_shows_its_alarm_and_goes_when_it_retires(tmp_path: Path) -> None:
    async with Broker(tmp_path) as broker, assistant(broker.port) as it:
        config = configuration(tmp_path, broker.port, publish=["homeassistant"])
        async with App(config) as gateway:
            await up(gateway)
            await cover(gateway, "MH-1")
            await it.until(lambda: CONFIG in it.known and it.state())
            found = it.known[CONFIG]
            assert (found["dev"]["ids"], found["state_topic"]) == (["citygate_MH-1"], STATE)
            assert found["dev"]["sa"] == "city/old-town"
            tilt = found["cmps"]["tilt"]
            assert (tilt["p"], tilt["unit_of_measurement"]) == ("sensor", "°")
            assert tilt["state_topic"] == "city/manhole/MH-1/telemetry"
            assert tilt["availability"][0]["topic"] == STATE
            assert found["cmps"]["cover"]["p"] == "binary_sensor"
            assert len({one["unique_id"] for one in found["cmps"].values()}) == len(found["cmps"])
            assert (it.state()["problem"], it.state()["online"]) == ("OFF", "ON")
            await lid(broker.port, "MH-1", "open")
            await it.until(lambda: it.state()["problem"] == "ON")
            assert it.state()["alarms"] == ["coverOpened"]
            await lid(broker.port, "MH-1", "closed")
            await it.until(lambda: it.state()["problem"] == "OFF")
            await gateway.core.devices.change("MH-1", {"retired": "true"}, "test")
            await it.until(lambda: {CONFIG, STATE} <= it.emptied)
        async with assistant(broker.port) as late:
            await CLOCK.sleep(0.05)
            assert not {CONFIG, STATE} & late.known.keys()


async def test_what_is_published_no_more_is_taken_back(tmp_path: Path) -> None:
    async with Broker(tmp_path) as broker, assistant(broker.port) as it:
        async with App(configuration(tmp_path, broker.port, publish=["homeassistant"])) as gateway:
            await up(gateway)
            await cover(gateway, "MH-1")
            await it.until(lambda: CONFIG in it.known and it.state())
        async with App(configuration(tmp_path, broker.port, publish=[])):
            await it.until(lambda: {CONFIG, STATE} <= it.emptied)


def test_devices_never_share_a_topic() -> None:
    names = ["MH-1", "MH 1", "MH_1", "井-1", "井_1", "MH/1"]
    assert len({home.topic(home.CONFIG, name) for name in names}) == len(names)
    assert all(home.topic(home.CONFIG, name).count("/") == 3 for name in names)


@pytest.mark.parametrize("taken", ["#", "homeassistant/#", "city/homestates/+"])
def test_a_link_never_hears_what_it_publishes(taken: str) -> None:
    with pytest.raises(ValidationError, match="would bring back"):
        linked(1, filters=(taken,), publish=("homeassistant",))
