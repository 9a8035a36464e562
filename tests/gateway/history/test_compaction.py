from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.telemetry import DAY, HOUR, MINUTE, SECOND, Batch, Kind, Quality
from gateway.clock import CityClock
from gateway.errors import StoreError
from gateway.history import manifest, parquet
from gateway.history.compaction import Compactor
from gateway.history.manifest import Part
from gateway.history.query import Queries
from gateway.history.settings import HistorySettings
from rules.control import DeviceRow, Devices
from tests.gateway.history.readings import DUST, LOT, Said, batch_of, fresh, opened, said_by, suspected

MAY_1 = 1_777_593_600 * SECOND // DAY * DAY
SMALL = HistorySettings(memory_mb=128, part_rows=200, settle_minutes=30)


class Kept:
    """A history and who compacts it, at a moment of our choosing."""

    def __init__(self, folder: Path, options: HistorySettings = SMALL, now: int = MAY_1 + 3 * DAY) -> None:
        self.clock = CityClock(now)
        self.history = opened(folder, options)
        self.passed = 2**62
        self.compactor = Compactor(self.history, options, self.clock, lambda: self.passed)
        self.queries = Queries(self.history, 1)

    def close(self) -> None:
        self.queries.close()
        self.compactor.close()
        self.history.close()

    async def commit(self, tick: int, batch: Batch, *, sure: bool = True) -> None:
        await self.history.commit(tick, [batch], [], [fresh(batch) if sure else suspected(batch)])

    async def everything(self) -> list[Said]:
        """All readings, supplements merged, in order of key."""
        said = []
        async for page in self.queries.readings(DUST, -(2**60), 2**60, chunk=500):
            batch = Batch(
                DUST, page.device, page.time, page.received, page.kind, page.flags, page.values, page.quality
            )
            said += said_by(batch)
        return sorted(said, key=lambda row: (*row[:2], row.kind))

    def parts(self) -> list[manifest.Part]:
        with self.history.cursor() as con:
            return manifest.listed(con)

    def hot(self) -> int:
        with self.history.cursor() as con:
            found: int = con.execute("SELECT count(*) FROM history.main.dust").fetchall()[0][0]
        return found


@asynccontextmanager
async def kept(folder: Path, options: HistorySettings = SMALL, **more: Any) -> AsyncIterator[Kept]:
    it = Kept(folder, options, **more)
    try:
        yield it
    finally:
        it.close()


def files(folder: Path) -> set[Path]:
    return set(folder.rglob("*.parquet"))


