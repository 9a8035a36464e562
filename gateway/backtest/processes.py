"""The processes of one backtest: started, followed by what they tell, ended with it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path

import msgspec

from gateway.backtest.worker import Told
from gateway.errors import CitygateError
from rules.backtest import Said


class JobError(CitygateError):
    """A backtest that cannot go on; the text is for whoever asked for it."""


class Processes:
    """Of one folder, one a share. progress: is told the rows that all of them have judged."""

    def __init__(self, folder: Path, shares: int, progress: Callable[[int], None]) -> None:
        self._folder = folder
        self._shares = shares
        self._progress = progress
        self._rows = [0] * shares
        self._running: list[Process] = []
        self.killed = False

    async def judge(self) -> list[Said]:
        """What was said, by time. Raises JobError; also where they were killed."""
        if self.killed:
            raise JobError("taken back")
        for number in range(self._shares):
            words = [sys.executable, "-m", "gateway.backtest.worker", str(self._folder), str(number)]
            self._running.append(await asyncio.create_subprocess_exec(*words, stdout=PIPE))
        errors = await asyncio.gather(*(self._follow(number) for number in range(self._shares)))
        if error := next(filter(None, errors), ""):
            raise JobError(error)
        return await asyncio.to_thread(self._gathered)

    async def _follow(self, number: int) -> str:
        """Why it failed; "" where it did not. The others then end, too."""
        process, error = self._running[number], ""
        assert process.stdout is not None
        async for line in process.stdout:
            told = msgspec.json.decode(line, type=Told)
            if told.error:
                error = told.error
            else:
                self._rows[number] = told.rows
                self._progress(sum(self._rows))
        if not await process.wait():
            return ""
        self.kill()
        return error or f"a process ended with {process.returncode}; the gateway's log says more"

    def kill(self) -> None:
        """At once; whoever waits for the judgement gets a JobError."""
        self.killed = True
        for process in self._running:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()

    async def close(self) -> None:
        """None of them is left."""
        self.kill()
        for process in self._running:
            await process.wait()

    def _gathered(self) -> list[Said]:
        said: list[Said] = []
        for number in range(self._shares):
            data = (self._folder / f"said-{number}.json").read_bytes()
            said += msgspec.json.decode(data, type=list[Said])
        return sorted(said, key=lambda each: (each.time, each.family, each.index, each.line, each.received))
