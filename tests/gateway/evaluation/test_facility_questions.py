"""What history is asked of a day, on readings made by hand: a night of lamps, a day of bays, kitchens and stations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drivers.families import FAMILIES
from drivers.telemetry import DAY, HOUR, MINUTE, SECOND, Kind, Quality
from gateway.clock import CityClock
from gateway.evaluation import ask
from gateway.history.duck import History
from gateway.history.query import Queries
from gateway.history.settings import HistorySettings
from gateway.history.source import Scope
from tests.gateway.history.readings import Said, batch_of, fresh

START = 1_740_931_200 * SECOND  # Mon 2025-03-03 00:00 +08:00
END = START + DAY


class Town:
    def __init__(self, history: History, queries: Queries) -> None:
        self.history, self.queries, self.tick = history, queries, 0

    async def said(self, family: str, rows: Iterable[Said]) -> None:
        batch = batch_of(rows, FAMILIES[family])
        self.tick += 1
        await self.history.commit(self.tick, [batch], [], [fresh(batch)])

    async def found(self, family: str, work: Any) -> dict[int, dict[str, int]]:
        """Rows of the answer by device."""
        columns = await self.queries.ask(FAMILIES[family], Scope(START - DAY, END), work)
        device = columns.pop("device")
        return {
            int(one): {name: int(values[row]) for name, values in columns.items()}
            for row, one in enumerate(device)
        }


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    with History(tmp_path, FAMILIES, HistorySettings(memory_mb=128), CityClock()) as history:
        queries = Queries(history)
        yield Town(history, queries)
        queries.close()


def at(clock: str, day: int = 0) -> int:
    hours, minutes = clock.split(":")
    return START + day * DAY + int(hours) * HOUR + int(minutes) * MINUTE


async def test_a_night_made_by_hand(town: Town) -> None:
    """Three lamps of 100 W and one of unknown power; the hours 19, 20 and 21 are dark."""
    await town.said(
        "streetlight",
        [
            *(Said(0, at(clock), {"power": 95.0}) for clock in ("19:05", "19:55", "20:30", "21:10")),
            Said(1, at("19:10"), {"power": 95.0}),
            Said(1, at("19:50"), {"power": 2.0}),  # went out within the hour
            Said(1, at("20:10"), {"power": 90.0}),  # nothing from 21:00 on: not covered, and not failed
            Said(2, at("18:30"), {"power": 95.0}),  # not dark yet
            Said(2, at("20:10"), {"power": (95.0, Quality.FAULT)}),  # says nothing
            Said(3, at("19:10"), {"switch": 1.0}),
            Said(3, at("20:10"), {"switch": 1.0, "lamp_failure": 1.0}),
            Said(3, at("21:10"), {"switch": 0.0}),
            Said(0, at("21:59"), {"power": 1.0}, Kind.STATUS),  # no reading
        ],
    )
    lamps = {
        "device": np.arange(4, dtype=np.int32),
        "place": np.zeros(4, np.int64),
        "first": np.zeros(4, np.int64),
        "watts": np.array([15.0, 15.0, 15.0, 5.0]),
    }
    due = np.zeros((1, 24), bool)
    due[0, 19:22] = True
    dark = ask.dark_of(due, 0, 24)
    work = partial(ask.lit, start=START, end=END, lamps=lamps, dark=dark, origin=START)
    assert await town.found("streetlight", work) == {
        0: {"heard": 3, "lit": 3},
        1: {"heard": 2, "lit": 1},
        3: {"heard": 3, "lit": 1},
    }
    lamps["first"] = np.full(4, 20)  # registered at half past seven
    assert (await town.found("streetlight", work))[0] == {"heard": 2, "lit": 2}


async def test_a_bay_is_believed_until_it_speaks_again_or_has_been_silent_for_long(town: Town) -> None:
    await town.said(
        "parking",
        [
            Said(0, at("23:00", -1), {"occupied": 0.0}),  # still vacant at midnight
            Said(0, at("01:00"), {"occupied": 1.0}),
            Said(0, at("02:30"), {"occupied": 1.0}),
            Said(0, at("03:00"), {"occupied": 0.0}),  # believed until 06:00
            Said(0, at("12:00"), {"occupied": 1.0}),  # when it came nobody knows
            Said(0, at("23:00"), {"occupied": 0.0}),
            Said(0, at("23:30"), {"occupied": 1.0}),
            Said(1, at("08:00"), {"occupied": (1.0, Quality.FAULT)}),
        ],
    )
    found = await town.found("parking", partial(ask.parking, start=START, end=END, hold=3 * HOUR))
    assert found == {0: {"covered": 10 * HOUR, "occupied": 5 * HOUR + 30 * MINUTE, "parkings": 2}}


async def test_a_purifier_counts_while_the_fan_runs(town: Town) -> None:
    rows = [Said(0, at("18:00") + minute * MINUTE, {"fan": 1.0, "purifier": 1.0}) for minute in range(60)]
    rows += [Said(0, at("19:00") + minute * MINUTE, {"fan": 1.0, "purifier": 0.0}) for minute in range(30)]
    rows += [Said(0, at("19:30"), {"fan": 0.0})]  # what the purifier said still holds
    rows += [Said(1, at("12:00"), {"fan": 1.0})]  # has no word on a purifier
    await town.said("fume", rows)
    found = await town.found("fume", partial(ask.purifier, start=START, end=END, hold=10 * MINUTE))
    assert found == {0: {"covered": 99 * MINUTE, "fan": 90 * MINUTE, "both": 60 * MINUTE}}


async def test_hours_of_dust_need_enough_minutes(town: Town) -> None:
    rows = [Said(0, at("08:00") + minute * MINUTE, {"pm10": 200.0}) for minute in range(60)]
    rows += [Said(0, at("09:00") + minute * MINUTE, {"pm10": 100.0}) for minute in range(45)]
    rows += [Said(0, at("10:00") + minute * MINUTE, {"pm10": 900.0}) for minute in range(44)]
    rows += [Said(1, at("08:00") + minute * MINUTE, {"pm10": 200.0}, Kind.MINUTE) for minute in range(60)]
    rows += [Said(1, at("08:30"), {"pm10": 1.0})]  # one sample is no hour
    await town.said("dust", rows)
    limits = {"device": np.array([0, 1], np.int32), "bound": np.array([150.0, 250.0])}
    found = await town.found("dust", partial(ask.dust, start=START, end=END, limits=limits, valid=0.75))
    assert found == {0: {"valid": 2, "over": 1}, 1: {"valid": 1, "over": 0}}


async def test_heard_is_who_sent_data_on_the_day(town: Town) -> None:
    rows = [
        Said(3, at("08:00"), {"tilt": 1.0}),
        Said(4, at("08:00"), {"online": 1.0}, Kind.STATUS),
        Said(5, at("23:59", -1), {"tilt": 1.0}),
    ]
    await town.said("manhole", rows)
    assert await town.found("manhole", partial(ask.heard, start=START, end=END)) == {3: {}}
