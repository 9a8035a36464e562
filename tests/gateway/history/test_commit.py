from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from drivers.telemetry import Batch, Family, Kind, Point, Quality
from gateway.clock import CityClock
from gateway.errors import StoreError
from gateway.history.duck import History
from gateway.history.settings import HistorySettings
from rules.control import GatewayUp, Parameter
from tests.gateway.history.readings import (
    DUST,
    LOT,
    Said,
    batch_of,
    fresh,
    opened,
    said_by,
    suspected,
    told,
)

NAN = float("nan")


async def test_replay_says_exactly_what_was_committed(tmp_path: Path) -> None:
    dust = [
        Said(3, 1_000, {"pm10": 1.5}, received=1_001),
        Said(1, 900, {"pm10": (NAN, Quality.FAULT), "tsp": (2.0, Quality.OVER_RANGE)}, Kind.HOUR, 1_002, 3),
        Said(1, 901, {"pm25": float("inf")}),
    ]
    lot = [Said(7, 1_000, {"busy": 1.0})]
    up, override = GatewayUp(down=1, up=2), Parameter("rule", "limit", "area:徐汇", 2.5)
    with opened(tmp_path) as history:
        batches = [batch_of(lot, LOT), batch_of(dust)]
        await history.commit(4, batches, [up, override], [fresh(b) for b in batches])
        await history.commit(9, [], [up], [])
        assert history.last_tick() == 9
        assert history.last_received() == 1_002
    with opened(tmp_path) as history:
        first, second = history.replay(0)
        assert [said_by(b) for b in first.batches] == [told(dust), told(lot, LOT)]
        assert (first.tick, first.controls) == (4, [up, override])
        assert second == (9, [], [up])
        assert [tick for tick, _, _ in history.replay(4)] == [9]
        assert (history.last_tick(), history.last_received()) == (9, 1_002)


