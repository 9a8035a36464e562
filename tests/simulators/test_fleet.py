from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from drivers.dialogue import decode_reply, encode_command
from drivers.mqtt import topics
from drivers.mqtt.packets import Publish
from drivers.telemetry import HOUR, MINUTE
from simulators.faults import Fault, Faults, demo
from simulators.fleet import Fleet, Settings
from simulators.ledger import stored
from simulators.mishaps import find
from simulators.pace import Pace
from simulators.world.city import City
from tests.simulators.acker import Server, until
from tests.simulators.evening import START, city

QUICK = Settings(ramp=5_000, drain=3)
SECRETS = {"DU-0001": "open sesame"}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    found = Server()
    await found.start()
    yield found
    await found.close()


@asynccontextmanager
async def running(
    server: Server, town: City, speed: float = 1.0, faults: Faults | None = None
) -> AsyncIterator[Fleet]:
    """A fleet whose devices are all connected; afterwards it has stopped of itself."""
    pace = Pace(START, speed)
    fleet = Fleet(town, "127.0.0.1", server.port, secrets=SECRETS, pace=pace, faults=faults, settings=QUICK)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(fleet.run())
        await until(lambda: fleet.connected == len(town))
        yield fleet
        fleet.stop()


def one(town: City, name: str, place: tuple[str, int], start: int, end: int) -> Faults:
    family, index = place
    return Faults(
        town, [Fault(find(name, family), family, index, town.cohorts[family].ids[index], start, end)]
    )


def of(server: Server, device: str, channel: str) -> list[Publish]:
    return [heard for heard in server.heard if topics.parse(heard.topic)[1:] == (device, channel)]


def unsettled(fleet: Fleet) -> set[str]:
    """Devices with a message that was never acknowledged."""
    rows = fleet.ledger.rows
    return {fleet.ledger.ids[device] for device in rows["device"][rows["status"] == 0]}


def cut_off(fleet: Fleet) -> set[str]:
    return {fault.device for fault in fleet.faults.all if fault.kind.layer == "link"}


async def test_every_device_connects_as_itself_and_says_what_it_sees(server: Server) -> None:
    town = city(50)
    async with running(server, town) as fleet:
        await until(lambda: fleet.ledger.acked >= 100)
    ids = {device for cohort in town.cohorts.values() for device in cohort.ids}
    assert {connect.username for connect in server.connects} == ids
    assert {connect.version for connect in server.connects} == {4, 5}
    for connect in server.connects:
        assert connect.client_id == connect.username
        secret = SECRETS.get(connect.client_id)
        assert connect.password == (secret.encode() if secret else None)
        assert connect.will is not None
        assert json.loads(connect.will.payload) == {"state": "offline"}
        assert topics.parse(connect.will.topic)[1:] == (connect.client_id, "status")
        assert len(of(server, connect.client_id, "telemetry")) == 1
        (status,) = of(server, connect.client_id, "status")
        assert json.loads(status.payload)["state"] == "online"
    report = fleet.report()
    assert (report["sent"], report["acked"], report["unacked"]) == (100, 100, 0)
    assert stored(fleet.ledger.rows).all()
    assert report["latency_ms"]["p50"] > 0
    assert server.left == 50


async def test_what_was_not_acknowledged_is_sent_again(server: Server) -> None:
    town = city(20)
    server.mute = 7
    async with running(server, town) as fleet:
        await until(lambda: fleet.ledger.sent == 40 and fleet.ledger.waiting == 7)
        server.drop()
        await until(lambda: fleet.ledger.waiting == 0 and fleet.connected == 20)
    again = [heard for heard in server.heard if heard.dup]
    assert len(again) == 7
    for heard in again:
        first = next(one for one in server.heard if one.topic == heard.topic and not one.dup)
        assert (first.payload, first.packet_id) == (heard.payload, heard.packet_id)
    report = fleet.report()
    assert report["resent"] == 7
    assert report["unacked"] == 0
    assert report["connected"] == 40


