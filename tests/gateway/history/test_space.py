from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from drivers.families import FAMILIES
from drivers.refusal import Refusal
from drivers.telemetry import DAY
from gateway.app import App
from gateway.clock import CityClock
from gateway.config import Config
from gateway.errors import StoreError
from gateway.history.compaction import Compactor
from gateway.history.duck import History
from gateway.history.query import Queries
from gateway.history.settings import HistorySettings
from gateway.history.space import MIB, Level, Space
from gateway.history.upkeep import Upkeep
from gateway.ingest.inbox import Frame
from tests.gateway.history.readings import FAMILIES as TWO
from tests.gateway.history.readings import Said, batch_of, fresh, opened
from tests.gateway.history.test_compaction import MAY_1, day_of
from tests.scenarios.city import City, city, moment

SIZE = 64  # MiB
TIGHT = {"memory_mb": 128, "low_mb": 26, "floor_mb": 14, "reserve_mb": 6, "checkpoint_kb": 256}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 64 MiB."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a tmpfs")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, leave: int = 0) -> None:
    """All that is free but `leave` bytes; who else writes there meanwhile takes its share first."""
    with (folder / "ballast").open("wb") as file:
        for _ in range(100):
            free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
            with suppress(OSError):
                os.posix_fallocate(file.fileno(), 0, free - leave)
                return
    raise AssertionError("the disk cannot be filled")