async def test_replay_keeps_order_over_many_chunks_and_checkpoints(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    sent: list[Batch] = []
    with opened(tmp_path) as history:
        for tick in range(1, 31):
            batch = Batch.empty(DUST, 7_000)
            batch.device[:] = rng.integers(0, 500, 7_000)
            batch.time[:] = rng.integers(0, 10**15, 7_000)
            batch.values[0], batch.quality[0] = rng.normal(size=7_000), 0
            await history.commit(tick, [batch], [], [fresh(batch)])
            sent.append(batch)
            if tick % 7 == 0:
                await history.checkpoint()
        replayed = list(history.replay(0))
    assert [tick for tick, _, _ in replayed] == list(range(1, 31))
    for before, (_, (after,), _) in zip(sent, replayed, strict=True):
        for column in ("device", "time", "received", "kind", "flags", "values", "quality"):
            np.testing.assert_array_equal(getattr(before, column), getattr(after, column), strict=True)


async def test_points_of_one_key_merge_and_never_change(tmp_path: Path) -> None:
    with opened(tmp_path) as history:
        first = batch_of([Said(1, 10, {"pm10": 5.0}), Said(2, 10, {"pm10": (NAN, Quality.FAULT)})])
        await history.commit(1, [first], [], [fresh(first)])
        again = batch_of(
            [
                Said(1, 10, {"pm10": 5.0}),  # duplicate
                Said(1, 10, {"pm10": 5.0, "tsp": 7.0}),  # supplement
                Said(1, 10, {"pm10": 6.0, "tsp": 7.0}),  # conflict with the table, and nothing new
                Said(2, 10, {"pm10": (NAN, Quality.FAULT)}),  # NaN equals NaN
                Said(
                    2, 10, {"pm10": (NAN, Quality.STOPPED), "pm25": 1.0}
                ),  # another quality is another value
                Said(1, 10, {"tsp": 8.0}),  # conflict with the supplement above
                Said(1, 10, {"pm10": 9.0}, Kind.HOUR),  # another kind is another reading
                Said(3, 10, {"pm10": 1.0}),  # not known at all
            ]
        )
        (kept,) = await history.commit(2, [again], [], [suspected(again)])
        assert kept.rows.tolist() == [1, 4, 6, 7]
        assert kept.duplicates.tolist() == [0, 3]
        assert kept.conflicts == [(2, ("pm10",)), (4, ("pm10",)), (5, ("tsp",))]
        stored = told(
            [
                Said(1, 10, {"tsp": 7.0}),
                Said(2, 10, {"pm25": 1.0}),
                Said(1, 10, {"pm10": 9.0}, Kind.HOUR),
                Said(3, 10, {"pm10": 1.0}),
            ]
        )
        assert said_by(kept.batch) == stored
        assert [said_by(b) for _, (b,), _ in history.replay(1)] == [stored]


async def test_a_row_beside_suspects_counts_as_the_first_of_its_key(tmp_path: Path) -> None:
    with opened(tmp_path) as history:
        batch = batch_of([Said(1, 10, {"pm10": 5.0}), Said(1, 10, {"pm10": 6.0}), Said(4, 10, {"pm10": 5.0})])
        (kept,) = await history.commit(1, [batch], [], [np.array([False, True, False])])
        assert (kept.rows.tolist(), kept.conflicts) == ([0, 2], [(1, ("pm10",))])


async def test_a_tick_of_nothing_but_duplicates_stores_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as history:
        batch = batch_of([Said(1, 10, {"pm10": 5.0})])
        await history.commit(1, [batch], [], [fresh(batch)])
        (kept,) = await history.commit(2, [batch], [], [suspected(batch)])
        assert (len(kept.batch), kept.duplicates.tolist(), history.last_tick()) == (0, [0], 1)


async def test_a_family_gains_a_point(tmp_path: Path) -> None:
    old = batch_of([Said(1, 10, {"pm10": 5.0})])
    with opened(tmp_path) as history:
        await history.commit(1, [old], [], [fresh(old)])
    grown = Family("dust", (*DUST.points[:3], Point("noise", "dB", 0, 150)), (), DUST.interval)
    with History(tmp_path, {"dust": grown}, HistorySettings(), CityClock()) as history:
        new = batch_of([Said(1, 10, {"noise": 60.0, "pm10": 5.0})], grown)
        await history.commit(2, [new], [], [suspected(new)])
        said = [said_by(batch)[0].points for _, (batch,), _ in history.replay(0)]
        assert said == [{"pm10": (5.0, 0)}, {"noise": (60.0, 0)}]


def test_points_that_would_share_a_column_are_refused(tmp_path: Path) -> None:
    for names in (("time",), ("pm10", "PM10"), ("a", "a_q")):
        family = Family("odd", tuple(Point(name, "", 0, 1) for name in names), (), 1)
        with pytest.raises(ValueError, match="share a column"):
            History(tmp_path, {"odd": family}, HistorySettings(), CityClock())


async def test_a_tick_must_follow_the_last_one(tmp_path: Path) -> None:
    with opened(tmp_path) as history:
        batch = batch_of([Said(1, 10, {"pm10": 5.0})])
        await history.commit(5, [batch], [], [fresh(batch)])
        with pytest.raises(ValueError, match="does not follow"):
            await history.commit(5, [batch], [], [fresh(batch)])
        with pytest.raises(ValueError, match="two batches"):
            await history.commit(6, [batch, batch], [], [fresh(batch)] * 2)


async def test_a_checkpoint_is_due_when_enough_was_written_and_time_passed(tmp_path: Path) -> None:
    settings = HistorySettings(checkpoint_kb=1, checkpoint_seconds=1e-9)
    with opened(tmp_path, settings) as history:
        await history.checkpoint()
        assert not history.checkpoint_due()
        batch = batch_of(Said(1, time, {"pm10": 5.0}) for time in range(1_000))
        await history.commit(1, [batch], [], [fresh(batch)])
        assert history.checkpoint_due()
        await history.checkpoint()
        assert not history.checkpoint_due()


def test_a_file_that_is_no_history_is_refused(tmp_path: Path) -> None:
    (tmp_path / "history.duckdb").write_bytes(b"this is no history at all" * 1_000)
    with pytest.raises(StoreError, match="cannot be opened"):
        opened(tmp_path)


class Unlucky:
    """A connection whose commit fails, before or after it did its work."""

    def __init__(self, real: duckdb.DuckDBPyConnection, *, after: bool) -> None:
        self.real = real
        self.after = after

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)

    def commit(self) -> None:
        if self.after:
            self.real.commit()
        raise duckdb.IOException("no space left on device")


@pytest.mark.parametrize("after", [False, True])
async def test_a_failed_commit_stores_the_tick_once_or_not_at_all(tmp_path: Path, after: bool) -> None:
    with opened(tmp_path) as history:
        real = history._con
        batch = batch_of([Said(1, 10, {"pm10": 5.0})])
        history._con = Unlucky(real, after=after)  # type: ignore[assignment]
        if after:  # the error came when all was done: the tick stands
            await history.commit(1, [batch], [], [fresh(batch)])
        else:
            with pytest.raises(StoreError, match="tick 1 not stored"):
                await history.commit(1, [batch], [], [fresh(batch)])
        history._con = real
        assert history.last_tick() == (1 if after else 0)
        await history.commit(2, [batch], [], [suspected(batch)])
        assert len(list(history.replay(0))) == 1


async def test_an_empty_history_says_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as history:
        assert (list(history.replay(0)), history.last_tick(), history.last_received()) == ([], 0, 0)
        assert await history.commit(1, [], [], []) == []
