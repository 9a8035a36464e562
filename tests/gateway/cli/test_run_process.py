"""`citygate run` as a process: its log is JSON without a secret, and SIGHUP and `citygate reload` change it live."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.publish as mqtt
from typer.testing import CliRunner, Result

from gateway.cli.commands import app
from gateway.cli.remote import running
from gateway.clock import CityClock
from tests.conftest import ROOT

PATIENCE = 30.0  # seconds until it listens
ROUNDS = 500  # of 20 ms
SECRETS = ("linkpass7788", "influxtoken7788", "hookpass7788", "signing-secret-7788", "775533")
CONFIG = """
data = "{data}"
log_level = "{level}"
log_format = "json"
{top}
[mqtt.endpoint]
host = "127.0.0.1"
port = 0
[[mqtt.link]]
name = "away"
host = "127.0.0.1"
port = 9
username = "u"
password = "linkpass7788"
[http]
port = 0
[hj212]
password = "775533"
[mirror]
url = "http://127.0.0.1:9"
token = "influxtoken7788"
[[notify.webhook]]
name = "centre"
url = "http://u:hookpass7788@127.0.0.1:9/"
secret = "signing-secret-7788"
allow = ["127.0.0.0/8"]
"""


class Gateway:
    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.config = folder / "config.toml"
        self.log = folder / "log"
        self.told = ""  # standard output
        self._clock = CityClock()

    def write(self, level: str = "DEBUG", top: str = "") -> None:
        self.config.write_text(CONFIG.format(data=self.data, level=level, top=top), encoding="utf-8")

    @property
    def logged(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").splitlines(keepends=True)

    async def command(self, *words: str) -> Result:
        """`citygate` with these words."""
        return await asyncio.to_thread(CliRunner().invoke, app, ["--config", str(self.config), *words])

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Process]:
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "gateway", "--config", str(self.config), "run"]
            process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE, stderr=log)
        assert process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE):
                while "HTTP " not in self.told:
                    self.told += (await process.stdout.readline()).decode()
            await self.says("ready")
            yield process
        finally:
            process.terminate()
            await process.communicate()
        assert process.returncode == 0

    async def says(self, message: str) -> None:
        """Waits until the log has it."""
        for _ in range(ROUNDS):
            if any(message in line for line in self.logged):
                return
            await self._clock.sleep(0.02)
        raise AssertionError(f"{message!r} is not in the log:\n{''.join(self.logged)}")

    def port(self, name: str) -> int:
        found = re.search(rf"{name}\s+\S*?:(\d+)", self.told)
        assert found is not None
        return int(found[1])


async def test_no_secret_is_ever_logged(tmp_path: Path) -> None:
    it = Gateway(tmp_path)
    it.write()
    async with it.running():
        admin = it.told.split("admin token, shown this once: ")[1].split()[0]
        base = f"http://127.0.0.1:{it.port('HTTP')}/api/v1"
        async with running(it.data) as remote:
            made = await remote.post("/devices", json={"id": "MH-0001", "product": "generic-manhole"})
            token = (await remote.post("/tokens", json={"name": "wall", "role": "viewer"})).json()["secret"]
            source = (await remote.post("/sources", json={"name": "s", "filters": ["#"], "area": ""})).json()[
                "secret"
            ]
        device = made.json()["secret"]
        async with httpx.AsyncClient(base_url=base) as client:
            for word in (admin, token, device, "guessed-secret-7788"):
                await client.get("/devices", headers={"Authorization": f"Bearer {word}"})
        topic, payload = "city/manhole/MH-0001/telemetry", '{"v": {"tilt": 80}}'
        auth: Any = {"username": "MH-0001", "password": device}
        await asyncio.to_thread(
            mqtt.single, topic, payload, 1, hostname="127.0.0.1", port=it.port("MQTT"), auth=auth
        )
        await it.says("link away: ")
        it.write(top='zone = "Mars/Base"')
        async with running(it.data) as remote:
            assert (await remote.post("/config/reload")).status_code == 422
        records = [json.loads(line) for line in it.logged]
    text = "".join(it.logged)
    assert {"DEBUG", "INFO", "WARNING"} <= {record["level"] for record in records}
    assert all({"time", "level", "logger", "message"} <= record.keys() for record in records)
    known = (*SECRETS, admin, token, source, device, "guessed-secret-7788")
    assert all(known)
    assert [secret for secret in known if secret in text] == []


async def test_sighup_and_the_command_change_what_can_be_changed(tmp_path: Path) -> None:
    it = Gateway(tmp_path)
    it.write()
    async with it.running() as process:
        it.write("INFO", top="log_repeats = 3")
        process.send_signal(signal.SIGHUP)
        await it.says("applied: log_level")
        it.write("LOUD", top="log_repeats = -1")
        process.send_signal(signal.SIGHUP)
        await it.says("configuration stays as it was")
        assert sum("stays as it was" in line for line in it.logged) == 2, "every fault is said"
        refused = await it.command("reload")
        assert (refused.exit_code, "log_level" in str(refused.exception)) == (1, True)
        assert "log_repeats" in str(refused.exception)
        it.write("WARNING", top='zone = "Europe/Berlin"')
        done = await it.command("reload")
        assert (done.exit_code, done.output.splitlines()) == (
            0,
            ["applied: log_level", "applied: log_repeats", "needs a restart: zone"],
        )
    alone = await it.command("reload")
    assert (alone.exit_code, "no gateway runs" in str(alone.exception)) == (1, True)
