"""The city of the million, in small: its rolls can be imported one after the other, and everyone of it is heard."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from gateway.cli.bench import million
from gateway.cli.bench.town import SEED
from gateway.config import Config
from gateway.history.duck import History
from simulators.world.city import City
from tests.gateway.registry.city import StandingClock

START = 1_790_000_000_000_000


@pytest.fixture(scope="module")
def city() -> City:
    return City.build(600, SEED, START, million.LAMPS)


def test_a_parent_stands_before_whoever_names_it(city: City) -> None:
    known = {""}
    rows = [row for roll in million._rolls(city) for row in csv.DictReader(io.StringIO(roll.decode()))]
    for row in rows:
        assert row["parent"] in known
        known.add(row["id"])
    assert len(rows) == len(city) == 600
    assert sum(row["family"] == "streetlight" for row in rows) == 480


async def test_everyone_is_heard_once(city: City, tmp_path: Path) -> None:
    config = Config(data=tmp_path / "data")
    await million._speak(config, city)
    families = {name: cohort.family for name, cohort in city.cohorts.items()}
    with History(tmp_path / "data" / "history", families, config.history, StandingClock()) as history:
        heard = {
            (batch.family.name, device)
            for _, batches, _ in history.replay(0)
            for batch in batches
            for device in batch.device.tolist()
        }
    assert len(heard) == 600
