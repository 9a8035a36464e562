from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from drivers.telemetry import HOUR, LAST_JUDGED, SECOND, Batch, Float64, Kind, Quality
from gateway.errors import Invalid
from gateway.history.duck import History
from gateway.history.query import Queries, Readings
from tests.gateway.history.readings import DUST, Said, batch_of, fresh, opened, suspected

NOON = 1_760_000_000 * SECOND
PM10, PM25 = DUST.index["pm10"], DUST.index["pm25"]


@pytest.fixture
async def history(tmp_path: Path) -> AsyncIterator[History]:
    with opened(tmp_path) as history:
        yield history


@pytest.fixture
async def queries(history: History) -> AsyncIterator[Queries]:
    queries = Queries(history)
    yield queries
    queries.close()


def random_batch(rng: np.random.Generator, n: int, devices: int = 5) -> Batch:
    """n readings of different keys over two hours; some points absent, some not to be judged."""
    batch = Batch.empty(DUST, n)
    batch.device[:] = rng.integers(0, devices, n)
    batch.time[:] = NOON + rng.choice(2 * HOUR, n, replace=False)
    batch.received[:] = batch.time + 5
    carried = rng.random((2, n)) < 0.7
    batch.quality[:2][carried] = rng.choice([0, 1, 3, 4, 6], int(carried.sum()))
    batch.values[:2] = np.where(carried, rng.normal(50, 20, (2, n)).round(1), np.nan)
    return batch


