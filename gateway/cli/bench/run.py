"""The whole benchmark, in order: first what one process does, then what is seen from outside. Reports, never fails."""

from __future__ import annotations

import logging
from pathlib import Path

from rich.console import Console

from gateway.cli.bench import loads, report
from gateway.cli.bench.backtest import backtests
from gateway.cli.bench.bare import Size
from gateway.cli.bench.day import days
from gateway.cli.bench.figure import Figure
from gateway.cli.bench.hj212 import hj212
from gateway.cli.bench.link import links
from gateway.cli.bench.million import million
from gateway.cli.bench.modbus import modbus
from gateway.cli.bench.month import month
from gateway.cli.bench.restart import restarts
from gateway.cli.bench.rules import rules
from gateway.cli.bench.single import receiving, ten_rules
from gateway.cli.bench.stages import stages
from gateway.cli.bench.whole import whole

FULL = Size()


async def bench(seconds: float, *, stages_only: bool, json: Path | None = None, size: Size = FULL) -> None:
    """seconds: real, of each load. json: a file for the same figures."""
    logging.basicConfig(level=logging.WARNING)
    console, where = Console(width=None if Console().is_terminal else 160), report.machine()
    console.print(report.described(where))
    groups = {"stages": await _stages(size)}
    report.show(console, f"a message of five points, {size.devices:,} messages a tick", groups["stages"])
    groups["restart"], groups["loads"], groups["field"], groups["history"] = [], [], [], []
    if not stages_only:
        groups["restart"] = [*await restarts(), *await million()]
        report.show(console, "from the start of the process; 10,000 devices, or a million", groups["restart"])
        groups["history"] = [*await backtests(), *await days(seconds)]
        report.show(console, "history: a rule judged anew, a day asked for, a row kept", groups["history"])
        groups["drill"] = await month()
        report.show(console, "a city in virtual time, times real time", groups["drill"])
        groups["loads"] = await _loads(seconds)
        report.show(console, "end to end, QoS 1, ack after commit, whole readings", groups["loads"])
        groups["link"] = await links()
        report.show(console, "through a broker, QoS 1, ack after commit", groups["link"])
        groups["field"] = [*await modbus(seconds), *await hj212(seconds)]
        report.show(console, "field protocols, through the whole gateway", groups["field"])
    if json is not None:
        _save(json, report.encode(where, seconds, groups))


def _save(file: Path, data: bytes) -> None:
    file.write_bytes(data)


async def _stages(size: Size) -> list[Figure]:
    quiet = Console(stderr=True)
    with quiet.status("stages") as status:
        found = await stages(size)
        status.update("the running pipeline")
        found += await whole(size)
        status.update("other loads of a stage")
        found += [*await receiving(size), ten_rules(size)]
        status.update("rules")
        found += rules(size)
    return found


async def _loads(seconds: float) -> list[Figure]:
    quiet = Console(stderr=True)
    found: list[Figure] = []
    with quiet.status("loads") as status:
        for load in loads.LOADS:
            status.update(load.name)
            found += await loads.measure(load, seconds)
    return found
