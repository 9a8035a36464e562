"""The primary is killed while devices and people write: the standby takes over, nothing is lost and nothing doubled."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Connection, select

from gateway.store import audit
from gateway.store.chain import BEGINNING, link
from gateway.store.schema import cases as schema
from gateway.store.schema import dispatch
from tests.gateway.api.gate import Gate, open_gate
from tests.gateway.store.pair import Pair, pair

DEVICES: Final = 4
PEOPLE: Final = 3
RESUMED: Final = 10.0  # real seconds without a write, at most
UNTIL: Final = 60.0


@dataclass
class Load:
    """Devices tilt and stand up again, people report; each asks again until it has an answer, then goes on."""

    gate: Gate
    rising: Counter[str] = field(default_factory=Counter)  # alarms that must be raised, by device
    reports: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)  # the longest of each writer in each run
    asked_again: int = 0
    known_done: int = 0  # the first try had gone through, though nobody had heard so

    async def device(self, name: str, stop: asyncio.Event) -> None:
        while not stop.is_set():
            for tilt in (40, 0):
                now = self.gate.services.clock.now() // 1000
                item = {"device": name, "ts": now, "v": {"tilt": tilt}}
                await self._until_done(partial(self._push, item))
                await asyncio.sleep(0.002)  # noqa: TID251 - no two readings of one millisecond
            self.rising[name] += 1

    async def person(self, name: str, stop: asyncio.Event) -> None:
        while not stop.is_set():
            text = f"{name} reports {len(self.reports)}"
            await self._until_done(partial(self._report, text))
            self.reports.append(text)

    async def _until_done(self, ask: Callable[[], Awaitable[bool]]) -> None:
        began = time.monotonic()  # noqa: TID251 - real time is what is measured
        async with asyncio.timeout(UNTIL):
            while not await ask():
                self.asked_again += 1
                await asyncio.sleep(0.1)  # noqa: TID251
        self.waits.append(time.monotonic() - began)  # noqa: TID251

    async def _push(self, item: dict[str, object]) -> bool:
        answer = await self.gate.call("operator", "POST", "/api/v1/telemetry", json=[item])
        assert answer.status_code in {200, 503}, answer.text
        return answer.status_code == 200 and not answer.json()["refused"]

    async def _report(self, text: str) -> bool:
        body = {"category": "cover-danger", "text": text, "lat": 31.2, "lon": 121.4}
        headers = {"Idempotency-Key": text}
        answer = await self.gate.call("operator", "POST", "/api/v1/reports", json=body, headers=headers)
        if answer.status_code == 409:
            word = answer.json()["type"].removeprefix("urn:citygate:")
            assert word in {"answer-not-kept", "under-way"}, answer.text
            self.known_done += word == "answer-not-kept"
            return bool(word == "answer-not-kept")
        assert answer.is_success or answer.status_code == 503, answer.text
        return answer.is_success


async def fail_over(cities: Pair, load: Load, chance: random.Random) -> None:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as writers:
        for n in range(DEVICES):
            writers.create_task(load.device(f"M{n}", stop))
        for n in range(PEOPLE):
            writers.create_task(load.person(f"person {n}", stop))
        await asyncio.sleep(0.2 + chance.random() / 2)  # noqa: TID251
        await asyncio.to_thread(cities.fail_over)
        await asyncio.sleep(0.3)  # noqa: TID251
        stop.set()


def check(conn: Connection, load: Load) -> None:
    assert Counter(conn.scalars(select(dispatch.report.c.text))) == Counter(load.reports)
    alarms = conn.execute(select(schema.alarm.c.id, schema.alarm.c.device, schema.alarm.c.state)).all()
    assert Counter(row.device for row in alarms) == load.rising
    assert {row.state for row in alarms} == {"cleared"}
    said = conn.execute(
        select(schema.alarm_event.c.alarm, schema.alarm_event.c.event).where(
            schema.alarm_event.c.transition.is_not(None)
        )
    ).all()
    assert Counter(tuple(row) for row in said) == Counter(
        (row.id, event) for row in alarms for event in ("raise", "clear")
    )
    revisions: dict[int, list[int]] = {}
    for case, revision in conn.execute(
        select(schema.case_event.c.case, schema.case_event.c.revision).order_by(schema.case_event.c.id)
    ):
        revisions.setdefault(case, []).append(revision)
    for case, known in conn.execute(select(schema.case.c.id, schema.case.c.revision)):
        assert revisions[case] == list(range(1, known + 1))
    before = BEGINNING
    for _, hashed, line in audit.entries(conn):
        before = link(before, line)
        assert hashed == before


async def endure(path: Path, runs: int) -> Load:
    chance = random.Random(runs)
    with pair() as cities:
        async with open_gate(path, cities.url) as gate:
            load = Load(gate)
            for n in range(DEVICES):
                await gate.device(f"M{n}", lat=31.2, lon=121.4)
            for _ in range(runs):
                await asyncio.to_thread(cities.follow)
                await fail_over(cities, load, chance)
                await gate.services.store.read(lambda conn: check(conn, load))
            return load


@pytest.mark.peer("postgresql")
async def test_the_standby_takes_over_while_everybody_writes(tmp_path: Path) -> None:
    load = await endure(tmp_path, 1)
    assert load.asked_again, "the primary was really gone"


@pytest.mark.drill
@pytest.mark.peer("postgresql")
async def test_twenty_times_over(tmp_path: Path) -> None:
    load = await endure(tmp_path, 20)
    print(
        f"\n20 fail-overs: {load.rising.total()} alarms, {len(load.reports)} reports; the longest wait "
        f"{max(load.waits):.1f} s; asked again {load.asked_again} times, {load.known_done} had gone through unheard"
    )
    assert max(load.waits) < RESUMED
