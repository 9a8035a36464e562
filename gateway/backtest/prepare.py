"""From a wish to a task: which versions are tried, which rows are set apart for them, and who judges which devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from drivers.families import FAMILIES
from drivers.telemetry import DAY
from gateway.backtest import worker
from gateway.backtest.settings import BacktestSettings
from gateway.backtest.work import Members
from gateway.backtest.worker import Log, Shard, Task
from gateway.history import study
from gateway.history.duck import History
from gateway.history.source import EVER
from gateway.history.study import Outline
from rules import backtest
from rules.backtest import Plan, Version
from rules.control import DeviceRow, Devices, Parameter, Rules

CHUNK: Final = 750_000  # rows a process reads at once: it has two of them, and what the engine makes of one
WORTH: Final = 2_000_000  # rows from which on a second process is worth its start


class Wish(Struct, frozen=True):
    """What is to be judged: versions by line, over since ≤ time < until (µs UTC), of an area and all below it or of all.

    recorded: the log's own versions, too. An `until` that is not over means all there is, clocks that are ahead included.
    """

    rule: str
    versions: dict[str, Version]
    since: int
    until: int
    area: str
    recorded: bool


class Prepared(Struct, frozen=True):
    """shares: how many processes are to be started. rows: they will judge together, about."""

    plan: Plan
    members: dict[tuple[str, int], DeviceRow]
    shares: int
    rows: int


def prepare(
    history: History, wish: Wish, zone: str, now: int, settings: BacktestSettings, folder: Path
) -> Prepared:
    """Write all that the processes need into the folder. Raises RulesError, duckdb.Error, OSError."""
    folder.mkdir(parents=True)
    with study.moment(history) as con:
        plan = backtest.plan(wish.rule, wish.versions, study.rules(con), FAMILIES, recorded=wish.recorded)
        log = study.controls(con, None if plan.cross else plan.points)
        span = (wish.since - plan.lookback, wish.until if wish.until < now else EVER)
        outline = study.set_apart(con, history, plan.points, span, folder)
    members = _members(log)
    chosen = _within(members, wish.area)
    shards = _shards(plan, chosen if chosen is not None and not plan.cross else members, outline, settings)
    task = Task(
        plan,
        outline,
        zone,
        min(wish.until + DAY, now),
        None if plan.cross or chosen is None else _indices(chosen),
        settings.memory_mb,
        CHUNK,
    )
    (folder / "task.json").write_bytes(msgspec.json.encode(task))
    (folder / "log.json").write_bytes(worker.encode(_slim(log, plan)))
    shares = [shards[n :: settings.processes] for n in range(settings.processes)]
    shares = [share for share in shares if share] or [[]]
    for number, share in enumerate(shares):
        (folder / f"shards-{number}.json").write_bytes(msgspec.json.encode(share))
    return Prepared(plan, chosen or members, len(shares), _rows(outline, shards))


def _members(log: Log) -> dict[tuple[str, int], DeviceRow]:
    """Every device as the log has it last."""
    return {
        (each.family, row.index): row for _, each in log if isinstance(each, Devices) for row in each.rows
    }


def _within(members: Members, area: str) -> dict[tuple[str, int], DeviceRow] | None:
    if not area:
        return None
    return {key: row for key, row in members.items() if f"{row.area}/".startswith(f"{area.rstrip('/')}/")}


def _indices(members: Members) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for family, index in sorted(members):
        found.setdefault(family, []).append(index)
    return found


def _slim(log: Log, plan: Plan) -> Log:
    """Without rule sets that say nothing new of the rules that are judged."""
    kept: Log = []
    before: Sequence[Mapping[str, Any]] | None = None
    for tick, each in log:
        if isinstance(each, Rules):
            mine = [one for one in each.rules if one["id"] in plan.recorded]
            if mine == before or not plan.recorded:
                continue
            before = mine
            kept.append((tick, Rules(mine)))
        elif not isinstance(each, Parameter) or each.rule in plan.recorded:
            kept.append((tick, each))
    return kept


def _shards(plan: Plan, members: Members, outline: Outline, settings: BacktestSettings) -> list[Shard]:
    """Ranges of devices: few enough that a day of one fits a chunk, so many that every process has its share."""
    indices = {family: mine for family, mine in _indices(members).items() if family in plan.points}
    if not indices:
        return []
    if plan.cross:
        return [{family: (mine[0], mine[-1]) for family, mine in indices.items()}]
    rows = sum(each.rows for each in outline.sources)
    days = max((outline.t1 - max(outline.t0, 0)) // DAY, 1)
    days = min(days, len({(each.family, each.day) for each in outline.sources}) or 1)
    pieces = max(-(-rows // (days * CHUNK)), settings.processes if rows > WORTH else 1)
    pieces = min(pieces, max(map(len, indices.values())))
    shards: list[Shard] = [{} for _ in range(pieces)]
    for family, mine in indices.items():
        cuts = [len(mine) * n // pieces for n in range(pieces + 1)]
        for shard, begin, end in zip(shards, cuts, cuts[1:], strict=False):
            if begin < end:
                shard[family] = (mine[begin], mine[end - 1])
    return [shard for shard in shards if shard]


def _rows(outline: Outline, shards: Sequence[Shard]) -> int:
    total = 0.0
    for source in outline.sources:
        width = source.last_device - source.first_device + 1
        for shard in shards:
            first, last = shard.get(source.family, (0, -1))
            both = min(last, source.last_device) - max(first, source.first_device) + 1
            total += source.rows * max(0, both) / width
    return round(total)
