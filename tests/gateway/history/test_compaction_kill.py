from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import numpy as np

from drivers.telemetry import DAY
from gateway.clock import CityClock
from gateway.history import manifest
from gateway.history.compaction import Compactor
from gateway.history.query import Queries
from gateway.history.verify import verify
from tests.gateway.history.committer import tick_of
from tests.gateway.history.compacting import OPTIONS, POINTS
from tests.gateway.history.readings import DUST, LOT, opened

VICTIM = (sys.executable, "-m", "tests.gateway.history.compacting")


def test_a_kill_at_any_point_of_compaction_loses_and_doubles_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    points = set()
    for point in POINTS:
        with subprocess.Popen([*VICTIM, str(tmp_path), point], stdout=PIPE, text=True) as process:
            assert process.stdout is not None
            if point:
                said = [int(line) for line in process.stdout]
                assert process.wait() == 1
                points.add(point)
            else:
                said = [int(process.stdout.readline()) for _ in range(int(rng.integers(5, 25)))]
                process.kill()
                said += [int(line) for line in process.stdout if line.endswith("\n")]
        asyncio.run(_is_whole(tmp_path, said[-1]))
    assert len(points) == len(POINTS) - 1


async def _is_whole(folder: Path, said: int) -> None:
    """Every reading of every tick once, and no file that is not listed."""
    with opened(folder) as history:
        compactor = Compactor(history, OPTIONS, CityClock(3 * DAY), history.last_tick)
        queries = Queries(history, 1)
        last = history.last_tick()
        assert last in {said, said + 1}
        sent = [tick_of(tick)[0] for tick in range(1, last + 1)]
        for position, family in enumerate((DUST, LOT)):
            pages = [page async for page in queries.readings(family, -1, 2**60)]
            found = np.concatenate([page.time for page in pages])
            device = np.concatenate([page.device for page in pages])
            values = np.concatenate([page.values[0] for page in pages])
            wanted = [batches[position] for batches in sent]
            time = np.concatenate([batch.time for batch in wanted])
            order = np.lexsort((np.concatenate([batch.device for batch in wanted]), time))
            np.testing.assert_array_equal(found, time[order])
            np.testing.assert_array_equal(device, np.concatenate([batch.device for batch in wanted])[order])
            np.testing.assert_array_equal(
                values, np.concatenate([batch.values[0] for batch in wanted])[order]
            )
        with history.cursor() as con:
            parts = manifest.listed(con)
            assert manifest.orphans(folder, history.families, parts) == []
            assert [verdict.fault for part in parts if (verdict := verify(history, part))] == [""] * len(
                parts
            )
        queries.close()
        compactor.close()