async def test_a_range_holds_the_readings_of_one_device_by_time(history: History, queries: Queries) -> None:
    batch = random_batch(np.random.default_rng(1), 2_000)
    await history.commit(3, [batch], [], [fresh(batch)])
    found = await queries.range_(DUST, 2, NOON + HOUR // 2, NOON + HOUR)
    mine = (batch.device == 2) & (batch.time >= NOON + HOUR // 2) & (batch.time < NOON + HOUR)
    expected = batch.take(mine).take(np.argsort(batch.time[mine]))
    assert len(found) == len(expected) > 50
    for column in ("device", "time", "received", "kind", "flags", "values", "quality"):
        np.testing.assert_array_equal(getattr(found, column), getattr(expected, column), strict=True)
    assert set(found.tick.tolist()) == {3}

    first = await queries.range_(DUST, 2, 0, 2 * NOON, ["pm25"], limit=10)
    last = await queries.range_(DUST, 2, 0, 2 * NOON, ["pm25"], limit=10, newest=True)
    carrying = np.sort(batch.time[(batch.device == 2) & (batch.quality[PM25] != Quality.ABSENT)])
    assert first.points == ("pm25",)
    assert first.values.shape == (1, 10)
    assert first.time.tolist() == carrying[:10].tolist()
    assert last.time.tolist() == carrying[-10:].tolist()


async def test_supplements_and_their_reading_are_one(history: History, queries: Queries) -> None:
    first = batch_of([Said(1, NOON, {"pm10": 5.0}, received=NOON + 1, flags=1)])
    second = batch_of(
        [Said(1, NOON, {"tsp": (7.0, 4)}, received=NOON + 9, flags=4), Said(1, NOON, {"pm25": 1.0}, Kind.DAY)]
    )
    await history.commit(1, [first], [], [fresh(first)])
    await history.commit(2, [second], [], [suspected(second)])
    found = await queries.range_(DUST, 1, NOON, NOON + 1, kinds=[Kind.SAMPLE])
    assert (found.time.tolist(), found.received.tolist(), found.tick.tolist()) == ([NOON], [NOON + 1], [1])
    assert found.flags.tolist() == [5]
    assert found.quality[:, 0].tolist() == [0, 255, 4, 255, 255]
    assert np.nan_to_num(found.values[:3, 0], nan=-1).tolist() == [5.0, -1, 7.0]
    everything = await queries.range_(DUST, 1, NOON, NOON + 1)
    assert everything.kind.tolist() == [Kind.SAMPLE, Kind.DAY]


async def test_a_limit_counts_readings_not_their_supplements(history: History, queries: Queries) -> None:
    first = batch_of(Said(1, NOON + n, {"pm10": float(n)}) for n in range(4))
    await history.commit(1, [first], [], [fresh(first)])
    second = batch_of(Said(1, NOON + n, {"tsp": float(n)}) for n in (1, 2))
    await history.commit(2, [second], [], [suspected(second)])
    for limit in range(1, 5):
        found = await queries.range_(DUST, 1, NOON, NOON + 9, limit=limit)
        assert found.time.tolist() == [NOON, NOON + 1, NOON + 2, NOON + 3][:limit]
        newest = await queries.range_(DUST, 1, NOON, NOON + 9, limit=limit, newest=True)
        assert newest.time.tolist() == [NOON, NOON + 1, NOON + 2, NOON + 3][-limit:]
        for one in (found, newest):
            carried = (one.quality[[PM10, DUST.index["tsp"]]] == 0).sum(axis=0)
            assert carried.tolist() == [1 + (time - NOON in {1, 2}) for time in one.time.tolist()]


async def test_buckets_agree_with_numpy(history: History, queries: Queries) -> None:
    batch = random_batch(np.random.default_rng(2), 3_000)
    await history.commit(1, [batch], [], [fresh(batch)])
    width = 7 * 60 * SECOND
    found = await queries.downsample(DUST, 3, NOON + 11, NOON + HOUR, width, ["pm25", "pm10"])
    for row, point in enumerate((PM25, PM10)):
        mine = (batch.device == 3) & (batch.time >= NOON + 11) & (batch.time < NOON + HOUR)
        mine &= batch.quality[point] <= LAST_JUDGED
        time, values = batch.time[mine], batch.values[point][mine]
        assert found.count[row].sum() == len(values) > 100
        for at, start in enumerate(found.start.tolist()):
            inside = (time >= start) & (time < start + width)
            assert found.count[row, at] == np.count_nonzero(inside)
            assert_bucket(found.low[row, at], values[inside], np.min)
            assert_bucket(found.high[row, at], values[inside], np.max)
            assert_bucket(found.mean[row, at], values[inside], np.mean)
            if inside.any():
                assert found.last[row, at] == values[inside][np.argmax(time[inside])]
    assert (found.start % width == 0).all()


def assert_bucket(found: float, values: Float64, what: object) -> None:
    expected = what(values) if len(values) else np.nan  # type: ignore[operator]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


async def test_a_bucket_without_a_judged_value_is_not_there(history: History, queries: Queries) -> None:
    batch = batch_of(
        [
            Said(1, NOON, {"pm10": (5.0, Quality.CALIBRATING)}),
            Said(1, NOON + HOUR, {"pm10": 6.0, "pm25": (1.0, Quality.FAULT)}),
        ]
    )
    await history.commit(1, [batch], [], [fresh(batch)])
    found = await queries.downsample(DUST, 1, 0, 2 * NOON, SECOND)
    assert found.start.tolist() == [NOON + HOUR]
    assert found.count[:, 0].tolist() == [1, 0, 0, 0, 0]
    assert np.isnan(found.mean[PM25, 0])


async def test_an_export_is_every_reading_once_in_bounded_chunks(history: History, queries: Queries) -> None:
    rng = np.random.default_rng(3)
    batch = random_batch(rng, 5_000)
    batch.time[:40] = NOON - 5 * HOUR  # a moment that no chunk can cut
    batch.device[:40] = np.arange(40)
    await history.commit(1, [batch], [], [fresh(batch)])
    for t0, t1 in ((0, 2 * NOON), (NOON + 3, NOON + HOUR + 7), (NOON - 5 * HOUR, NOON)):
        chunks = [chunk async for chunk in queries.readings(DUST, t0, t1, chunk=30)]
        inside = (batch.time >= t0) & (batch.time < t1)
        keys = [
            key for chunk in chunks for key in zip(chunk.time.tolist(), chunk.device.tolist(), strict=True)
        ]
        assert keys == sorted(zip(batch.time[inside].tolist(), batch.device[inside].tolist(), strict=True))
        assert max(map(len, chunks)) <= 40


async def test_chunks_before_the_epoch_lose_nothing(history: History, queries: Queries) -> None:
    batch = batch_of(Said(1, time, {"pm10": 1.0}) for time in range(-3 * HOUR - 7, 3 * HOUR, HOUR // 5))
    await history.commit(1, [batch], [], [fresh(batch)])
    found = [chunk async for chunk in queries.readings(DUST, -(10**15), 10**15, chunk=2)]
    assert [time for chunk in found for time in chunk.time.tolist()] == sorted(batch.time.tolist())


async def test_the_newest_of_each_device(history: History, queries: Queries) -> None:
    batch = batch_of(
        [
            Said(4, NOON + 5, {"pm10": (float("nan"), Quality.FAULT)}),
            Said(4, NOON, {"pm10": 1.0, "pm25": 2.0}),
            Said(9, NOON, {"tsp": 3.0}),
        ]
    )
    await history.commit(1, [batch], [], [fresh(batch)])
    found = await queries.latest_of(DUST)
    assert found.device.tolist() == [4, 9]
    assert found.quality[:, 0].tolist() == [Quality.FAULT, 0, 255, 255, 255]
    assert found.time[:2, 0].tolist() == [NOON + 5, NOON]
    assert np.nan_to_num(found.values[:3, 1], nan=-1).tolist() == [-1, -1, 3.0]


async def test_what_cannot_be_asked_is_said(queries: Queries) -> None:
    with pytest.raises(Invalid, match="no point 'pm1'"):
        await queries.range_(DUST, 1, 0, 1, ["pm1"])
    with pytest.raises(Invalid, match="no point is asked for"):
        await queries.range_(DUST, 1, 0, 1, [])
    with pytest.raises(Invalid, match="bucket"):
        await queries.downsample(DUST, 1, 0, 1, 0)


async def test_nothing_stored_is_nothing_found(queries: Queries) -> None:
    found: Readings = await queries.range_(DUST, 1, 0, NOON)
    assert (len(found), found.values.shape) == (0, (5, 0))
    assert len(await queries.downsample(DUST, 1, 0, NOON, SECOND)) == 0
    assert [chunk async for chunk in queries.readings(DUST, 0, NOON)] == []
