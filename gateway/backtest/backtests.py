"""Backtests as jobs: one runs, some wait, the newest results are kept; judged in processes of their own.

A job that fails says why and harms nobody; one that is taken back leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections import deque
from functools import partial
from pathlib import Path
from typing import Final

import duckdb
from msgspec import Struct

from drivers.telemetry import DAY
from gateway.backtest import values
from gateway.backtest.occurrences import occurrences
from gateway.backtest.prepare import Prepared, Wish, prepare
from gateway.backtest.processes import Processes
from gateway.backtest.report import Report, Told, report
from gateway.backtest.settings import BacktestSettings
from gateway.backtest.values import Question
from gateway.backtest.work import handling, judged
from gateway.cases.desk import Desk
from gateway.clock import Clock
from gateway.errors import CitygateError, Conflict, NotFound, TooMany
from gateway.history.duck import History
from gateway.history.source import EVER
from gateway.store.store import Store
from rules.backtest import RECORDED, Said
from rules.document import RulesError
from rules.suggest import Suggestion

log = logging.getLogger(__name__)

WAITING: Final = "waiting"
RUNNING: Final = "running"
DONE: Final = "done"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
RETRY: Final = 30  # seconds


class Job(Struct):
    """question: what a proposal is asked for; None for a comparison. rows of total: judged so far. created: µs UTC."""

    id: int
    wish: Wish
    actor: str
    created: int
    question: Question | None = None
    state: str = WAITING
    stage: str = ""
    rows: int = 0
    total: int = 0
    error: str = ""
    report: Report | None = None
    suggestion: Suggestion | None = None

    def advance(self, rows: int) -> None:
        self.rows = rows

    @property
    def over(self) -> bool:
        return self.state in {DONE, FAILED, CANCELLED}


class Backtests:
    """Owner of the jobs; `run` is the one task that works on them."""

    def __init__(
        self,
        history: History,
        store: Store,
        desk: Desk,
        clock: Clock,
        zone: str,
        settings: BacktestSettings,
        folder: Path,
    ) -> None:
        self._history = history
        self._store = store
        self._desk = desk
        self._clock = clock
        self._zone = zone
        self._settings = settings
        self._folder = folder
        self._jobs: dict[int, Job] = {}
        self._waiting: deque[Job] = deque()
        self._work = asyncio.Event()
        self._processes: Processes | None = None
        self._number = 0

    def ask(self, wish: Wish, actor: str, question: Question | None = None) -> Job:
        """A new job; raises TooMany where too many wait."""
        if len(self._waiting) >= self._settings.waiting:
            raise TooMany(f"{len(self._waiting)} backtests wait already; take one back, or wait", RETRY)
        self._number += 1
        job = Job(self._number, wish, actor, self._clock.now(), question)
        self._jobs[job.id] = job
        self._waiting.append(job)
        self._work.set()
        over = [each.id for each in self._jobs.values() if each.over]
        for old in over[: max(0, len(over) - self._settings.keep)]:
            del self._jobs[old]
        return job

    def jobs(self) -> list[Job]:
        """Newest first."""
        return sorted(self._jobs.values(), key=lambda job: -job.id)

    def job(self, number: int) -> Job:
        if number not in self._jobs:
            raise NotFound(f"no backtest {number}; the newest {self._settings.keep} are kept")
        return self._jobs[number]

    def done(self, number: int) -> Job:
        """Raises Conflict where it has no result."""
        job = self.job(number)
        if job.state != DONE:
            raise Conflict(f"backtest {number} is {job.state}{': ' + job.error if job.error else ''}")
        return job

    def drop(self, number: int) -> Job:
        """Take it back where it waits or runs; forget it where it is over."""
        job = self.job(number)
        if job.over:
            del self._jobs[number]
        elif job.state == WAITING:
            self._waiting.remove(job)
            job.state = CANCELLED
        else:
            job.state = CANCELLED
            if self._processes is not None:
                self._processes.kill()
        return job

    async def run(self) -> None:
        """Work on jobs, one after the other, until cancelled."""
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        while True:
            await self._work.wait()
            self._work.clear()
            while self._waiting:
                await self._do(self._waiting.popleft())

    async def _do(self, job: Job) -> None:
        folder = self._folder / str(job.id)
        job.state = RUNNING
        try:
            await self._judge(job, folder)
            if job.state == RUNNING:
                job.state, job.stage = DONE, ""
        except (CitygateError, RulesError, duckdb.Error, OSError, ValueError) as error:
            if job.state != CANCELLED:
                job.state, job.error = FAILED, str(error)
                log.warning("backtest %d of %s: %s", job.id, job.wish.rule, error)
        finally:
            if self._processes is not None:
                await self._processes.close()
                self._processes = None
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _judge(self, job: Job, folder: Path) -> None:
        wish = job.wish
        job.stage = "reading"
        prepared = await asyncio.to_thread(
            prepare, self._history, wish, self._zone, job.created, self._settings, folder
        )
        if job.state != RUNNING:
            return
        job.stage, job.total = "judging", prepared.rows
        self._processes = Processes(folder, prepared.shares, job.advance)
        said = await self._processes.judge()
        job.stage = "reporting"
        await self._conclude(job, prepared, said)

    async def _conclude(self, job: Job, prepared: Prepared, said: list[Said]) -> None:
        wish, casework = job.wish, self._desk.casework
        until = wish.until if wish.until < job.created else EVER
        found = await self._store.read(partial(judged, rule=wish.rule, t0=wish.since, t1=until))
        found = [one for one in found if (one.family, one.index) in prepared.members]
        mine = [each for each in said if (each.family, each.index) in prepared.members]
        if job.question is not None:
            days = max(round((wish.until - wish.since) / DAY, 1), 0.1)
            job.suggestion = await asyncio.to_thread(
                values.conclude, job.question, mine, found, (wish.since, until), days
            )
            return
        document = wish.versions["new"].document
        template = casework.templates.get(str(document.get("case", "")))
        hours = await self._store.read(partial(handling, template=template))
        old = RECORDED if wish.recorded else "old"

        def compare() -> Report:
            before, after = (occurrences(mine, line, wish.since, until) for line in (old, "new"))
            told = Told(before, after, found, template, hours, prepared.members, casework.clock)
            return report(wish.rule, (wish.since, wish.until), wish.area, job.rows, told)

        job.report = await asyncio.to_thread(compare)
