"""kill -9 anywhere between alarm and message: none is lost, and each that was in flight comes at most once more."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from msgspec import json
from sqlalchemy import Connection, select

from gateway.store.schema import cases as schema
from gateway.store.store import Store
from tests.conftest import ROOT
from tests.gateway.notify.mortal import POINTS
from tests.gateway.notify.receiver import Receiver, Request

EACH = 2  # alarms that a life adds
AT_ONCE = 4  # deliveries in flight


async def lives(folder: Path, deaths: Sequence[tuple[str, int]]) -> tuple[list[Counter[str]], list[str]]:
    """What each life told the receiver, by key; and every key there is, oldest first. The last life ends well."""
    plan = [(point, passages, n * EACH) for n, (point, passages) in enumerate([*deaths, ("", 0)], 1)]
    told: list[Counter[str]] = [Counter() for _ in plan]

    def answer(request: Request) -> str:
        assert request.genuine
        told[int(request.target.strip("/"))][request.headers["citygate-delivery"]] += 1
        return "204 No Content"

    async with Receiver(answer) as receiver:
        words = (str(folder), str(receiver.port), json.encode(plan).decode())
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.gateway.notify.mortal", *words, cwd=ROOT, stdout=PIPE
        )
        said, _ = await process.communicate()
    assert [int(line) for line in said.split()] == [-signal.SIGKILL if point else 0 for point, *_ in plan]

    def keys(conn: Connection) -> list[str]:
        return list(conn.scalars(select(schema.outbox.c.key).order_by(schema.outbox.c.id)))

    async with Store(f"sqlite:///{folder}/operations.sqlite") as store:
        return told, await store.read(keys)


def judge(told: Sequence[Counter[str]], keys: Sequence[str], alarms: int) -> None:
    heard = sum(told, Counter())
    assert set(heard) == set(keys), "told is what is on record: nothing lost, nothing made up"
    assert len([key for key in keys if key.startswith("alarm:") and key.endswith(":1")]) == alarms
    for life in told:
        assert set(life.values()) <= {1}, "no life tells twice"
    again = sum(heard.values()) - len(heard)
    assert again <= AT_ONCE * (len(told) - 1), "only what was in flight comes again"


async def test_a_death_at_every_point_loses_nothing(tmp_path: Path) -> None:
    deaths = [(point, 1) for point in POINTS]
    told, keys = await lives(tmp_path, deaths)
    judge(told, keys, EACH * (len(deaths) + 1))
    twice = {key for key, n in sum(told, Counter()).items() if n > 1}
    assert twice, "dying between the receiver's answer and our record must show"


@pytest.mark.drill
async def test_fifty_deaths_at_random_points_lose_nothing(tmp_path: Path) -> None:
    chance = Random(20250303)
    deaths = [(chance.choice(POINTS), chance.randint(1, 2)) for _ in range(50)]
    told, keys = await lives(tmp_path, deaths)
    judge(told, keys, EACH * (len(deaths) + 1))
