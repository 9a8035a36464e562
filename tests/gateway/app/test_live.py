"""A running gateway takes new settings, and drops no device that they do not concern."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from drivers.telemetry import HOUR, MINUTE, SECOND
from gateway import log
from gateway.app import App
from gateway.config import Config, load
from gateway.console.words import WORDS
from gateway.errors import ConfigError
from gateway.notify.channels.log import LogChannel
from gateway.store.schema.registry import audit
from tests.gateway.logs import kept

BASE = """
data = "{data}"
{top}
[mqtt.endpoint]
host = "127.0.0.1"
port = 0
{endpoint}
[http]
port = 0
"""


class Town:
    """A gateway that listens, and its configuration file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "config.toml"
        self.write()

    def write(self, more: str = "", top: str = "", endpoint: str = "") -> None:
        text = BASE.format(data=self.folder / "data", top=top, endpoint=endpoint)
        self.file.write_text(text + more, encoding="utf-8")

    def read(self) -> Config:
        return load(self.file)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[App]:
        async with App(self.read(), read=self.read) as gateway:
            yield gateway


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def free() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


async def listens(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.write_eof()
    await reader.read()  # the other side has let go, too
    writer.close()
    await writer.wait_closed()
    return True


async def test_what_can_be_changed_live_is_and_the_rest_is_named(town: Town) -> None:
    async with town.running() as gateway:
        core = gateway.core
        town.write(
            """
[clocks]
ahead_s = 5
[pipeline]
tick_ms = 7
max_pending = 900
[history]
keep_days = 30
low_mb = 3
memory_mb = 512
[desk]
stale = "1h"
[labels]
zh."state.repaired" = "待核实"
[[case]]
id = "cover-danger"
limit = { amount = 9, unit = "urgent_hour" }
"""
        )
        report = await gateway.reload()
        assert (report.restart, report.failed) == (["history.memory_mb"], [])
        assert set(report.applied) == {
            "clocks.ahead_s",
            "pipeline.tick_ms",
            "pipeline.max_pending",
            "history.keep_days",
            "history.low_mb",
            "desk.stale",
            "labels.zh",
            "case",
        }
        assert core.derived.order.ahead == 5 * SECOND
        assert (core.pipeline.settings.tick_ms, core.inbox.bound) == (7, 900)
        assert core.desk.settings.stale == HOUR
        assert core.labels.word(WORDS, "state.repaired", "zh") == "待核实"
        assert core.desk.casework.templates["cover-danger"].limit.amount == 9
        assert core.desk.casework.clock.zone.key == "Asia/Shanghai"
        town.write()
        await gateway.reload()
        assert core.desk.settings.stale == 30 * MINUTE
        assert core.labels.word(WORDS, "state.repaired", "zh") == "待核查"
        trail = await core.store.read(
            lambda conn: list(conn.scalars(select(audit.c.detail).where(audit.c.object == "config:file")))
        )
        assert [sorted(each["applied"]) for each in trail] == [sorted(report.applied)] * 2


async def test_a_device_keeps_its_connection_over_a_reload_and_new_limits_hold(town: Town) -> None:
    async with town.running() as gateway:
        endpoint = gateway.doors.endpoint
        _, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
        while not endpoint.connections:
            await gateway.core.clock.sleep(0.01)
        town.write(endpoint="payload_limit = 300\npacket_limit = 70000\nlimits = { clients = 3 }")
        report = await gateway.reload()
        assert report.applied == ["mqtt.endpoint.limits.clients", "mqtt.endpoint.payload_limit"]
        assert report.restart == ["mqtt.endpoint.packet_limit"], "clients were told it when they came"
        assert endpoint._hub.settings.payload_limit == endpoint._sessions._settings.payload_limit == 300
        assert endpoint.connections == 1
        writer.close()
        await writer.wait_closed()


async def test_stations_and_buses_begin_anew_alone(town: Town) -> None:
    first, second, dtu = free(), free(), free()
    async with town.running() as gateway:
        mqtt = gateway.doors.endpoint.port
        gates = len(gateway.core.inbox._gates)
        for port in (first, second):
            town.write(
                f"""
[hj212]
enabled = true
host = "127.0.0.1"
port = {port}
[[modbus]]
name = "north"
kind = "dtu"
host = "127.0.0.1"
port = {dtu}
registration = "CITY0001"
slaves = []
"""
            )
            report = await gateway.reload()
            assert report.failed == []
            assert [await listens(each) for each in (port, dtu, mqtt)] == [True, True, True]
        assert not await listens(first)
        town.write()
        await gateway.reload()
        assert [await listens(each) for each in (second, dtu, mqtt)] == [False, False, True]
        assert len(gateway.core.inbox._gates) == gates, "nothing is left of what stopped"


async def test_a_port_that_is_taken_leaves_things_as_they_were(town: Town) -> None:
    own = free()
    station = '[hj212]\nenabled = true\nhost = "127.0.0.1"\nport = '
    town.write(f"{station}{own}")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with town.running() as gateway:
            town.write(f"{station}{taken.getsockname()[1]}")
            report = await gateway.reload()
            assert report.applied == []
            assert len(report.failed) == 1
            assert "hj212" in report.failed[0]
            assert await listens(own)


async def test_links_come_change_and_go_each_alone(town: Town) -> None:
    def links(*described: tuple[str, int]) -> str:
        return "".join(
            f'[[mqtt.link]]\nname = "{name}"\nhost = "127.0.0.1"\nport = {port}\nreconnect_cap = 60.0\n'
            for name, port in described
        )

    north, south, other = free(), free(), free()
    town.write(links(("north", north), ("south", south)))
    async with town.running() as gateway:
        before = {link.settings.name: link for link in gateway.doors.links}
        known = gateway.core.derived.engine.links
        town.write(links(("north", north), ("south", other), ("east", south)))
        report = await gateway.reload()
        assert (report.applied, report.failed) == (["mqtt.link"], [])
        after = {link.settings.name: link for link in gateway.doors.links}
        assert after["north"] is before["north"]
        assert after["south"] is not before["south"]
        assert set(known) >= {"north", "south", "east"}
        assert known["east"] is not None, "devices behind it cannot be heard yet"
        town.write(links(("north", north)))
        await gateway.reload()
        assert [link.settings.name for link in gateway.doors.links] == ["north"]
        assert known["south"] is None, "nobody waits for a link that is no more"
        town.write(links(("north", north)) + 'publish = ["alarms"]\n')
        assert (await gateway.reload()).restart == ["mqtt.link"]


async def test_channels_change_and_what_waits_goes_out(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    async with town.running() as gateway:
        assert gateway.core.flow.names == ["log"]
        town.write('[[notify.log]]\nname = "wall"\nevents = ["case.*"]\n')
        assert (await gateway.reload()).applied == ["notify.log"]
        assert gateway.core.flow.names == ["wall"]
        assert [channel.name for channel in gateway.core.outbox.channels] == ["wall"]
        assert isinstance(gateway.core.flow._channels["wall"], LogChannel)
        running = [task.get_name() for task in asyncio.all_tasks()]
        assert running.count("notify") == running.count("notify wall") == 1
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


async def test_a_file_with_faults_is_refused_with_all_of_them(town: Town) -> None:
    async with town.running() as gateway:
        town.write('[desk]\nstale = "soon"\n[clocks]\nahead_s = 0\n', top='log_level = "LOUD"')
        with pytest.raises(ConfigError) as caught:
            await gateway.reload()
        assert len(caught.value.faults) == 3
        assert gateway.core.derived.order.ahead == 60 * SECOND


async def test_the_log_changes_its_form_and_level(town: Town) -> None:
    with kept():
        async with town.running() as gateway:
            town.write(top='log_level = "ERROR"\nlog_format = "json"')
            assert (await gateway.reload()).applied == ["log_format", "log_level"]
            root = logging.getLogger()
            (handler,) = [each for each in root.handlers if isinstance(each, log.Sparing)]
            assert (isinstance(handler.formatter, log.Json), root.level) == (True, logging.ERROR)


async def test_the_file_stops_all_downlink_and_lets_it_go_again(town: Town) -> None:
    async with town.running() as gateway:
        town.write("[commands]\nenabled = false\nsecond_person_from = 7")
        assert (await gateway.reload()).applied == ["commands.enabled", "commands.second_person_from"]
        assert gateway.core.commands.stopped is not None
        assert gateway.core.commands.settings.second_person_from == 7
        town.write()
        await gateway.reload()
        assert gateway.core.commands.stopped is None
