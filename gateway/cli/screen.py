"""The demo's live summary: a table where there is a terminal, a line now and then where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self
from zoneinfo import ZoneInfo

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

QUIET = 10  # rounds between two lines without a terminal


class Screen:
    def __init__(self, zone: str, where: str) -> None:
        self._zone = ZoneInfo(zone)
        self._where = where
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=4) if self._console.is_terminal else None
        self._round = 0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(
        self,
        now: int,
        counts: Mapping[str, Any],
        cases: list[dict[str, Any]],
        stored: int,
        refused: int,
        transports: Mapping[str, int],
    ) -> None:
        """now: city time, µs UTC. cases: the newest ones. transports: readings by transport."""
        clock = datetime.fromtimestamp(now / 1e6, tz=UTC).astimezone(self._zone)
        head = f"citygate demo   city time {clock:%Y-%m-%d %H:%M}   {self._where}"
        if self._live is not None:
            totals = Text(f"{stored:,} readings stored, {refused:,} refused and in quarantine")
            self._live.update(
                Group(
                    Text(head, style="bold"),
                    totals,
                    _spoken(transports),
                    _families(counts),
                    _newest(cases, self._zone),
                )
            )
            return
        self._round += 1
        if self._round % QUIET == 1:
            standing = sum(
                n for states in counts["alarms"].values() for state, n in states.items() if state != "cleared"
            )
            open_cases = sum(
                n for states in counts["cases"].values() for state, n in states.items() if state != "closed"
            )
            self._console.print(
                f"{head}: {stored} stored, {refused} refused, {standing} alarms, {open_cases} open cases"
            )


def _spoken(transports: Mapping[str, int]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("transport")
    table.add_column("readings", justify="right")
    for name, readings in transports.items():
        table.add_row(name, f"{readings:,}")
    return table


def _families(counts: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("family", "devices", "alarms standing", "cleared", "cases open", "closed"):
        table.add_column(name, justify="left" if name == "family" else "right")
    for family, devices in sorted(counts["devices"].items()):
        alarms, cases = counts["alarms"].get(family, {}), counts["cases"].get(family, {})
        cleared, closed = alarms.get("cleared", 0), cases.get("closed", 0)
        numbers = (devices, sum(alarms.values()) - cleared, cleared, sum(cases.values()) - closed, closed)
        table.add_row(family, *(str(number) for number in numbers))
    return table


def _newest(cases: list[dict[str, Any]], zone: ZoneInfo) -> Table:
    table = Table(box=None, pad_edge=False, title="newest cases", title_justify="left")
    for name in ("filed", "case", "device", "area", "state", "crew", "deadline"):
        table.add_column(name)
    for case in cases:
        table.add_row(
            _clock(case["filed"], zone),
            f"{case['en']} · {case['zh']}",
            case["device"],
            case["area"],
            case["state"],
            case["crew"],
            _clock(case["deadline"], zone),
        )
    return table


def _clock(time: int | None, zone: ZoneInfo) -> str:
    if time is None:
        return ""
    return f"{datetime.fromtimestamp(time / 1e6, tz=UTC).astimezone(zone):%m-%d %H:%M}"
