"""The kill switch and `delivered`, transport by transport: what waits is given up, what a device has is known."""

from __future__ import annotations

import json
from collections.abc import Mapping

from drivers.dialogue import Order
from drivers.families import FAMILIES
from drivers.lorawan.codec import Frames
from drivers.modbus.command import task
from drivers.modbus.master import Limits, Master
from drivers.modbus.poll import Carried, Target
from drivers.modbus.station import Station
from drivers.modbus.wire import TcpFraming
from drivers.products import catalog
from gateway.ingest.endpoint_settings import EndpointSettings
from gateway.ingest.session import Command, Key, Sessions, SessionState
from tests.gateway.commands.town import NOON
from tests.gateway.registry.city import StandingClock

LAMP = catalog()["modbus-lamp"]


def bus() -> Master:
    assert LAMP.modbus is not None
    (module,) = LAMP.modbus.modules
    master = Master(
        TcpFraming(), [Target("L1", (Station(1, module, FAMILIES["streetlight"]),), 10.0)], Limits(), 0.0, 0.0
    )
    master.connected(0.0)
    return master


def tell(master: Master, name: str) -> None:
    assert LAMP.modbus is not None
    units = {LAMP.modbus.modules[0].name: 1}
    order = Order(name, "dim", {"level": 40.0}, 60_000)
    master.command(task(order, LAMP.modbus, FAMILIES["streetlight"], units, 0, 60.0))


def test_a_modbus_command_that_waits_is_not_written_after_the_switch() -> None:
    free, halted = bus(), bus()
    for master in (free, halted):
        tell(master, "c1")
    halted.halt()
    written, asked = free.send(1.0), halted.send(1.0)
    assert written is not None
    assert written[7] in {6, 16}, "a write"
    assert asked is None or asked[7] in {1, 2, 3, 4}, "polls go on"
    assert [event.result for event in halted.events if isinstance(event, Carried)] == ["failed"]


def test_a_modbus_write_under_way_is_not_tried_again_after_the_switch() -> None:
    master = bus()
    tell(master, "c1")
    first = master.send(1.0)
    assert first is not None
    master.halt()
    master.expire(5.0)
    again = master.send(6.0)
    assert again is None or again[7] in {1, 2, 3, 4}


def test_a_lorawan_command_goes_to_the_server_that_hears_the_lamp() -> None:
    codec = catalog()["nas-ul20xx"].codec
    assert isinstance(codec, Frames)
    order = Order("0123456789abcdef", "dim", {"level": 100.0}, 0)
    topic, payload = codec.queued("application/430/device/70b3d5b020073208/event/up", order, 0)
    assert topic == "application/430/device/70b3d5b020073208/command/down"
    assert json.loads(payload)["data"] == "Af5k"
    topic, payload = codec.queued("v3/city@ttn/devices/eui-70B3D5B020073208/up", order, 0)
    assert topic == "v3/city@ttn/devices/eui-70B3D5B020073208/down/push"
    assert json.loads(payload)["downlinks"][0]["frm_payload"] == "Af5k"


class Rows:
    """What stood in operations when the gateway was killed."""

    def __init__(self, *states: SessionState) -> None:
        self.states = {(one.name, one.client_id): one for one in states}

    async def load(self) -> list[SessionState]:
        return list(self.states.values())

    async def save(self, states: Mapping[Key, SessionState | None]) -> None:
        self.states.update({key: state for key, state in states.items() if state is not None})


async def test_a_session_that_a_kill_kept_gives_up_its_commands_too() -> None:
    kept = Command("city/streetlight/L1/command", b"{}", 1, NOON + 1)
    state = SessionState("device", "L1", "c", 3_600, None, {kept.topic: 1}, [kept])
    for halted, left in ((False, [kept]), (True, [])):
        rows = Rows(state)
        sessions = Sessions(EndpointSettings(), StandingClock(NOON), rows)
        if halted:
            sessions.halt()
        await sessions.load()
        found = sessions.find("L1", "c")
        assert found is not None
        assert list(found.waiting) == left
        await sessions.save()
        assert rows.states["L1", "c"].commands == left, "operations have forgotten them as well"