async def test_refusals_are_counted_by_code(server: Server) -> None:
    server.refuse = {"status": 0x99}
    town = city(30)
    async with running(server, town) as fleet:
        await until(lambda: fleet.ledger.waiting == 0 and fleet.ledger.sent >= 60)
    five = sum(connect.version == 5 for connect in server.connects)
    assert fleet.report()["refused"] == {"0x99": five}
    assert (fleet.ledger.rows["status"] == 0x99).sum() == five
    assert stored(fleet.ledger.rows).sum() == fleet.ledger.sent - five


async def test_devices_report_at_their_own_times_and_a_silent_one_does_not(server: Server) -> None:
    town = city(40)
    faults = one(town, "silent", ("dust", 0), START, START + HOUR)
    async with running(server, town, 600, faults) as fleet:
        await until(lambda: len(of(server, "DU-0002", "telemetry")) >= 5)
    assert of(server, "DU-0001", "telemetry") == []
    stamps = [json.loads(heard.payload)["ts"] for heard in of(server, "DU-0002", "telemetry")]
    assert stamps == sorted(set(stamps))
    assert set(np.diff(stamps[1:])) == {60_000}
    rows = fleet.ledger.rows
    for device in range(40):
        times = rows["time"][rows["device"] == device]
        assert np.all(np.diff(times) > 0)


async def test_a_fault_that_a_device_notices_is_told_at_once_and_so_is_its_end(server: Server) -> None:
    town = city(40)
    faults = one(town, "cover_tilted", ("manhole", 1), START + 5 * MINUTE, START + 10 * MINUTE)
    async with running(server, town, 600, faults):
        await until(lambda: len(of(server, "MH-0002", "event")) == 2)
    begun, ended = (json.loads(heard.payload) for heard in of(server, "MH-0002", "event"))
    assert begun["event"] == "orientationChanged"
    assert begun["v"]["tilt"] > 30
    assert ended["event"] == "normal"
    assert ended["v"]["tilt"] < 5
    for told, turn in ((begun, 5), (ended, 10)):
        assert START + turn * MINUTE <= told["ts"] * 1_000 + 1_000 < START + (turn + 4) * MINUTE


def changes(server: Server, bays: Sequence[str]) -> int:
    """How often a bay said something else than before."""
    said = {
        bay: [json.loads(heard.payload)["v"]["occupied"] for heard in of(server, bay, "telemetry")]
        for bay in bays
    }
    return sum(a != b for states in said.values() for a, b in pairwise(states))


async def test_a_bay_reports_when_it_changes(server: Server) -> None:
    town = city(100)
    async with running(server, town, 1_500):
        await until(lambda: changes(server, town.cohorts["parking"].ids) >= 3)


async def test_a_broken_link_breaks_and_comes_back(server: Server) -> None:
    town = city(20)
    faults = one(town, "disconnect", ("dust", 0), START + 10 * MINUTE, START + 20 * MINUTE)
    async with running(server, town, 1_200, faults) as fleet:
        await until(lambda: fleet.connected == 19)
        await until(lambda: "DU-0001" not in {link.user for link in server.links})
        await until(lambda: fleet.connected == 20)
    assert fleet.report()["connected"] == 21
    assert server.left == 20


async def test_bad_messages_go_out_beside_the_good_ones(server: Server) -> None:
    town = city(40)
    faults = one(town, "bad_json", ("dust", 1), START + MINUTE, START + 8 * MINUTE)
    async with running(server, town, 600, faults) as fleet:
        await until(lambda: bool(fleet.ledger.rows["expect"].any()))
    heard = [each.payload for each in of(server, "DU-0002", "telemetry")]
    bad = [payload for payload in heard if payload.count(b"{") != payload.count(b"}")]
    assert bad
    assert len(heard) - len(bad) >= len(bad)


