"""Buses over every line they may have, against the simulated slaves: readings, presence, commands, and what goes wrong."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from drivers.encode import encode_command
from drivers.refusal import Reason
from gateway.clock import SECOND
from gateway.ingest.modbus_settings import ModbusSettings, faults
from simulators.modbus_slaves import Fault, Slaves
from tests.gateway.ingest.modbus_city import Device, ModbusCity, Register, bus, line, running, slaves

STATION = {
    "pm10": 80.0,
    "pm25": 35.0,
    "noise": 61.5,
    "temperature": -3.2,
    "wind_speed": 2.5,
    "humidity": 40.0,
}
CABINET = {
    "voltage_a": 231.5,
    "current_a": 4.25,
    "power": 2800.0,
    "contactor": 0.0,
    "door": 1.0,
    "lux": 70_000.0,
}
UNITS = {"meter": 2, "relay": 3, "inputs": 4, "light": 5}


def city_of_one(unit: int = 1) -> tuple[Register, list[dict[str, Any]]]:
    register = Register(Device("ST-1", "dust", "renke-fsxcs", 0))
    return register, [{"device": "ST-1", "unit": unit, "period": "50ms"}]


def said_so(document: dict[str, Any]) -> None:
    assert {name: document["v"][name] for name in STATION} == pytest.approx(STATION)


@pytest.mark.parametrize("kind", ["tcp", "rtu-tcp"])
async def test_a_station_is_polled_and_said_to_be_online(kind: str) -> None:
    register, members = city_of_one()
    peer = Slaves(line(*slaves("renke-fsxcs", {"main": 1}, STATION), rtu=kind != "tcp"))
    await peer.listen()
    async with running(register, bus(kind, port=peer.port, slaves=members)) as city:
        for document in await city.until(3):
            said_so(document)
        channels = [frame.lane.channel for frame in city.frames if frame.lane]
        assert channels[:2] == ["status", "telemetry"]
        assert city.frames[0].payload == b'{"state":"online"}'
        assert city.frames[1].origin.address == f"modbus:b@127.0.0.1:{peer.port}"
    await peer.close()


@pytest.mark.peer("socat")
async def test_a_serial_line(tmp_path: Path) -> None:
    """A serial pair by socat: our bus on one end, RTU slaves behind the other."""
    register, members = city_of_one()
    peer = Slaves(line(*slaves("renke-fsxcs", {"main": 1}, STATION), rtu=True))
    await peer.listen()
    tty = tmp_path / "tty"
    socat = subprocess.Popen(  # noqa: ASYNC220 - it forks at once
        ["socat", f"PTY,link={tty},raw,echo=0", f"TCP:127.0.0.1:{peer.port}"]
    )
    try:
        async with running(register, bus("rtu", serial=str(tty), slaves=members, reconnect_cap="1s")) as city:
            for document in await city.until(3):
                said_so(document)
    finally:
        socat.terminate()
        socat.wait(5)
        await peer.close()


async def test_a_dtu_dials_in_and_its_heartbeats_do_no_harm() -> None:
    register, members = city_of_one()
    settings = bus("dtu", port=0, registration="CITY0001", heartbeats=["ping", "hex:fe"], slaves=members)
    peer = Slaves(line(*slaves("renke-fsxcs", {"main": 1}, STATION), rtu=True))
    async with running(register, settings) as city:
        port = city.buses.doors[0].port
        dtu = await peer.dial("127.0.0.1", port, b"CITY0001ping")
        for _ in range(4):
            said_so((await city.until(1))[0])
            dtu.say(b"ping")
            dtu.say(b"\xfe")
        again = await peer.dial("127.0.0.1", port, b"CITY0001")
        for document in await city.until(3):
            said_so(document)
        assert city.buses.buses[0].counters.opened == 2
        again.hang_up()
        assert (await city.until(1, "status")) == [{"state": "offline"}]
    await peer.close()


async def test_a_stranger_at_the_door_is_shown_in_the_quarantine() -> None:
    register, members = city_of_one()
    async with running(register, bus("dtu", port=0, registration="CITY0001", slaves=members)) as city:
        peer = Slaves(line(rtu=True))
        await peer.dial("127.0.0.1", city.buses.doors[0].port, b"CITY9")
        reason, detail, payload = await city.refused()
        assert (reason, payload) == (Reason.UNKNOWN_DEVICE, b"CITY9")
        assert "registration" in detail
        await peer.close()


async def test_two_dtus_of_one_port_are_told_apart() -> None:
    register = Register(Device("ST-1", "dust", "renke-fsxcs", 0), Device("ST-2", "dust", "renke-fsxcs", 1))
    settings = [
        bus(
            "dtu",
            name=f"b{n}",
            port=0,
            registration=f"CITY{n}",
            slaves=[{"device": f"ST-{n}", "unit": 1, "period": "50ms"}],
        )
        for n in (1, 2)
    ]
    peers = [
        Slaves(line(*slaves("renke-fsxcs", {"main": 1}, STATION | {"pm10": 10.0 * n}), rtu=True))
        for n in (1, 2)
    ]
    async with running(register, *settings) as city:
        for n in (2, 1):
            await peers[n - 1].dial("127.0.0.1", city.buses.doors[0].port, b"CITY%d" % n)
        for n in (1, 2):
            documents = await city.until(2, device=n - 1)
            assert {document["v"]["pm10"] for document in documents} == {10.0 * n}
    for peer in peers:
        await peer.close()


def cabinet() -> tuple[Register, ModbusSettings | None, Slaves]:
    members = slaves("modbus-cabinet", UNITS, CABINET)
    return Register(Device("CB-1", "cabinet", "modbus-cabinet", 4)), None, Slaves(line(*members, rtu=True))


async def test_a_cabinet_is_one_device_of_four_modules() -> None:
    register, _, peer = cabinet()
    await peer.listen()
    settings = bus("rtu-tcp", port=peer.port, slaves=[{"device": "CB-1", "units": UNITS, "period": "50ms"}])
    async with running(register, settings) as city:
        (document,) = await city.until(1)
        assert {name: document["v"][name] for name in CABINET} == pytest.approx(CABINET)
        peer.line.slaves[UNITS["meter"]].fault = Fault(dead=True)
        async with asyncio.timeout(5):
            while "q" not in document:
                (document,) = await city.until(1)
        assert document["q"]["voltage_a"] == "no_comms"
        assert "door" not in document["q"]
    await peer.close()


async def commanded(city: ModbusCity, name: str, **args: float) -> dict[str, Any]:
    await city.until(1)
    expires = city.clock.now() + 10 * SECOND
    assert city.buses.deliver("CB-1", encode_command("k7", name, args, expires), expires)
    return (await city.until(1, "reply"))[0]


async def test_a_contactor_is_switched_and_read_back() -> None:
    register, _, peer = cabinet()
    await peer.listen()
    settings = bus("rtu-tcp", port=peer.port, slaves=[{"device": "CB-1", "units": UNITS, "period": "50ms"}])
    async with running(register, settings) as city:
        assert await commanded(city, "contactor", state=1) == {
            "id": "k7",
            "result": "applied",
            "v": {"contactor": 1.0},
        }
        assert peer.line.slaves[UNITS["relay"]].image["coil"][0] == 1
        assert (await city.until(1))[0]["v"]["contactor"] == 1.0
        answer = await commanded(city, "restart")
        assert answer["result"] == "failed"
        assert "no register for the command restart" in answer["error"]
        assert not city.buses.deliver("CB-9", b"", 0)
    await peer.close()


async def test_a_device_that_is_registered_later_is_polled_then() -> None:
    _, members = city_of_one()
    register = Register()
    peer = Slaves(line(*slaves("renke-fsxcs", {"main": 1}, STATION)))
    await peer.listen()
    async with running(register, bus(port=peer.port, slaves=members, silence="1s")) as city:
        (only,) = city.buses.buses
        assert only.unusable == {"ST-1": "the registry has no such device in service"}
        register.devices["ST-1"] = Device("ST-1", "dust", "renke-fsxcs", 0)
        register.generation += 1
        said_so((await city.until(1))[0])
    await peer.close()


async def test_a_line_that_breaks_is_opened_again() -> None:
    register, members = city_of_one()
    peer = Slaves(line(*slaves("renke-fsxcs", {"main": 1}, STATION)))
    await peer.listen()
    async with running(register, bus(port=peer.port, slaves=members, reconnect_cap="1s")) as city:
        await city.until(2)
        for link in list(peer.links):
            link.hang_up()
        assert await city.until(2, "status") == [{"state": "offline"}, {"state": "online"}]
        assert city.buses.buses[0].counters.opened == 2
    await peer.close()


async def test_what_is_no_modbus_tcp_ends_the_connection() -> None:
    register, members = city_of_one()
    peer = Slaves(line(*slaves("renke-fsxcs", {"main": 1}, STATION)))
    await peer.listen()
    async with running(register, bus(port=peer.port, slaves=members, reconnect_cap="1s")) as city:
        await city.until(1)
        next(iter(peer.links)).say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await city.until(2, "status")
        assert city.buses.buses[0].counters.desynced == 1
    await peer.close()


async def test_a_full_inbox_pauses_the_polls() -> None:
    register, members = city_of_one()
    peer = Slaves(line(*slaves("renke-fsxcs", {"main": 1}, STATION)))
    await peer.listen()
    async with running(register, bus(port=peer.port, slaves=members)) as city:
        await city.until(1)
        city.inbox.bound = 1
        async with asyncio.timeout(2):
            while not city.inbox.paused:
                await city.clock.sleep(0.01)
        asked = peer.line.slaves[1].asked
        await city.clock.sleep(0.2)
        assert peer.line.slaves[1].asked <= asked + 1
        city.inbox.take(10)
        await city.until(2)
    await peer.close()


async def test_metrics_tell_the_achieved_period_and_its_jitter() -> None:
    register, members = city_of_one()
    peer = Slaves(line(*slaves("renke-fsxcs", {"main": 1}, STATION)))
    await peer.listen()
    async with running(register, bus(port=peer.port, slaves=members)) as city:
        await city.until(4)
        registry = CollectorRegistry()
        registry.register(city.buses)
        text = generate_latest(registry).decode()
        for piece in (
            'citygate_modbus_up{bus="b"} 1.0',
            'citygate_modbus_period_seconds{bus="b",device="ST-1"} 0.0',
            'citygate_modbus_jitter_seconds_bucket{bus="b",le="+Inf"}',
            'citygate_modbus_timeouts_total{bus="b"} 0.0',
        ):
            assert piece in text
    await peer.close()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kind": "rtu"}, "kind rtu needs it"),
        ({"serial": "/dev/ttyS0"}, "serial belongs to kind rtu"),
        ({"registration": "x"}, "belong to kind dtu"),
        ({"slaves": [{"device": "a"}]}, "give unit, or units"),
        ({"slaves": [{"device": "a", "unit": 1}, {"device": "b", "unit": 1}]}, "unit 1 answers for two"),
        ({"timeout": "soon"}, "a number and a unit"),
        ({"kind": "dtu", "registration": "hex:0g"}, "is no hex"),
    ],
)
def test_a_bus_that_cannot_be_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        bus(**given)


def test_buses_that_cannot_be_together_are_named() -> None:
    one = {"device": "a", "unit": 1}
    found = faults(
        [
            bus(slaves=[one]),
            bus(slaves=[one]),
            bus("dtu", name="x", registration="AB"),
            bus("dtu", name="y", registration="ABC"),
        ]
    )
    assert [fault.split(":")[0] for fault in found] == ["modbus"] * 3
    assert "two buses are called b" in found[0]
    assert "a is polled twice" in found[1]
    assert "x and y cannot be told apart" in found[2]