class Sender:
    """A device that never stops; it knows what was acknowledged."""

    address = "test"

    def __init__(self, gateway: App) -> None:
        self.gateway = gateway
        self.sent: list[int] = []  # ms; a token is a position here
        self.acked: set[int] = set()
        self.refused = 0

    def settle(self, tokens: Sequence[int], refused: Mapping[int, Refusal]) -> None:
        self.acked |= {self.sent[token - 1] for token in tokens}
        self.refused += len(refused)

    async def run(self) -> None:
        lane = self.gateway.core.decoding.lane("generic-dust", "dust", "telemetry")
        index = self.gateway.core.directory.device("DU-1").index  # type: ignore[union-attr]
        inbox = self.gateway.core.inbox
        while True:
            now = self.gateway.core.clock.now()
            if not inbox.paused:
                for _ in range(40):
                    self.sent.append(max(now // 1000, self.sent[-1] + 1 if self.sent else 0))
                    payload = b'{"ts":%d,"v":{"pm10":%d}}' % (self.sent[-1], len(self.sent) % 100)
                    inbox.frames.append(Frame(lane, index, payload, now, self, len(self.sent)))
                inbox.arrived()
            await self.gateway.core.clock.sleep(0.02)


async def until(true: Callable[[], bool], seconds: float, gateway: App) -> float:
    start = gateway.core.clock.monotonic()
    while not true():
        assert gateway.core.clock.monotonic() - start < seconds, "it took too long"
        await gateway.core.clock.sleep(0.02)
    return gateway.core.clock.monotonic() - start


async def test_a_full_disk_stops_telemetry_and_nothing_else(disk: Path) -> None:
    config = Config.model_validate(
        {
            "data": disk,
            "history": TIGHT,
            "pipeline": {"retry_ms": 50},
            "http": {"port": 0},
            "mqtt": {"endpoint": {"host": "127.0.0.1", "port": 0}},
        }
    )
    async with App(config) as gateway:
        transport = httpx.ASGITransport(app=gateway.doors.local)
        async with httpx.AsyncClient(transport=transport, base_url="http://local/api/v1") as remote:
            await _open_alarm(remote, gateway)
            await until((disk / "history/reserve").exists, 5, gateway)
            sender = Sender(gateway)
            sending = asyncio.ensure_future(sender.run())
            await until(lambda: len(sender.acked) > 200, 20, gateway)
            fill(disk)
            await until(lambda: gateway.core.pipeline.stalled is not None, 5, gateway)
            await until(lambda: not (disk / "history/reserve").exists(), 8, gateway)
            stopped = len(sender.acked)
            await _work(remote)
            health = await remote.get("http://local/readyz")
            assert (health.status_code, "below the floor" in health.text) == (503, True)
            assert len(sender.acked) == stopped
            (disk / "ballast").unlink()
            waiting = set(sender.sent)
            await until(lambda: waiting <= sender.acked, 10, gateway)
            sending.cancel()
            await until(lambda: set(sender.sent) <= sender.acked, 10, gateway)
            assert sender.refused == 0
            assert (await remote.get("http://local/readyz")).status_code == 200
    with History(disk / "history", FAMILIES, HistorySettings(**TIGHT), CityClock()) as history:
        stored = [
            time // 1000
            for _, batches, _ in history.replay(0)
            for batch in batches
            if batch.family.name == "dust"
            for time in batch.time.tolist()
        ]
    assert len(stored) == len(set(stored))
    assert sender.acked <= set(stored)


async def _open_alarm(remote: httpx.AsyncClient, gateway: App) -> None:
    for device, product in (("MH-1", "generic-manhole"), ("DU-1", "generic-dust")):
        answer = await remote.post("/devices", json={"id": device, "product": product})
        assert answer.status_code == 201, answer.text
    said = {
        "device": "MH-1",
        "ts": gateway.core.clock.now() // 1000,
        "v": {"tilt": 40, "cover": 1, "moved": 1},
    }
    assert (await remote.post("/telemetry", json=said)).is_success
    for _ in range(200):
        if (await remote.get("/cases")).json()["items"]:
            return
        await gateway.core.clock.sleep(0.02)
    raise AssertionError("no case was filed")


async def _work(remote: httpx.AsyncClient) -> None:
    """What people do goes on."""
    answer = await remote.post("/tokens", json={"name": "night-shift", "role": "operator"})
    assert answer.status_code == 201, answer.text
    secret = answer.json()["secret"]
    (alarm, *_) = (await remote.get("/alarms")).json()["items"]
    answer = await remote.post(f"/alarms/{alarm['id']}/acknowledge", json={})
    assert answer.is_success, answer.text
    (case, *_) = (await remote.get("/cases")).json()["items"]
    answer = await remote.post(
        f"/cases/{case['id']}/events",
        json={"event": "accept"},
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert answer.is_success, answer.text


async def test_below_the_floor_control_rows_are_stored_and_readings_are_not(tmp_path: Path) -> None:
    options = HistorySettings(memory_mb=128, floor_mb=10**9)
    with opened(tmp_path, options) as history:
        batch = batch_of([Said(1, 1, {"pm10": 1.0})])
        with pytest.raises(StoreError, match="below the floor"):
            await history.commit(1, [batch], [], [fresh(batch)])
        assert history.last_tick() == 0
        await history.probe()


class Dial(Space):
    """A disk whose free space we set."""

    free_mb = 1000

    def free(self) -> int:
        return self.free_mb * MIB


async def test_silence_timers_stand_still_while_nothing_is_stored(tmp_path: Path) -> None:
    async with city(tmp_path, "08:00") as town:
        await town.device("DU-1", "generic-dust")
        await town.device("DU-2", "generic-dust")
        for device in ("DU-1", "DU-2"):
            await town.says(device, pm10=50)
        await town.at("08:01")
        town.gateway.core.history.space = disk = Dial(tmp_path, HistorySettings())
        disk.free_mb = 1
        saying = asyncio.ensure_future(town.says("DU-1", pm10=51))
        await until(lambda: town.gateway.core.pipeline.stalled is not None, 5, town.gateway)
        town.clock.move(moment("+3 08:00"))
        disk.free_mb = 5_000
        await saying
        await town.at("+3 08:01")
        assert await _silent(town) == set()
        await town.at("+3 09:00")
        assert await _silent(town) == {"DU-1", "DU-2"}


async def _silent(town: City) -> set[str]:
    alarms = [*await town.alarms("DU-1"), *await town.alarms("DU-2")]
    return {alarm["device"] for alarm in alarms if alarm["rule"] == "dust-silent"}


@pytest.mark.parametrize("allowed", [False, True])
async def test_what_is_shed_and_in_what_order(tmp_path: Path, allowed: bool) -> None:
    options = HistorySettings(
        memory_mb=128, low_mb=100, floor_mb=50, reserve_mb=1, shed_history=allowed, part_rows=50
    )
    spared: list[bool] = []

    async def spare(sparing: bool) -> None:
        spared.append(sparing)

    clock = CityClock(MAY_1 + 5 * DAY)
    with opened(tmp_path, options) as history:
        compactor = Compactor(history, options, clock, history.last_tick)
        disk = Dial(tmp_path, options)
        upkeep = Upkeep(compactor, disk, options, clock, spare)
        for tick in (1, 2, 3):
            batch = day_of(20, MAY_1 + (tick - 1) * DAY)
            await history.commit(tick, [batch], [], [fresh(batch)])
        while await upkeep.round():
            pass
        assert [part.day - MAY_1 // DAY for part in await compactor.parts()] == [0, 1, 2]
        assert (tmp_path / "reserve").stat().st_size == MIB

        disk.free_mb = 90
        assert await upkeep.round()
        assert spared == [True]
        await upkeep.round()
        assert len(await compactor.parts()) == (2 if allowed else 3)
        disk.free_mb = 20
        await upkeep.round()
        assert not (tmp_path / "reserve").exists()
        assert len(await compactor.parts()) == (1 if allowed else 3)
        disk.free_mb = 500
        await upkeep.round()
        assert spared == [True, False]
        assert (disk.level(), disk.reason()) == (Level.PLENTY, "")
        queries = Queries(history, 1)
        found = [page async for page in queries.readings(TWO["dust"], 0, 2**60)]
        assert sum(map(len, found)) == (20 if allowed else 60)
        queries.close()
        compactor.close()


def test_retention_of_a_family_that_does_not_exist_is_a_fault() -> None:
    with pytest.raises(ValueError, match="no family dsut; there are: streetlight"):
        HistorySettings(keep={"dsut": 3})
