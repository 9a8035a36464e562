from __future__ import annotations

import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE

import numpy as np
import pytest

from gateway.errors import StoreError
from gateway.history.settings import HistorySettings
from tests.gateway.history.committer import tick_of
from tests.gateway.history.readings import Said, batch_of, fresh, opened

COMMITTER = (sys.executable, "-m", "tests.gateway.history.committer")


def test_a_kill_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    said = 0
    for _ in range(3):
        with subprocess.Popen([*COMMITTER, str(tmp_path), "0"], stdout=PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(int(rng.integers(1, 40))):
                said = int(process.stdout.readline())
            with pytest.raises(StoreError, match="cannot be opened"):
                opened(tmp_path)
            process.kill()
            said = max([said, *(int(line) for line in process.stdout if line.endswith("\n"))])
        with opened(tmp_path) as history:
            ticks = list(history.replay(0))
        assert [tick for tick, _, _ in ticks] == list(range(1, len(ticks) + 1))
        assert len(ticks) in {said, said + 1}  # the last one may have been durable and not yet said
        said = len(ticks)
        for tick, batches, controls in ticks:
            sent, up = tick_of(tick)
            assert controls == [up]
            for before, after in zip(sent, batches, strict=True):
                np.testing.assert_array_equal(before.time, after.time)
                np.testing.assert_array_equal(before.values, after.values)


@pytest.mark.peer("strace")
def test_the_log_is_synced_before_a_commit_returns(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    strace = ("strace", "-f", "-y", "-e", "trace=write,fdatasync,fsync", "-o", str(trace))
    subprocess.run([*strace, *COMMITTER, str(tmp_path / "history"), "6"], check=True, stdout=PIPE)
    written = synced = False
    said = []
    for line in trace.read_text().splitlines():
        if re.search(r" write\(\d+<.*history\.duckdb\.wal>", line):
            written, synced = True, False
        elif re.search(r" (fdatasync|fsync)\(\d+<.*history\.duckdb\.wal>", line):
            synced = True
        elif tick := re.search(r' write\(1<.*>, "(\d+)\\n"', line):
            assert written
            assert synced
            written = synced = False
            said.append(int(tick[1]))
    assert said == [1, 2, 3, 4, 5, 6]


@pytest.fixture
def full_disk() -> Callable[[int], None]:
    """Lets no file of this process grow beyond so many bytes; 0 lifts it."""

    def limit(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size or hard, hard))

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert soft == hard == resource.RLIM_INFINITY
    return limit


async def test_a_full_disk_fails_the_commit_and_the_next_one_works_when_there_is_space(
    tmp_path: Path, full_disk: Callable[[int], None]
) -> None:
    stored = []
    with opened(tmp_path) as history:
        full_disk(200_000)
        try:
            with pytest.raises(StoreError, match="not stored"):  # noqa: PT012 - somewhere in the loop
                for tick in range(1, 100):
                    batches, up = tick_of(tick)
                    await history.commit(tick, batches, [up], [fresh(batch) for batch in batches])
                    stored.append(tick)
            assert history.last_tick() == stored[-1]
            with pytest.raises(StoreError):
                await history.commit(tick, batches, [up], [fresh(batch) for batch in batches])
            assert [tick for tick, _, _ in history.replay(0)] == stored
        finally:
            full_disk(0)
        await history.commit(tick, batches, [up], [fresh(batch) for batch in batches])
        stored.append(tick)
        assert [tick for tick, _, _ in history.replay(0)] == stored
    with opened(tmp_path) as history:
        assert [tick for tick, _, _ in history.replay(0)] == stored


async def test_a_checkpoint_without_space_loses_nothing(
    tmp_path: Path, full_disk: Callable[[int], None], caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path, HistorySettings(memory_mb=128)) as history:
        reader = history.replay(0)
        for tick in range(1, 40):
            batches, up = tick_of(tick)
            await history.commit(tick, batches, [up], [fresh(batch) for batch in batches])
        full_disk(64_000)
        try:
            await history.checkpoint()
            assert "checkpoint failed" in caplog.text
            batch = batch_of([Said(1, 1, {"pm10": 1.0})])
            with pytest.raises(StoreError):
                await history.commit(40, [batch], [], [fresh(batch)])
        finally:
            full_disk(0)
        await history.commit(40, [batch], [], [fresh(batch)])
        await history.checkpoint()
        assert [tick for tick, _, _ in reader] == list(range(1, 41))
    with opened(tmp_path) as history:
        assert [tick for tick, _, _ in history.replay(0)] == list(range(1, 41))
