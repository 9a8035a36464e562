"""What a start rebuilds is what the run before it had, whatever became of its snapshots."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drivers.families import FAMILIES
from drivers.telemetry import HOUR, MINUTE, SECOND, Batch, Flag, Kind
from gateway.app import App
from gateway.clock import CityClock
from gateway.config import Config
from gateway.derived import Derived
from gateway.history import snapshot
from gateway.history.duck import History
from gateway.history.settings import HistorySettings
from rules import packs
from rules.control import Control, DeviceRow, Devices, GatewayUp, Rules
from rules.order import Order
from rules.transition import Transition

ZONE = "Asia/Shanghai"
START = 1_790_078_400 * SECOND
DEVICES = 6
TICKS = 60
POINTS = {"dust": {"pm10": 400.0, "noise": 95.0}, "manhole": {"tilt": 70.0, "cover": 1.0, "water_level": 3.0}}


def derived() -> Derived:
    return Derived(FAMILIES, Order(FAMILIES), ZONE)


def opened(folder: Path) -> History:
    return History(folder, FAMILIES, HistorySettings(memory_mb=128), CityClock())


def registry() -> list[Control]:
    rows = {
        family: [
            DeviceRow(n, f"{family}-{n}", f"generic-{family}", lateness=MINUTE * (n == 0))
            for n in range(DEVICES)
        ]
        for family in POINTS
    }
    return [*(Devices(family, each) for family, each in rows.items()), Rules(packs.load())]


def ticks() -> Iterator[tuple[list[Control], list[Batch]]]:
    """Two families that misbehave in turns over hours; some rows late, some devices silent, one restart of the gateway."""
    rng = np.random.default_rng(4)
    yield registry(), []
    now = START
    for tick in range(TICKS):
        batches = []
        for family, high in POINTS.items():
            batch = Batch.empty(FAMILIES[family], int(rng.integers(1, 9)))
            batch.device[:] = rng.integers(0, DEVICES, len(batch))
            batch.received[:] = np.sort(now + rng.integers(0, MINUTE, len(batch)))
            batch.time[:] = batch.received - rng.integers(0, 3 * MINUTE, len(batch))
            batch.kind[:] = rng.choice([Kind.SAMPLE, Kind.SAMPLE, Kind.HOUR], len(batch))
            batch.flags[rng.random(len(batch)) < 0.1] = Flag.HISTORICAL
            for name, value in high.items():
                row = batch.family.index[name]
                batch.values[row] = value * rng.integers(0, 2, len(batch))
                batch.quality[row] = 0
            batches.append(batch)
        now += 2 * MINUTE
        if tick == TICKS // 2:
            now += HOUR
            yield [GatewayUp(now - HOUR, now)], []
        yield [], batches


async def live(state: Derived, history: History, saved: dict[int, Path]) -> list[list[Transition]]:
    """What each tick says, as in the pipeline but without sweeps. saved: after which tick a snapshot goes where."""
    said: list[list[Transition]] = []
    for tick, (controls, batches) in enumerate(ticks(), 1):
        for control in controls:
            state.order.control(control)
        stamped = [state.stamp(batch) for batch in batches]
        controls += [restart for each in stamped for restart in each.restarts]
        kept = await history.commit(
            tick, [each.batch for each in stamped], controls, [each.suspects for each in stamped]
        )
        said.append(state.judge(controls, [each.batch for each in kept]))
        if tick in saved:
            state.save(saved[tick], tick)
    return said


def all_of(ticks: Iterable[Sequence[Transition]]) -> list[tuple[Any, ...]]:
    return sorted(
        (each.received, each.time, each.rule, each.family, each.index, each.raised, each.id)
        for said in ticks
        for each in said
    )


async def test_a_replay_in_few_pieces_says_what_every_tick_said(tmp_path: Path) -> None:
    with opened(tmp_path) as history:
        said = await live(derived(), history, {})
        again = list(derived().rebuild(history, tmp_path / "none"))
    assert sum(each.ticks for each in again) == len(list(ticks())) > 10 * len(again)
    assert all_of(piece.transitions for piece in again) == all_of(said)
    assert {(each.family, each.raised) for tick in said for each in tick} == {
        (family, raised) for family in POINTS for raised in (True, False)
    }


def foreign(tree: dict[str, Any]) -> dict[str, Any]:
    return {**tree, "engine": {**tree["engine"], "format": 1}}


def lacking(tree: dict[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in tree.items() if name != "latest"}


def misshapen(tree: dict[str, Any]) -> dict[str, Any]:
    return {**tree, "order": {**tree["order"], "dust": {**tree["order"]["dust"], "frontier": "none"}}}


def other_rules(tree: dict[str, Any]) -> dict[str, Any]:
    unread = [{**tree["engine"]["rules"][0], "when": "what nobody can read"}]
    return {**tree, "engine": {**tree["engine"], "rules": unread}}


@pytest.mark.parametrize("spoil", [foreign, lacking, misshapen, other_rules])
async def test_a_snapshot_that_cannot_be_used_counts_as_none(
    tmp_path: Path, spoil: Any, caplog: pytest.LogCaptureFixture
) -> None:
    folder, middle = tmp_path / "snapshots", 25
    state = derived()
    with opened(tmp_path) as history:
        said = await live(state, history, {middle: folder})
        whole = snapshot.load(folder)
        assert whole is not None
        snapshot.save(folder, middle + 1, spoil(whole.parts))
        restarted = derived()
        pieces = list(restarted.rebuild(history, folder))
        assert restarted.tick == middle
        (folder / f"snapshot-{middle:020d}.bin").unlink()
        from_start = derived()
        everything = list(from_start.rebuild(history, folder))
    assert caplog.record_tuples[0][1] == logging.WARNING
    assert f"the snapshot of tick {middle + 1} is passed over" in caplog.text
    assert all_of(piece.transitions for piece in everything) == all_of(said)
    assert all_of(piece.transitions for piece in pieces) == all_of(said[middle:])
    for each in (restarted, from_start):
        np.testing.assert_equal(each.engine.snapshot(), state.engine.snapshot())
        np.testing.assert_equal(each.order.snapshot(), state.order.snapshot())
        np.testing.assert_equal(each.latest.snapshot(), state.latest.snapshot())


async def test_a_gateway_whose_last_snapshot_cannot_be_written_stops_and_starts_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "snapshots").write_bytes(b"in the way")
    for replayed in (False, True):
        async with App(Config(data=tmp_path), CityClock(START), listening=False) as gateway:
            assert bool(gateway.core.replayed) is replayed
        assert "the snapshot cannot be written" in caplog.text
        caplog.clear()
