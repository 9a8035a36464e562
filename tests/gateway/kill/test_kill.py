"""Kill -9 at named points and at random moments: what was acked is in history once, and alarms are the oracle's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from random import Random

import numpy as np
import pytest

from drivers.families import FAMILIES
from drivers.telemetry import Kind
from gateway.clock import CityClock
from gateway.history import audit, manifest
from gateway.history.duck import History
from gateway.history.mirror_query import reader
from gateway.history.query import Queries
from gateway.history.settings import HistorySettings
from rules.order import Order
from simulators.pace import Pace
from tests.conftest import ROOT
from tests.gateway.history.influx import TOKEN, Influx, influx
from tests.gateway.ingest.link_town import Broker
from tests.gateway.kill.fleet import Device
from tests.gateway.kill.process import BEHIND, OUTSIDE, POINTS
from tests.rules.oracle import Oracle

READY = 60.0  # real seconds; generous, these machines are shared
LATEST = 2**60


async def start(folder: Path, point: str, count: int) -> tuple[Process, int, Pace]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.gateway.kill.process",
        str(folder),
        point,
        str(count),
        stdout=PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    async with asyncio.timeout(READY):
        line = await process.stdout.readline()
    if not line:  # shot before it was ready: that counts, and the next start must cope
        await process.wait()
        return process, 0, Pace(0)
    told = json.loads(line)
    return process, told["port"], Pace.parse(told["clock"])


@dataclass
class Town:
    """The folder of one gateway over many lives, its devices, and where those behind a broker publish."""

    folder: Path
    broker: int = 0
    devices: list[Device] = field(default_factory=list)

    async def one_life(self, point: str, count: int, seconds: float) -> None:
        """From start to SIGKILL: at a named point, or after so many seconds."""
        process, port, pace = await start(self.folder, point, count)
        if not port:
            assert process.returncode == -signal.SIGKILL
            return
        self._meet()
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as lives:
            self._live(lives, port, pace, stop)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await process.wait()
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
                await process.wait()
            stop.set()  # those behind a broker would not notice
        assert process.returncode == -signal.SIGKILL

    async def last_life(self) -> int:
        """Everything pending gets through; then a quiet end. Returns the city time of its last sweep."""
        process, port, pace = await start(self.folder, "", 0)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as lives:
            self._live(lives, port, pace, stop)
            await pace.sleep(2)
            stop.set()
        await pace.sleep(2.5)  # holds of up to two city minutes run out
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        said = await process.stdout.read()
        assert await process.wait() == 0
        return int(json.loads(said)["swept"])

    def _meet(self) -> None:
        if self.devices:
            return
        secrets = json.loads((self.folder / "secrets.json").read_text(encoding="utf-8"))
        for number, (id_, secret) in enumerate(secrets.items()):
            behind = bool(self.broker) and int(id_[3:]) % BEHIND == 0
            remembers = bool(self.broker) and number % 5 == 1
            self.devices.append(Device(id_, secret, Random(id_), remembers=remembers, behind=behind))

    def _live(self, lives: asyncio.TaskGroup, port: int, pace: Pace, stop: asyncio.Event) -> None:
        for device in self.devices:
            lives.create_task(device.live(self.broker if device.behind else port, pace, stop))


def oracle(folder: Path, end: int) -> set[str]:
    """Transition ids that the scalar engine derives from the whole log."""
    scalar, order = Oracle(FAMILIES), Order(FAMILIES)
    ids: set[str] = set()
    with History(folder / "data" / "history", FAMILIES, HistorySettings(), CityClock()) as history:
        for _, batches, controls in history.replay(0):
            for control in controls:
                order.control(control)
                scalar.control(control)
            rows = [batch.take(np.array([row])) for batch in batches for row in range(len(batch))]
            rows.sort(key=lambda one: int(one.received[0]))  # minutes close for all families at once
            for one in rows:
                order.observe(one)
                ids |= {said.id for said in [*scalar.hear(one), *scalar.evaluate(order.admit(one))]}
    return ids | {said.id for said in scalar.sweep(end)}


async def stored(folder: Path) -> Counter[tuple[str, int]]:
    """How often history holds each (family:device index, time in ms)."""
    counts: Counter[tuple[str, int]] = Counter()
    with History(folder / "data" / "history", FAMILIES, HistorySettings(), CityClock()) as history:
        queries = Queries(history)
        for family in ("dust", "manhole"):
            async for chunk in queries.readings(FAMILIES[family], 0, LATEST):
                plain = chunk.kind == Kind.SAMPLE
                pairs = zip(chunk.device[plain].tolist(), chunk.time[plain].tolist(), strict=True)
                counts.update((f"{family}:{device}", time // 1000) for device, time in pairs)
        queries.close()
    return counts


async def ends_well(town: Town, lives: list[tuple[str, int, float]]) -> None:
    folder = town.folder
    for point, count, seconds in lives:
        await town.one_life(point, count, seconds)
    end = await town.last_life()
    counts = await stored(folder)
    with contextlib.closing(sqlite3.connect(folder / "data" / "operations.sqlite")) as operations:
        index = {
            id_: f"{family}:{idx}"
            for id_, family, idx in operations.execute("SELECT id, family, idx FROM device")
        }
        recorded = {
            row[0]
            for row in operations.execute("SELECT transition FROM alarm_event WHERE transition NOT NULL")
        }
    acked = [(index[device.id], time) for device in town.devices for time in device.acked]
    assert len(acked) > len(town.devices)
    assert [key for key in acked if key not in counts] == [], "acknowledged and lost"
    assert [key for key, times in counts.items() if times > 1] == [], "stored twice"
    derived = oracle(folder, end)
    assert len(derived) > 20, "the run raised too little to prove anything"
    assert recorded == derived
    print(f"{len(lives)} kills, {len(acked)} acknowledged readings, {len(derived)} transitions")


async def mirrored(folder: Path, mirror: Influx) -> None:
    """The mirror holds what history holds; parts were made on the way."""
    with History(folder / "data" / "history", FAMILIES, HistorySettings(), CityClock()) as history:
        with contextlib.closing(reader(mirror.settings())) as asked:
            differences = [each async for each in audit.differences(history, asked, 0, LATEST)]
        with history.cursor() as con:
            parts = manifest.listed(con)
    assert differences == []
    assert sum(part.rows for part in parts) > 0, "nothing was compacted"
    print(f"{len(mirror.points)} points in the mirror, {len(parts)} parts")


async def test_twenty_kills_lose_and_double_nothing_and_alarms_are_the_oracles(tmp_path: Path) -> None:
    random = Random(20)
    lives = [(point, random.randint(1, 4), 6.0) for point in POINTS]
    lives += [("", 0, random.uniform(0.1, 1.5)) for _ in range(20 - len(lives))]
    random.shuffle(lives)
    lives.insert(0, ("publish", 40, 6.0))  # the first life registers the devices
    await ends_well(Town(tmp_path), lives[:20])


def among(random: Random, points: Sequence[str], kills: int) -> list[tuple[str, int, float]]:
    """The first life registers the devices; then every point in turn, and one life in three ends anywhere."""
    lives = [("publish", 40, 6.0)]
    lives += [(point, random.randint(1, 12), 6.0) for point in islice(cycle(points), kills * 2 // 3)]
    lives += [("", 0, random.uniform(0.05, 2.5)) for _ in range(kills - len(lives))]
    lives[1:] = random.sample(lives[1:], len(lives) - 1)
    return lives


async def all_round(folder: Path, kills: int) -> None:
    """With a broker behind which a third of the devices are, a mirror, and parts that are made all the time."""
    with influx() as mirror:
        async with Broker(folder) as broker:
            told = {"broker": broker.port, "mirror": mirror.port, "token": TOKEN}
            (folder / "outside.json").write_text(json.dumps(told), encoding="utf-8")
            lives = among(Random(kills), (*POINTS, *OUTSIDE), kills)
            await ends_well(Town(folder, broker.port), lives)
        await mirrored(folder, mirror)


@pytest.mark.drill
@pytest.mark.peer("mosquitto")
async def test_kills_beside_a_broker_a_mirror_and_compaction(tmp_path: Path) -> None:
    await all_round(tmp_path, 10)


@pytest.mark.drill
@pytest.mark.peer("mosquitto")
async def test_two_hundred_kills_beside_a_broker_a_mirror_and_compaction(tmp_path: Path) -> None:
    await all_round(tmp_path, 200)