def day_of(rows: int, start: int = MAY_1, devices: int = 7, seed: int = 1) -> Batch:
    rng = np.random.default_rng(seed)
    batch = Batch.empty(DUST, rows)
    batch.device[:] = np.arange(rows) % devices
    batch.time[:] = start + np.arange(rows) * (DAY // rows)
    batch.received[:] = batch.time + rng.integers(1_000, 90_000, rows)
    batch.values[0] = rng.normal(80, 20, rows).round(1)
    batch.values[1] = rng.normal(30, 9, rows)  # finer than its resolution: stays a double
    batch.quality[:2] = 0
    return batch


async def test_a_day_that_is_over_becomes_one_part_by_device_and_time(tmp_path: Path) -> None:
    async with kept(tmp_path) as it:
        announced = Devices("dust", [DeviceRow(i, f"DU-{i:04}", "generic-dust") for i in range(7)])
        batch = day_of(40)
        await it.history.commit(1, [batch], [announced], [fresh(batch)])
        before = await it.everything()
        assert await it.compactor.run() == 1
        assert (it.hot(), await it.everything()) == (0, before)
        (part,) = it.parts()
        file = it.history.shelf.path(part)
        assert file == tmp_path / "dust/2026-05-01/1.parquet"
        assert hashlib.sha256(file.read_bytes()).hexdigest() == part.sha256
        assert (part.rows, part.settled, part.first_device, part.last_device) == (40, True, 0, 6)
        assert dict(part.shape) == {"pm10": "DECIMAL(9, 6)", "pm25": "DOUBLE"}
        assert it.history.last_tick() == 1
    with opened(tmp_path) as history:
        assert (history.last_tick(), history.last_received()) == (1, int(batch.received.max()))
    rows = duckdb.execute(f"SELECT device, time, pm10, time + delay FROM '{file}'").fetchall()  # any tool can
    assert [row[:2] for row in rows] == sorted(row[:2] for row in rows)
    assert {row[0] for row in rows} == {f"DU-{i:04}" for i in range(7)}
    assert sorted(row[3] for row in rows) == sorted(batch.received.tolist())


async def test_a_busy_family_does_not_wait_for_the_end_of_its_day(tmp_path: Path) -> None:
    async with kept(tmp_path, now=MAY_1 + 13 * HOUR) as it:
        for tick in range(1, 13):
            await it.commit(tick, day_of(20, MAY_1 + tick * HOUR, seed=tick).take(np.arange(20) < 19))
        before = await it.everything()
        while await it.compactor.step():
            assert await it.everything() == before
        assert [part.settled for part in it.parts()] == [False] * len(it.parts())
        assert 0 < it.hot() < 50
        it.clock.not_before(MAY_1 + 3 * DAY)
        await it.compactor.run()
        parts = it.parts()
        assert (it.hot(), all(part.settled for part in parts)) == (0, True)
        assert sum(part.rows for part in parts) == len(before)
        for a, b in pairwise(parts):
            assert (a.day, a.last_device) < (b.day, b.first_device)
        assert await it.everything() == before
        it.compactor.sweep(now=True)
        assert files(tmp_path) == {it.history.shelf.path(part) for part in parts}


async def test_many_small_parts_are_merged_before_their_day_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are small where another family fills the table. Until the day is over one device is found in few rows."""
    groups: list[int] = []

    def write(*given: Any, group: int, **more: Any) -> Part | None:
        groups.append(group)
        return written(*given, group=group, **more)

    written = parquet.write
    monkeypatch.setattr(parquet, "write", write)
    async with kept(tmp_path, now=MAY_1 + 13 * HOUR) as it:
        for tick in range(1, 7):
            lot = batch_of((Said(n, MAY_1 + tick * HOUR, {"busy": 1.0}) for n in range(50)), LOT)
            dust = day_of(4, MAY_1 + tick * MINUTE, seed=tick)
            await it.history.commit(tick, [lot, dust], [], [fresh(lot), fresh(dust)])
            before = await it.everything()
            while await it.compactor.step():
                assert await it.everything() == before
        parts = [part for part in it.parts() if part.family == "dust"]
        assert [(part.n, part.rows, part.settled) for part in parts] == [
            (5, 16, False),
            (6, 4, False),
            (7, 4, False),
        ]
        assert set(groups) == {parquet.WAITING}
        it.clock.not_before(MAY_1 + 2 * DAY)
        await it.compactor.run()
        assert [(p.rows, p.settled) for p in it.parts() if p.family == "dust"] == [(24, True)]
        assert groups[-1] == parquet.ROW_GROUP
        assert await it.everything() == before


async def test_only_what_was_passed_moves(tmp_path: Path) -> None:
    async with kept(tmp_path) as it:
        for tick in (1, 2, 3):
            await it.commit(tick, day_of(10, MAY_1 + (tick - 1) * MINUTE, seed=tick))
        it.passed = 2
        while await it.compactor.step():
            pass
        assert it.hot() == 30  # the day is not over before all of it has been passed
        await it.compactor.run()
        assert it.hot() == 10
        assert [tick for tick, _, _ in it.history.replay(2)] == [3]
        it.passed = 3
        while await it.compactor.step():
            pass
        assert (it.hot(), sum(part.rows for part in it.parts())) == (0, 30)


async def test_today_stays_hot(tmp_path: Path) -> None:
    async with kept(tmp_path, now=MAY_1 + DAY + 31 * MINUTE) as it:
        await it.commit(
            1, batch_of([Said(1, MAY_1 + DAY - 1, {"pm10": 1.0}), Said(1, MAY_1 + DAY, {"pm10": 2.0})])
        )
        while await it.compactor.step():
            pass
        assert it.hot() == 1
        await it.commit(2, batch_of([Said(1, MAY_1 + 5, {"pm10": 1.0})]))
        while await it.compactor.step():
            pass
        assert it.hot() == 2  # a late row waits for the end of its day of arrival
        it.clock.not_before(MAY_1 + 2 * DAY + 31 * MINUTE)
        while await it.compactor.step():
            pass
        assert [(part.day - MAY_1 // DAY, part.n) for part in it.parts()] == [(0, 1), (0, 2), (1, 1)]


async def test_what_comes_again_is_known_to_parts_too(tmp_path: Path) -> None:
    async with kept(tmp_path) as it:
        await it.commit(1, batch_of([Said(1, MAY_1, {"pm10": 5.0}), Said(2, MAY_1, {"pm10": 6.0})]))
        await it.compactor.run()
        again = batch_of(
            [
                Said(1, MAY_1, {"pm10": 5.0}),
                Said(2, MAY_1, {"pm10": 7.0}),
                Said(1, MAY_1, {"tsp": 8.0}),
                Said(3, MAY_1, {"pm10": 1.0}),
            ]
        )
        (kept_,) = await it.history.commit(2, [again], [], [suspected(again)])
        assert (kept_.rows.tolist(), kept_.duplicates.tolist()) == ([2, 3], [0])
        assert kept_.conflicts == [(1, ("pm10",))]
        await it.compactor.run()
        found = await it.queries.range_(DUST, 1, MAY_1, MAY_1 + 1)
        assert (len(found), found.values[0, 0], found.values[2, 0]) == (1, 5.0, 8.0)


@pytest.mark.parametrize("damage", [b"", b"no Parquet at all, and never was", None])
async def test_a_part_that_cannot_be_read_stops_no_commit(
    tmp_path: Path, damage: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    async with kept(tmp_path) as it:
        await it.commit(1, batch_of([Said(1, MAY_1, {"pm10": 5.0})]))
        await it.compactor.run()
        path = it.history.shelf.path(it.parts()[0])
        path.unlink()
        if damage is not None:
            path.write_bytes(damage)
        await it.commit(2, batch_of([Said(1, MAY_1, {"pm10": 5.0})]), sure=False)
        assert "history verify" in caplog.text
        assert it.hot() == 1
        with pytest.raises(StoreError, match="cannot be read"):
            await it.everything()
        (verdict,) = [await it.compactor.verify(part) for part in it.parts()]
        assert verdict is not None
        assert verdict.fault


async def test_supplements_become_one_row(tmp_path: Path) -> None:
    async with kept(tmp_path) as it:
        await it.commit(1, batch_of([Said(1, MAY_1, {"pm10": 5.0}, flags=1)]))
        await it.commit(2, batch_of([Said(1, MAY_1, {"tsp": (float("nan"), Quality.FAULT)}, flags=4)]))
        await it.commit(3, batch_of([Said(1, MAY_1, {"tsp": 1.0}, Kind.HOUR)]))
        before = await it.everything()
        await it.compactor.run()
        assert [part.rows for part in it.parts()] == [2]
        assert await it.everything() == before


async def test_a_replay_from_before_reads_parts(tmp_path: Path) -> None:
    async with kept(tmp_path) as it:
        for tick in range(1, 6):
            await it.commit(tick, day_of(9, MAY_1 + tick * MINUTE, seed=tick))
        before = [(tick, sorted(said_by(batch))) for tick, (batch,), _ in it.history.replay(1)]
        it.passed = 3
        await it.compactor.run()
        assert [(tick, sorted(said_by(batch))) for tick, (batch,), _ in it.history.replay(1)] == before


async def test_retention_is_by_family(tmp_path: Path) -> None:
    options = SMALL.model_copy(update={"keep_days": 1, "keep": {"dust": 3}})
    async with kept(tmp_path, options, now=MAY_1 + 2 * DAY) as it:
        await it.commit(1, day_of(9))
        await it.compactor.run()
        assert await it.compactor.expire() == []
        it.clock.not_before(MAY_1 + 4 * DAY)
        assert len(await it.compactor.expire()) == 1
        assert (it.parts(), await it.everything()) == ([], [])
        assert len(files(tmp_path)) == 1  # a query may still be at it
        it.compactor.sweep(now=True)
        assert files(tmp_path) == set()
        await it.commit(2, day_of(9))  # very late: its file takes no name that was used
        await it.compactor.run()
        assert [part.n for part in it.parts()] == [2]


async def test_files_that_no_list_names_are_removed_at_start(tmp_path: Path) -> None:
    async with kept(tmp_path) as it:
        await it.commit(1, day_of(9))
        await it.compactor.run()
    orphans = [tmp_path / "dust/2026-05-01" / name for name in ("2.parquet", "tmp_3.parquet")]
    for orphan in orphans:
        orphan.write_bytes(b"half a part")
    async with kept(tmp_path) as it:
        assert not any(orphan.exists() for orphan in orphans)
        assert len(await it.everything()) == 9


async def test_a_part_that_cannot_be_listed_changes_nothing(tmp_path: Path) -> None:
    async with kept(tmp_path) as it:
        await it.commit(1, day_of(9))
        before = await it.everything()
        (tmp_path / "dust").write_bytes(b"in the way")
        with pytest.raises(StoreError, match="cannot be written"):
            await it.compactor.step()
        assert await it.everything() == before
        (tmp_path / "dust").unlink()
        assert await it.compactor.run() == 1
        assert await it.everything() == before


def _points() -> Iterator[tuple[str, st.SearchStrategy[float]]]:
    for name in ("pm10", "tsp"):
        yield name, st.sampled_from([1.0, -0.5, 2.25, 1e-9, 123456.7, 3e8, 1e200])


SAID = st.builds(
    Said,
    device=st.integers(0, 3),
    time=st.integers(0, 5).map(lambda hours: MAY_1 - DAY // 2 + hours * 5 * HOUR),
    points=st.fixed_dictionaries({}, optional=dict(_points())),
    kind=st.sampled_from([Kind.SAMPLE, Kind.HOUR]),
    received=st.just(MAY_1),
    flags=st.integers(0, 7),
)
COMMITS = st.lists(st.lists(SAID, max_size=6), min_size=1, max_size=8)
STEPS = st.lists(st.integers(0, 3), min_size=8, max_size=8)


@settings(max_examples=12, deadline=None)
@given(COMMITS, STEPS, st.integers(1, 12))
def test_compaction_changes_no_answer(commits: list[list[Said]], steps: list[int], part_rows: int) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        asyncio.run(_compare(Path(one), Path(other), commits, steps, part_rows))


async def _compare(
    one: Path, other: Path, commits: list[list[Said]], steps: list[int], part_rows: int
) -> None:
    options = SMALL.model_copy(update={"part_rows": part_rows})
    async with kept(one, options) as compacted, kept(other, options) as plain:
        for tick, said in enumerate(commits, 1):
            batch = batch_of(said)
            verdicts = [
                await it.history.commit(tick, [batch], [], [suspected(batch)]) for it in (compacted, plain)
            ]
            assert verdicts[0][0].rows.tolist() == verdicts[1][0].rows.tolist()
            assert verdicts[0][0].conflicts == verdicts[1][0].conflicts
            for _ in range(steps[tick - 1]):
                await (compacted.compactor.run() if part_rows == 1 else compacted.compactor.step())
        expected = await plain.everything()
        assert await compacted.everything() == expected
        await compacted.compactor.run()
        assert await compacted.everything() == expected
        assert compacted.hot() == 0
        for device in range(4):
            answers = [
                await it.queries.downsample(DUST, device, MAY_1 - DAY, MAY_1 + DAY, 7 * HOUR, ["tsp", "pm10"])
                for it in (compacted, plain)
            ]
            np.testing.assert_array_equal(answers[0].last, answers[1].last)
            np.testing.assert_array_equal(answers[0].count, answers[1].count)
