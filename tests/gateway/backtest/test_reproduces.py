"""A backtest without a change over the recorded log says what live said: the same alarms, ids and times."""

from __future__ import annotations

from pathlib import Path

import msgspec

from drivers.telemetry import DAY
from gateway.backtest.prepare import CHUNK, Wish, prepare
from gateway.backtest.settings import BacktestSettings
from gateway.backtest.worker import Log, Shard, Task, judge
from gateway.history import study
from rules.backtest import RECORDED
from rules.control import WatermarkRestart
from tests.gateway.backtest.recorded import Recorded, moved_to_parts
from tests.scenarios.city import ZONE, city

VARIED = (
    "dust-pm10-background",
    "dust-silent",
    "dust-pm10-high",
    "dust-wind",
)  # peers, absence, windows, holds


def judged(folder: Path, chunk: int = CHUNK) -> set[tuple[str, int, bool]]:
    """As the processes do, here in this one."""
    task = msgspec.json.decode((folder / "task.json").read_bytes(), type=Task)
    task = msgspec.structs.replace(task, chunk=chunk)
    log = msgspec.json.decode((folder / "log.json").read_bytes(), type=Log)
    shards: list[Shard] = []
    for file in sorted(folder.glob("shards-*.json")):
        shards += msgspec.json.decode(file.read_bytes(), type=list[Shard])
    said = judge(task, log, shards, lambda _: None)
    return {(each.id, each.time, each.raised) for each in said if each.line == RECORDED}


async def test_a_backtest_of_the_log_reproduces_every_live_alarm(tmp_path: Path) -> None:
    async with city(tmp_path / "data", "06:00") as town:
        recorded = Recorded(town)
        await recorded.build()
        await recorded.live_through()
        parts = await moved_to_parts(town)
        live, now, core = await recorded.live(), town.clock.now(), town.gateway.core
        again = {}
        for rule in live:
            wish = Wish(rule, {}, now - 2 * DAY, now, "", recorded=True)
            folder = tmp_path / "study" / rule
            prepare(core.history, wish, str(ZONE), now, BacktestSettings(), folder)
            again[rule] = judged(folder)
        pieces = {rule: judged(tmp_path / "study" / rule, chunk=40) for rule in VARIED}
        with study.moment(core.history) as con:
            restarts = [each for _, each in study.controls(con) if isinstance(each, WatermarkRestart)]
            late = con.execute("SELECT count(*) FROM history.main.hot WHERE flags & 1 = 1").fetchall()[0][0]
    assert again == live
    assert parts > 0
    assert restarts
    assert late > 0
    families = {rule.partition("-")[0] for rule in live}
    assert pieces == {rule: live[rule] for rule in VARIED}
    assert len(live) > 8
    assert len(families) > 3
    assert sum(map(len, live.values())) > 60
