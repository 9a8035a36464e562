"""A configuration that changes while the gateway runs: all of it is checked first; what cannot change live is named.

A file with any fault changes nothing. A part that cannot take its new settings goes back to those it had.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from msgspec import Struct
from pydantic import BaseModel

from gateway.errors import ConfigError

log = logging.getLogger(__name__)

Settings = TypeVar("Settings", bound=BaseModel)
Model = TypeVar("Model", bound=BaseModel)


class Report(Struct, frozen=True):
    """Keys by what became of them. failed: one line a fault of a part that could not take its new settings."""

    applied: list[str]
    restart: list[str]
    failed: list[str]

    def lines(self) -> list[str]:
        """For people."""
        told = [f"applied: {key}" for key in self.applied]
        told += [f"needs a restart: {key}" for key in self.restart]
        told += [f"kept as it was: {fault}" for fault in self.failed]
        return told or ["nothing has changed"]


def always(_before: object, _after: object) -> bool:
    return True


class Part(NamedTuple, Generic[Settings]):
    """What takes settings live. keys: dotted, each with all below it. may: whether it can this once."""

    keys: tuple[str, ...]
    apply: Callable[[Settings], Awaitable[None]]
    may: Callable[[Settings, Settings], bool] = always


class Reload(Generic[Settings]):
    """`read` gives the whole configuration or raises ConfigError with every fault; `told` is told of each report."""

    def __init__(
        self,
        running: Settings,
        read: Callable[[], Settings],
        parts: Sequence[Part[Settings]],
        told: Callable[[Report], Awaitable[None]],
    ) -> None:
        self.running = running
        self._read = read
        self._parts: Final = parts
        self._told = told
        self._turn = asyncio.Lock()

    async def reload(self) -> Report:
        """Raises ConfigError with every fault; then nothing has changed."""
        async with self._turn:
            wanted = await asyncio.to_thread(self._read)
            left = set(changed(self.running, wanted))
            applied: list[str] = []
            failed: list[str] = []
            for part in self._parts:
                keys = {key for key in left if _below(key, part.keys)}
                if not keys or not part.may(self.running, wanted):
                    continue
                left -= keys
                faults = await self._apply(part, merged(self.running, wanted, keys))
                failed += faults
                applied += [] if faults else sorted(keys)
            report = Report(applied, sorted(left), failed)
            for line in report.lines():
                log.info("configuration: %s", line)
            await self._told(report)
            return report

    async def _apply(self, part: Part[Settings], settings: Settings) -> list[str]:
        """Faults; the part has its old settings then."""
        try:
            await part.apply(settings)
        except ConfigError as error:
            await part.apply(self.running)
            return error.faults
        self.running = settings
        return []


def changed(before: BaseModel, after: BaseModel, above: str = "") -> Iterator[str]:
    """Dotted keys of the values that differ; a list of tables is one value."""
    for name in type(before).model_fields:
        old, new = getattr(before, name), getattr(after, name)
        if isinstance(old, BaseModel) and isinstance(new, BaseModel):
            yield from changed(old, new, f"{above}{name}.")
        elif old != new:
            yield f"{above}{name}"


def merged(before: Model, after: Model, keys: set[str], above: str = "") -> Model:
    """`before` with these keys as they are in `after`."""
    update: dict[str, object] = {}
    for name in type(before).model_fields:
        old, new, key = getattr(before, name), getattr(after, name), f"{above}{name}"
        if isinstance(old, BaseModel) and isinstance(new, BaseModel):
            update[name] = merged(old, new, keys, f"{key}.")
        elif key in keys:
            update[name] = new
    return before.model_copy(
        update={name: value for name, value in update.items() if value is not getattr(before, name)}
    )


def _below(key: str, tops: Sequence[str]) -> bool:
    return any(key == top or key.startswith(f"{top}.") for top in tops)
