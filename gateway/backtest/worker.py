"""A process that judges its share of a backtest, so that live ticks lend it neither their thread nor their memory.

It reads what was set apart in a folder and nothing else, tells how far it is on its standard output, and leaves what was
said in a file.
"""

from __future__ import annotations

import os
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import duckdb
import msgspec
import numpy as np
from msgspec import Struct

from drivers.families import FAMILIES
from drivers.telemetry import Batch
from gateway.history.study import CHUNK, Chunk, Outline, Reader
from rules.backtest import Plan, Said, TooMuchError, Trial
from rules.control import Control

NICE: Final = 10
Log = list[tuple[int, Control]]
Shard = dict[str, tuple[int, int]]  # by family, first and last index


class Task(Struct, frozen=True):
    """members: by family, the indices that are asked for; None: all. now: until when time passes, µs UTC."""

    plan: Plan
    outline: Outline
    zone: str
    now: int
    members: dict[str, list[int]] | None
    memory_mb: int
    chunk: int = CHUNK


class Told(Struct, frozen=True):
    """A line of standard output. rows: judged so far. error: why it goes no further."""

    rows: int
    error: str = ""


def judge(task: Task, log: Log, shards: Sequence[Shard], tell: Callable[[int], None]) -> list[Said]:
    """What was said of these devices, by time in each shard. Raises TooMuchError, duckdb.Error."""
    said: list[Said] = []
    done = 0
    for shard in shards:
        trial = Trial(
            task.plan,
            FAMILIES,
            task.zone,
            (each for _, each in log),
            None if task.plan.cross else _devices(shard, task.members),
        )
        mine = [each for each in log if each[0] <= task.outline.until and trial.relevant(each[1])]
        reader = Reader(
            task.outline,
            trial.families,
            shard,
            memory_mb=task.memory_mb,
            by_receipt=task.plan.cross,
            chunk=task.chunk,
        )
        place = 0
        for chunk in reader.chunks():
            until = bisect_right(mine, chunk.until, key=lambda each: each[0])
            _judge_chunk(trial, chunk, mine[place:until])
            place = until
            done += sum(map(len, chunk.batches))
            tell(done)
        for _, each in mine[place:]:
            trial.control(each)
        said += trial.finish(task.now)
    return said


def _devices(shard: Shard, members: dict[str, list[int]] | None) -> dict[str, frozenset[int]]:
    return {
        family: frozenset(range(first, last + 1))
        if members is None
        else frozenset(each for each in members.get(family, ()) if first <= each <= last)
        for family, (first, last) in shard.items()
    }


def _judge_chunk(trial: Trial, chunk: Chunk, log: Log) -> None:
    """The rows before the first control row, that row, those up to the next…"""
    take = trial.judge_by_minutes if trial.plan.cross else trial.judge
    if not log:
        take(chunk.batches)
        return
    edges = np.unique(np.array([tick for tick, _ in log]))
    cut = [_cut(batch, tick, edges) for batch, tick in zip(chunk.batches, chunk.ticks, strict=True)]
    place = 0
    for piece in range(len(edges) + 1):
        take([pieces[piece] for pieces in cut])
        while piece < len(edges) and place < len(log) and log[place][0] == edges[piece]:
            trial.control(log[place][1])
            place += 1


def _cut(batch: Batch, tick: Any, edges: Any) -> list[Batch]:
    """One batch a piece; a piece begins with the rows of its edge's own tick."""
    piece = np.searchsorted(edges, tick, side="right")
    order = np.argsort(piece, kind="stable")
    ends = np.searchsorted(piece[order], np.arange(len(edges) + 1), side="right").tolist()
    return [batch.take(order[a:b]) for a, b in zip([0, *ends], ends, strict=False)]


def encode(log: Iterable[tuple[int, Control]]) -> bytes:
    return msgspec.json.encode(list(log))


def main(folder: Path, number: str) -> int:
    with suppress(OSError, AttributeError):
        os.nice(NICE)
    task = msgspec.json.decode((folder / "task.json").read_bytes(), type=Task)
    log = msgspec.json.decode((folder / "log.json").read_bytes(), type=Log)
    shards = msgspec.json.decode((folder / f"shards-{number}.json").read_bytes(), type=list[Shard])
    try:
        said = judge(task, log, shards, lambda rows: _tell(Told(rows)))
    except (TooMuchError, duckdb.Error, OSError, MemoryError) as error:
        _tell(Told(0, str(error) or type(error).__name__))
        return 1
    (folder / f"said-{number}.json").write_bytes(msgspec.json.encode(said))
    return 0


def _tell(told: Told) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
