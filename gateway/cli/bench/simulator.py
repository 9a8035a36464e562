"""A simulator in a process of its own: it says in one line that it is there, works until its input closes, and may report."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from gateway.cli.bench.service import end, last_words
from gateway.errors import LinkError

PATIENCE: Final = 60.0  # real seconds until its first line, and for its last


class Simulator:
    """first: the line it began with."""

    def __init__(self, process: Process, first: str) -> None:
        self.pid = process.pid
        self.first = first
        self._process = process

    async def finish(self) -> str:
        """Close its input; its last line, "" where it says none. Raises LinkError where it does not end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return await _line(self._process)


@asynccontextmanager
async def simulating(folder: Path, module: str, *words: object) -> AsyncIterator[Simulator]:
    """`python -m module words…`; gone after the block. Raises LinkError where it does not come up."""
    errors = folder / f"{module}.errors"
    with errors.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *map(str, words)), stdin=PIPE, stdout=PIPE, stderr=file
        )
    try:
        first = await _line(process)
        if not first:
            raise LinkError(f"{module} did not start: {last_words(errors)}")
        yield Simulator(process, first)
    finally:
        await end(process)


async def _line(process: Process) -> str:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            return (await process.stdout.readline()).decode().strip()
    except TimeoutError:
        raise LinkError(f"a simulator said nothing for {PATIENCE:g} s") from None
