"""The whole gateway: what its commands and API say of parts and mirror."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from drivers.telemetry import DAY, HOUR
from gateway.app import App
from gateway.cli.commands import app
from gateway.clock import CityClock
from gateway.config import Config
from tests.gateway.history.influx import TOKEN, Influx, influx


@pytest.fixture
def server() -> Iterator[Influx]:
    with influx() as server:
        yield server


@asynccontextmanager
async def gateway(folder: Path, **more: Any) -> AsyncIterator[tuple[App, httpx.AsyncClient]]:
    given = {
        "data": folder,
        "history": {"memory_mb": 128},
        "http": {"port": 0},
        "mqtt": {"endpoint": {"host": "127.0.0.1", "port": 0}},
    }
    async with App(Config.model_validate(given | more)) as running:
        transport = httpx.ASGITransport(app=running.doors.local)
        async with httpx.AsyncClient(transport=transport, base_url="http://local/api/v1") as remote:
            yield running, remote


async def until(true: Callable[[], bool]) -> None:
    clock = CityClock()
    for _ in range(500):
        if true():
            return
        await clock.sleep(0.02)
    raise AssertionError("it took too long")


async def _register(remote: httpx.AsyncClient) -> None:
    answer = await remote.post("/devices", json={"id": "DU-1", "product": "generic-dust"})
    assert answer.status_code == 201, answer.text


async def _say(remote: httpx.AsyncClient, time: int, pm10: float, *, hist: bool = False) -> None:
    item = {"device": "DU-1", "ts": time // 1000, "v": {"pm10": pm10}} | ({"hist": True} if hist else {})
    assert (await remote.post("/telemetry", json=item)).is_success


def _told(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.is_success, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_the_mirror_follows_the_gateway_and_is_repaired(tmp_path: Path, server: Influx) -> None:
    mirror = {"url": f"http://127.0.0.1:{server.port}", "token": TOKEN, "interval_ms": 20}
    async with gateway(tmp_path, mirror=mirror) as (running, remote):
        await _register(remote)
        server.dropping = True
        start = running.core.clock.now()
        await _say(remote, start, 81.5)
        await until(lambda: any("81.5" in line for _, lines in server.writes for line in lines))
        server.dropping = False
        server.bad = lambda line: "pm10=66.0" in line
        await _say(remote, start + 1_000_000, 66)
        await _say(remote, start + 2_000_000, 67)
        end = {"to": str(start + DAY)}
        await until(lambda: "DU-1" in str(server.points))
        status = (await remote.get("/history/mirror")).json()
        assert (status["refused"], status["gaps"], status["error"]) == (1, [], "")
        figures = (await remote.get("http://local/metrics")).text
        for figure in (
            "citygate_mirror_lag_ticks 0.0",
            "citygate_mirror_up 1.0",
            "citygate_history_parts 0.0",
        ):
            assert figure in figures
        found = _told(await remote.get("/history/mirror/verify", params=end))
        assert sum(each["wrong"] for each in found) >= 2
        server.bad = lambda _: False
        assert _told(await remote.post("/history/mirror/repair", params=end)) == found
        await until(lambda: "66.0" in str(server.points))
        assert _told(await remote.get("/history/mirror/verify", params=end)) == []
        await until(lambda: not running.core.quarantine.pending)
        samples = (await remote.get("/quarantine", params={"reason": "mirror_refused"})).json()["items"]
        assert (samples[0]["device"], samples[0]["origin"]) == ("DU-1", "mirror")
        assert "pm10=66.0" in samples[0]["payload"]


async def _three_days(folder: Path) -> None:
    async with gateway(folder) as (running, remote):
        await _register(remote)
        start = running.core.clock.now() // DAY * DAY - 3 * DAY
        for hour in range(3 * 24):
            await _say(remote, start + hour * HOUR, hour, hist=True)
        assert (await remote.get("/history/mirror")).status_code == 404
        assert (await remote.get("/history/parts", params={"family": "x"})).status_code == 404


def test_the_commands_compact_and_verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(_three_days(tmp_path / "data"))
    (tmp_path / "config.toml").write_text(f'data = "{tmp_path}/data"\n[history]\nmemory_mb = 128\n')
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    done = run(app, ["history", "compact"])
    assert done.exit_code == 0, done.output
    compacted = json.loads(done.stdout)
    assert (compacted["parts"], compacted["rows"]) == (3, 72)
    done = run(app, ["history", "verify"])
    assert (done.exit_code, done.stdout.splitlines()) == (0, ["3 looked at, 0 faulty"])
    exported = run(app, ["history", "export", "dust"]).stdout.splitlines()
    assert [json.loads(line)["values"]["pm10"] for line in exported] == list(range(72))
    (first, *_) = sorted((tmp_path / "data/history/dust").rglob("*.parquet"))
    damaged = bytearray(first.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    first.write_bytes(damaged)
    done = run(app, ["history", "verify"])
    assert done.exit_code == 1
    assert "checksum does not match" in done.stdout
    done = run(app, ["history", "verify", "--mirror"])
    assert done.exit_code != 0
    assert "no mirror" in str(done.exception)
