"""`citygate drill`: a scenario in virtual time through this gateway's own pipeline, scored against the truth.

Exit code 0: every threshold of the scenario is met; 1: one is not; 2: the scenario has faults, all of them named.
"""

from __future__ import annotations

import asyncio
import csv
import io
import logging
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import msgspec
import typer
from msgspec import Struct
from sqlalchemy import Connection, select

from gateway.app.core import Core
from gateway.cli.context import run_async
from gateway.config import Config, line_of
from gateway.history.settings import HistorySettings
from gateway.notify.settings import NotifySettings
from gateway.pipeline import PipelineSettings
from gateway.store.schema.cases import alarm as alarm_table
from gateway.store.schema.cases import case as case_table
from gateway.tasks import Tasks
from simulators.drill import report, scenario
from simulators.drill.drill import Drill
from simulators.drill.score import Alarm, Case, Score, Told, plain
from simulators.drill.stage import Stage, StageClock

BAD: Final = 2
DAILY: Final = 86_400  # city seconds


class Played(Struct, frozen=True):
    """score, and how the drill went. messages: settled. seconds: real, of the play alone. speed: city time by real time."""

    score: Score
    messages: int
    seconds: float
    speed: float


def drill(file: str, json: Path | None, junit: Path | None, seed: int | None) -> None:
    """Play a scenario in virtual time, and score every rule against what really happened."""
    logging.basicConfig(level=logging.WARNING)
    try:
        asked = scenario.read(scenario.find(file))
        chosen = asked.seed if seed is None else seed
        played: Played = run_async(play(asked, chosen))
    except scenario.ScenarioError as error:
        text = error.text or _text(file)
        for wrong in error.wrong:
            line = line_of(text, list(wrong.place))
            typer.echo(
                f"{file}{f':{line}' if line else ''}: {'.'.join(wrong.place) or 'file'}: {wrong.problem}"
            )
        typer.echo(f"{len(error.wrong)} fault{'s' if len(error.wrong) != 1 else ''}")
        raise typer.Exit(BAD) from None
    typer.echo(report.text(file, chosen, played.score, played.messages, played.speed))
    if json is not None:
        json.write_bytes(_json(file, chosen, played))
    if junit is not None:
        junit.write_text(report.junit(file, played.score), encoding="utf-8")
    raise typer.Exit(0 if played.score.met else 1)


def _text(file: str) -> str:
    try:
        return scenario.find(file)
    except scenario.ScenarioError:
        return ""


def _json(file: str, seed: int, played: Played) -> bytes:
    document = {
        "scenario": file,
        "seed": seed,
        "messages": played.messages,
        "seconds": played.seconds,
        "speed": played.speed,
        **plain(played.score),
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


async def play(asked: scenario.Scenario, seed: int) -> Played:
    """In a directory that is gone afterwards; raises ScenarioError where a fault of it finds no place."""
    made = Drill.build(asked, seed)
    with tempfile.TemporaryDirectory(prefix="citygate-drill-") as folder:
        async with AsyncExitStack() as closing:
            clock = StageClock(asked.begin - 1_000_000)
            core = Core(_config(Path(folder)), clock, closing)
            await core.open_stores()
            core.build()
            await core.rebuild()
            tasks = await closing.enter_async_context(Tasks())
            await core.run(tasks, [])
            await _register(core, made)
            stage = Stage(core.pipeline, clock, made.script, asked)
            began = time.perf_counter()
            await _unless_failed(tasks, stage)
            seconds = time.perf_counter() - began
            alarms, cases = await core.store.read(_desk)
            told = Told(alarms, cases, stage.fleet.refused)
            speed = asked.lasts / 1e6 / seconds
            return Played(made.judge(told), stage.fleet.settled, seconds, speed)


def _config(folder: Path) -> Config:
    """Everything as it is shipped, but nobody is told, and what is saved now and then is saved by city time."""
    return Config(
        data=folder / "data",
        notify=NotifySettings(log=()),
        history=HistorySettings(checkpoint_kb=65_536),
        pipeline=PipelineSettings(tick_ms=1, sweep_ms=10, snapshot_s=DAILY),
    )


async def _register(core: Core, made: Drill) -> None:
    """Through the same import that a city would use."""
    roll = io.StringIO()
    rows = list(made.roll())
    writer = csv.DictWriter(roll, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    done = await core.devices.import_csv(io.BytesIO(roll.getvalue().encode()), "drill")
    assert not done.faults, done.faults[:3]


async def _unless_failed(tasks: Tasks, stage: Stage) -> None:
    """The play, or the first error of any task."""
    playing = tasks.start("drill", stage.play())
    assert tasks.failed is not None
    either: tuple[asyncio.Future[Any], ...] = (playing, tasks.failed)
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if tasks.failed.done():
        raise tasks.failed.result()
    await playing


def _desk(conn: Connection) -> tuple[list[Alarm], list[Case]]:
    alarms = conn.execute(select(*(alarm_table.c[name] for name in Alarm.__struct_fields__)))
    cases = conn.execute(select(*(case_table.c[name] for name in Case.__struct_fields__)))
    return _all(alarms, Alarm), _all(cases, Case)


def _all(rows: Any, kind: Any) -> Any:
    return [kind(**row) for row in rows.mappings()]
