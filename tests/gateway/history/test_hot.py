"""Families share one table; none of them notices."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from drivers.telemetry import MINUTE, Batch, Family, Kind, Point, Quality
from gateway.clock import CityClock
from gateway.errors import StoreError
from gateway.history.duck import History
from gateway.history.query import Queries
from gateway.history.replay import Replayed
from gateway.history.settings import HistorySettings
from rules.control import GatewayUp
from tests.gateway.history.former import Former
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
UP = GatewayUp(down=1, up=2)


def with_families(folder: Path, *families: Family) -> History:
    return History(
        folder, {each.name: each for each in families}, HistorySettings(memory_mb=128), CityClock()
    )


def said(history: History) -> list[tuple[int, list[list[Said]], int]]:
    """Everything that a replay tells: tick, rows by family, number of control rows."""
    return [shown(each) for each in history.replay(0)]


def shown(one: Replayed) -> tuple[int, list[list[Said]], int]:
    return one.tick, [said_by(batch) for batch in one.batches], len(one.controls)


def objects(folder: Path) -> set[tuple[str, str]]:
    """(name, kind) of what the file holds."""
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{folder}/history.duckdb' AS history (READ_ONLY)")
        query = "SELECT table_name, table_type FROM information_schema.tables WHERE table_catalog = 'history'"
        return set(con.execute(query).fetchall())


def random_batch(family: Family, tick: int, n: int) -> Batch:
    rng = np.random.default_rng([tick, len(family)])
    batch = Batch.empty(family, n)
    batch.device[:] = rng.integers(0, 9, n)
    batch.time[:] = rng.integers(0, MINUTE, n) + tick * MINUTE
    batch.received[:] = batch.time + 7
    batch.kind[:] = rng.integers(0, len(Kind), n)
    batch.flags[:] = rng.integers(0, 8, n)
    batch.quality[:] = rng.choice(np.array([*Quality], np.uint8), batch.quality.shape)
    batch.values[:] = np.where(batch.quality == Quality.ABSENT, np.nan, rng.normal(size=batch.values.shape))
    return batch


async def test_a_history_with_a_table_a_family_is_moved_over_when_it_is_opened(tmp_path: Path) -> None:
    before = Former(tmp_path, [DUST, LOT])
    expected = []
    for tick in range(1, 40):
        batches = [random_batch(DUST, tick, tick % 5), random_batch(LOT, tick, tick % 3)]
        batches = [batch for batch in batches if len(batch)]
        controls = [UP] * (tick % 4 == 0)
        before.commit(tick, batches, controls)
        if batches or controls:
            expected.append((tick, [said_by(batch) for batch in batches], len(controls)))
    before.close()
    with opened(tmp_path) as history:
        assert said(history) == expected
        assert history.last_received() == max(
            row.received for _, rows, _ in expected for f in rows for row in f
        )
        again = batch_of([expected[0][1][0][0]])
        (kept,) = await history.commit(40, [again], [], [suspected(again)])
        assert kept.duplicates.tolist() == [0]
        new = batch_of([Said(1, 10, {"busy": 1.0})], LOT)
        await history.commit(41, [new], [], [fresh(new)])
    with opened(tmp_path) as history:
        assert said(history) == [*expected, (41, [said_by(new)], 0)]
    assert {("hot", "BASE TABLE"), ("dust", "VIEW"), ("lot", "VIEW")} <= objects(tmp_path)


async def test_a_move_is_whole_or_has_not_happened(tmp_path: Path) -> None:
    before = Former(tmp_path, [DUST, LOT])
    row = batch_of([Said(1, 10, {"pm10": 5.0})])
    before.commit(1, [row])
    before.execute("ALTER TABLE history.main.lot RENAME kind TO odd")
    before.close()
    with pytest.raises(StoreError, match="cannot be opened"):
        opened(tmp_path)
    assert {("dust", "BASE TABLE"), ("lot", "BASE TABLE")} <= objects(tmp_path)
    mended = duckdb.connect(":memory:")
    mended.execute(f"ATTACH '{tmp_path}/history.duckdb' AS history")
    mended.execute("ALTER TABLE history.main.lot RENAME odd TO kind")
    mended.close()
    with opened(tmp_path) as history:
        assert said(history) == [(1, [said_by(row)], 0)]


async def test_a_point_gained_with_the_move_is_carried_by_no_row_of_before(tmp_path: Path) -> None:
    before = Former(tmp_path, [DUST])
    before.commit(1, [batch_of([Said(1, 10, {"pm10": 5.0, "tsp": (NAN, Quality.FAULT)})])])
    before.close()
    pm10, pm25, tsp, *_ = DUST.points
    grown = Family("dust", (Point("noise", "dB", 0, 150), pm10, pm25, tsp), (), MINUTE)
    with with_families(tmp_path, grown) as history:
        new = batch_of([Said(1, 10, {"noise": 60.0})], grown)
        await history.commit(2, [new], [], [suspected(new)])
        queries = Queries(history, 1)
        found = await queries.range_(grown, 1, 0, 11)
        queries.close()
    values = dict(zip(found.points, found.values[:, 0].tolist(), strict=True))
    assert (values["noise"], values["pm10"]) == (60.0, 5.0)
    quality = dict(zip(found.points, found.quality[:, 0].tolist(), strict=True))
    assert (quality["tsp"], quality["pm25"]) == (Quality.FAULT, Quality.ABSENT)


async def test_points_keep_their_slots_whatever_becomes_of_their_families(tmp_path: Path) -> None:
    """More points than a word of qualities holds, in another order, a family gone and back, one that is new."""
    rows = [Said(1, 10, {"pm10": 5.0, "online": 1.0}), Said(2, 10, {"event": 0.0, "pm25": (NAN, 4)})]
    wide = Family("wide", tuple(Point(f"c{n}", "", 0, 1) for n in range(20)), (), MINUTE)
    all_of_them = {f"c{n}": (float(n), n % 9) for n in range(20)}
    with with_families(tmp_path, DUST) as history:
        first = batch_of(rows)
        await history.commit(1, [first], [], [fresh(first)])
    turned = Family("dust", (Point("noise", "dB", 0, 150), *DUST.points[2::-1]), (), MINUTE)
    with with_families(tmp_path, wide, turned) as history:
        second = [batch_of([Said(1, 20, all_of_them)], wide), batch_of([Said(1, 20, {"noise": 3.0})], turned)]
        await history.commit(2, second, [], [fresh(batch) for batch in second])
        assert said(history)[0] == (1, [told(rows, turned)], 0)
    with with_families(tmp_path, wide) as history:
        assert said(history) == [(2, [told([Said(1, 20, all_of_them)], wide)], 0)]
    with with_families(tmp_path, LOT, turned, wide) as history:
        lot = batch_of([Said(1, 30, {"busy": 1.0})], LOT)
        await history.commit(3, [lot], [], [fresh(lot)])
        assert [rows for _, rows, _ in said(history)] == [
            [told(rows, turned)],
            [said_by(second[1]), said_by(second[0])],
            [said_by(lot)],
        ]


async def test_opening_a_history_again_writes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as history:
        batch = batch_of([Said(1, 10, {"pm10": 5.0})])
        await history.commit(1, [batch], [], [fresh(batch)])
    file = tmp_path / "history.duckdb"
    before = file.read_bytes()
    with opened(tmp_path) as history:
        assert history.last_tick() == 1
        assert not (tmp_path / "history.duckdb.wal").exists()
    assert file.read_bytes() == before
