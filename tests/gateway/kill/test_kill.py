"""Kill -9 at named points and at random moments: what was acked is in history once, and alarms are the oracle's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from random import Random

import numpy as np
import pytest

from drivers.families import FAMILIES
from gateway.clock import CityClock
from gateway.history.duck import History
from gateway.history.settings import HistorySettings
from rules.order import Order
from simulators.pace import Pace
from tests.conftest import ROOT
from tests.gateway.kill.fleet import Device
from tests.gateway.kill.process import POINTS
from tests.rules.oracle import Oracle

READY = 60.0  # real seconds; generous, these machines are shared


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


async def one_life(folder: Path, devices: list[Device], point: str, count: int, seconds: float) -> None:
    """From start to SIGKILL: at a named point, or after so many seconds."""
    process, port, pace = await start(folder, point, count)
    if not port:
        return
    if not devices:
        secrets = json.loads((folder / "secrets.json").read_text(encoding="utf-8"))
        devices += [Device(id_, secret, Random(id_)) for id_, secret in secrets.items()]
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as lives:
        for device in devices:
            lives.create_task(device.live(port, pace, stop))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await process.wait()
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.wait()
    assert process.returncode == -signal.SIGKILL


async def last_life(folder: Path, devices: list[Device]) -> int:
    """Everything pending gets through; then a quiet end. Returns the city time of it."""
    process, port, pace = await start(folder, "", 0)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as lives:
        for device in devices:
            lives.create_task(device.live(port, pace, stop))
        await pace.sleep(2)
        stop.set()
    await pace.sleep(2.5)  # holds of up to two city minutes run out
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    said = await process.stdout.read()
    assert await process.wait() == 0
    return int(json.loads(said)["stopped"])


def oracle(folder: Path, end: int) -> set[str]:
    """Transition ids that the scalar engine derives from the whole log."""
    scalar, order = Oracle(FAMILIES), Order(FAMILIES)
    ids: set[str] = set()
    with History(folder / "data" / "history", FAMILIES, HistorySettings(), CityClock()) as history:
        for _, batches, controls in history.replay(0):
            for control in controls:
                order.control(control)
                scalar.control(control)
            for batch in batches:
                order.observe(batch)
                ids |= {said.id for said in [*scalar.hear(batch), *scalar.evaluate(order.admit(batch))]}
    return ids | {said.id for said in scalar.sweep(end)}


async def stored(folder: Path) -> dict[tuple[str, int], int]:
    """How often history holds each (family, device index, time in ms)."""
    counts: dict[tuple[str, int], int] = {}
    with History(folder / "data" / "history", FAMILIES, HistorySettings(), CityClock()) as history:
        con = history.cursor()
        for family in ("dust", "manhole"):
            found = con.execute(
                f'SELECT device, time, count(*) FROM history.main."{family}" WHERE kind = 0 GROUP BY ALL'
            ).fetchnumpy()
            for device, time, times in zip(
                *(np.asarray(found[name]).tolist() for name in found), strict=True
            ):
                counts[f"{family}:{device}", time // 1000] = times
        con.close()
    return counts


async def ends_well(folder: Path, lives: list[tuple[str, int, float]]) -> None:
    devices: list[Device] = []
    for point, count, seconds in lives:
        await one_life(folder, devices, point, count, seconds)
    end = await last_life(folder, devices)
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
    acked = [(index[device.id], time) for device in devices for time in device.acked]
    assert len(acked) > len(devices)
    assert [key for key in acked if key not in counts] == [], "acknowledged and lost"
    assert [key for key, times in counts.items() if times > 1] == [], "stored twice"
    derived = oracle(folder, end)
    assert len(derived) > 20, "the run raised too little to prove anything"
    assert recorded == derived


async def test_twenty_kills_lose_and_double_nothing_and_alarms_are_the_oracles(tmp_path: Path) -> None:
    random = Random(20)
    lives = [(point, random.randint(1, 4), 6.0) for point in POINTS]
    lives += [("", 0, random.uniform(0.1, 1.5)) for _ in range(20 - len(lives))]
    random.shuffle(lives)
    lives.insert(0, ("publish", 40, 6.0))  # the first life registers the devices
    await ends_well(tmp_path, lives[:20])


@pytest.mark.drill
async def test_two_hundred_kills(tmp_path: Path) -> None:
    random = Random(200)
    lives = [("publish", 40, 6.0)]
    lives += [(random.choice(POINTS), random.randint(1, 12), 6.0) for _ in range(120)]
    lives += [("", 0, random.uniform(0.05, 1.5)) for _ in range(79)]
    await ends_well(tmp_path, lives)
