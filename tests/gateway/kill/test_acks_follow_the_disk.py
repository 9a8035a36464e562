"""Law 1, seen from outside: under strace no PUBACK is written before the fdatasync that follows its rows."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from random import Random

import pytest

from simulators.pace import Pace
from tests.conftest import ROOT
from tests.gateway.kill.fleet import Device

CALLS = "write,pwrite64,writev,sendto,sendmsg,fsync,fdatasync"
MESSAGES = 12
WAL = re.compile(r"p?write(?:64|v)?\(\d+<[^>]*history\.duckdb\.wal>")
SYNC = re.compile(r"f(?:data)?sync\(\d+<[^>]*history\.duckdb\.wal>")
RESUMED = re.compile(r"<\.\.\. f(?:data)?sync resumed>.*= 0")
PUBACK = re.compile(r'(?:write|send\w*)\(\d+<(?:TCP|socket)[^>]*>.*"@[\\]2')


@pytest.mark.peer("strace")
async def test_no_puback_before_the_sync_that_follows_its_rows(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    words = ["strace", "-f", "-y", "-s", "16", "-e", f"trace={CALLS}", "-o", str(trace), sys.executable]
    process = await asyncio.create_subprocess_exec(
        *words, "-m", "tests.gateway.kill.process", str(tmp_path), stdout=PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    told = json.loads(await process.stdout.readline())
    secrets = json.loads((tmp_path / "secrets.json").read_text(encoding="utf-8"))
    device = Device("MH-0003", secrets["MH-0003"], Random(3))
    stop = asyncio.Event()
    pace = Pace.parse(told["clock"])
    async with asyncio.TaskGroup() as lives:
        lives.create_task(device.live(told["port"], pace, stop))
        while len(device.acked) < MESSAGES:
            await pace.sleep(0.05)
        stop.set()
    os.kill(told["pid"], signal.SIGTERM)  # strace would keep it to itself
    await process.wait()
    verdict = order_of(trace.read_text(encoding="utf-8", errors="replace").splitlines())
    assert verdict.count("ack") >= MESSAGES
    assert faults(verdict) == []


def order_of(lines: list[str]) -> list[str]:
    """The calls that matter: rows to the log, a sync begun, a sync done, an acknowledgement."""
    events = []
    syncing = set()
    for line in lines:
        thread = line.split(None, 1)[0]
        if WAL.search(line):
            events.append("rows")
        elif SYNC.search(line):
            if "unfinished" in line:
                syncing.add(thread)
            else:
                events.append("sync")
        elif RESUMED.search(line) and thread in syncing:
            syncing.discard(thread)
            events.append("sync")
        elif PUBACK.search(line):
            events.append("ack")
    return events


def faults(events: list[str]) -> list[int]:
    """Positions of acknowledgements whose rows were not synced, or that had none."""
    wrong = []
    fresh = synced = False  # since the last acknowledgement
    for position, event in enumerate(events):
        if event == "rows":
            fresh, synced = True, False
        elif event == "sync":
            synced = fresh
        else:
            if not synced:
                wrong.append(position)
            fresh = synced = False
    return wrong


def test_the_reading_of_the_trace_can_fail() -> None:
    assert faults(["rows", "sync", "ack"]) == []
    assert faults(["rows", "ack", "sync"]) == [1]
    assert faults(["rows", "sync", "ack", "ack"]) == [3]
