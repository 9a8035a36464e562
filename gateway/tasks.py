"""The task supervisor: every task has a name and an owner; a failure stops the whole, never only a part of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

log = logging.getLogger(__name__)


class Tasks:
    """Named tasks, stopped in the reverse order of their start.

    `failed` resolves with the first error of any task; the owner then stops everything. Leaving the block cancels and
    awaits what still runs, newest first.
    """

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self.failed: asyncio.Future[BaseException] | None = None

    async def __aenter__(self) -> Self:
        self.failed = asyncio.get_running_loop().create_future()
        return self

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)  # noqa: TID251 - this is the supervisor
        self._tasks.append(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.remove(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and self.failed is not None and not self.failed.done():
            log.error("task %s failed", task.get_name(), exc_info=error)
            self.failed.set_result(error)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._tasks:
            task = self._tasks[-1]
            task.cancel()
            await asyncio.wait([task])
            await asyncio.sleep(0)  # noqa: TID251 - lets the done callback run