async def test_a_lamp_obeys_and_answers(server: Server) -> None:
    town = city(20)
    async with running(server, town) as fleet:
        await until(lambda: fleet.ledger.waiting == 0 and fleet.ledger.sent == 40)
        link = next(link for link in server.links if link.user == "LP-0003")
        expires = START + HOUR
        link.tell("city/streetlight/LP-0003/command", encode_command("c7", "dim", {"level": 30}, expires))
        link.tell("city/streetlight/LP-0003/command", b"what?")
        await until(
            lambda: len(of(server, "LP-0003", "telemetry")) >= 2 and bool(of(server, "LP-0003", "reply"))
        )
    (heard,) = of(server, "LP-0003", "reply")
    reply = decode_reply(heard.payload)
    assert (reply.id, reply.result, reply.v["dimming"]) == ("c7", "applied", 30)
    assert json.loads(of(server, "LP-0003", "telemetry")[1].payload)["v"]["dimming"] == 30
    assert (fleet.counts["commands"], fleet.counts["bad_commands"]) == (2, 1)


async def test_a_server_that_is_away_is_tried_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    fleet = Fleet(city(6), "127.0.0.1", port, secrets={}, pace=Pace(START), settings=QUICK)
    server = Server()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(fleet.run())
        await until(lambda: fleet.report()["unreachable"] >= 6)
        await server.start(port)
        await until(lambda: fleet.connected == 6)
        fleet.stop()
    await server.close()
    assert fleet.report()["unacked"] == 0


async def test_it_ends_at_its_time_and_reports_what_should_have_been_noticed(server: Server) -> None:
    town = city(30)
    fleet = Fleet(
        town,
        "127.0.0.1",
        server.port,
        secrets={},
        pace=Pace(START, 2_000.0),
        faults=demo(town),
        settings=QUICK,
    )
    async with asyncio.timeout(20):
        await fleet.run(START + 15 * MINUTE)
    assert fleet.connected == 0
    report = json.loads(json.dumps(fleet.report()))
    assert unsettled(fleet) <= cut_off(fleet)
    assert {each["family"] for each in report["truth"]} == set(town.cohorts)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    settings = tmp_path / "mosquitto.conf"
    settings.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type error\n"
    )
    process = subprocess.Popen(["mosquitto", "-c", str(settings)])
    yield port
    process.terminate()
    process.wait(5)


async def accepts(port: int) -> None:
    pace = Pace.real()
    async with asyncio.timeout(5):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await pace.sleep(0.02)
            else:
                writer.close()
                await writer.wait_closed()
                return


@pytest.mark.peer("mosquitto")
async def test_fifty_devices_on_a_real_broker(mosquitto: int) -> None:
    await accepts(mosquitto)
    town = city(50)
    fleet = Fleet(
        town, "127.0.0.1", mosquitto, secrets={}, pace=Pace(START, 600.0), faults=demo(town), settings=QUICK
    )
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(fleet.run())
        await until(lambda: fleet.ledger.acked >= 400, 15)
        listen = await asyncio.create_subprocess_exec(
            "mosquitto_sub",
            "-p",
            str(mosquitto),
            "-t",
            "city/+/+/reply",
            "-C",
            "1",
            stdout=asyncio.subprocess.PIPE,
        )
        order = encode_command("c9", "dim", {"level": 55}, START + 9 * HOUR)
        topic = "city/streetlight/LP-0001/command"
        while listen.returncode is None:
            publish = await asyncio.create_subprocess_exec(
                "mosquitto_pub", "-p", str(mosquitto), "-q", "1", "-t", topic, "-m", order.decode()
            )
            await publish.wait()
            await fleet.pace.sleep(0.1)
        out, _ = await listen.communicate()
        fleet.stop()
    assert decode_reply(out.strip()).v["dimming"] == 55
    report = fleet.report()
    assert unsettled(fleet) <= cut_off(fleet)
    assert report["acked"] + report["unacked"] == report["sent"] >= 400
    assert report["refused"] == {}
    assert report["refused_connections"] == {}
