"""What was measured, for people as a table and for programs as JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from typing import Any

import duckdb
import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from gateway.cli.bench.figure import Figure

NOISY = 0.25  # processes a core that ran before the first measurement; above it the figures are marked


def machine() -> dict[str, Any]:
    """Where it was measured. load: processes that ran or waited in the last minute, before the first measurement."""
    return {
        "cores": os.cpu_count() or 0,
        "machine": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "duckdb": duckdb.__version__,
        "load": os.getloadavg()[0],
    }


def described(where: dict[str, Any]) -> str:
    said = (
        f"{where['cores']} cores, {where['system']} {where['machine']}, Python {where['python']}, "
        f"numpy {where['numpy']}, DuckDB {where['duckdb']}"
    )
    if where["load"] > NOISY * where["cores"]:
        said += f"; others used the machine (load {where['load']:.1f}): the figures are noisy"
    return said


def show(console: Console, title: str, figures: Sequence[Figure]) -> None:
    console.print(table(title, figures))


def table(title: str, figures: Sequence[Figure]) -> Table:
    """One line a figure. The spread is that of the repetitions, where there were some."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False)
    made.add_column("")
    for name in ("median", "spread", "budget", "distance"):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("", style="dim")
    for one in figures:
        if one.error:
            made.add_row(one.name, "failed", "", _budget(one), "", one.error)
        else:
            value = _number(one.value, one.unit)
            made.add_row(one.name, value, _spread(one), _budget(one), _distance(one), one.note)
    return made


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    digits = 2 if unit in {"µs", "x", "bytes"} else 1 if unit in {"ms", "s"} else 0
    return f"{value:,.{digits}f} {unit}"


def _spread(figure: Figure) -> str:
    if figure.low is None or figure.high is None or figure.low == figure.high:
        return ""
    return f"{figure.low:.2f} to {figure.high:.2f}"


def _budget(figure: Figure) -> str:
    if figure.budget is None:
        return ""
    return f"{'≥' if figure.least else '≤'} {figure.budget:,g}"


def _distance(figure: Figure) -> str:
    away = figure.distance
    if away is None:
        return ""
    return f"[{'red' if away > 0 else 'green'}]{figure.verdict}[/]"


def encode(where: dict[str, Any], seconds: float, groups: dict[str, list[Figure]]) -> bytes:
    """The report as JSON; each figure with its distance."""
    document = {
        "machine": where,
        "seconds": seconds,
        **{
            name: [{**msgspec.structs.asdict(one), "distance": one.distance} for one in figures]
            for name, figures in groups.items()
        },
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
