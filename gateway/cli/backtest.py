"""`citygate rules backtest` and `rules suggest`: what a change would have done to the city's own history, and a better value."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import httpx
import typer
from rich.console import Console
from rich.status import Status

from drivers.telemetry import DAY, SECOND
from gateway.cli.context import act, read
from gateway.cli.remote import RefusalError, ask, refusal
from gateway.cli.tuning import document_of
from gateway.clock import CityClock

PAUSE: Final = 0.5  # real seconds between two looks at a job
MOST_DAYS: Final = 14  # lines of the table

Set = Annotated[list[str] | None, typer.Option("--set", help="parameter=value, as `rules set` takes it")]
From = Annotated[str, typer.Option("--from", help="2026-10-01, or with a time: 2026-10-01T08:00")]
To = Annotated[str, typer.Option("--to", help="the same; now where it is not given")]
Area = Annotated[str, typer.Option("--area", help="this path and all below it")]
Scope = Annotated[
    str, typer.Option("--scope", help="whose value it is: area:…, product:…, device:…; or the city's")
]
File = Annotated[Path | None, typer.Option(help="write it to this file")]


def backtest(
    context: typer.Context,
    rule: str,
    since: From,
    to: To = "",
    set_: Set = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="TOML with the rule as it would be; - reads from stdin")
    ] = None,
    version: Annotated[
        int | None, typer.Option("--version", min=1, help="a draft, or an earlier one, as it would be")
    ] = None,
    scope: Scope = "",
    area: Area = "",
    against: Annotated[
        str, typer.Option(help="recorded: what was said; current: the rule as it is now")
    ] = "recorded",
    json_: Annotated[Path | None, typer.Option("--json", help="write the report to this file")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="write alarms and cases by day and area")] = None,
    changes: Annotated[
        Path | None, typer.Option("--changes", help="write what was added, removed, shifted (CSV)")
    ] = None,
    svg: Annotated[Path | None, typer.Option("--svg", help="write the plot")] = None,
) -> None:
    """Judge a rule as it would be, by --set, --file or --version, over recorded history beside what it said. Nothing is put

    in force.
    """
    if file is not None and version is not None:
        raise typer.BadParameter("give --file or --version, not both")
    wish = _span(context, since, to, area) | {"set": _values(set_ or []), "scope": scope, "against": against}
    if file is not None:
        wish["document"] = document_of(file, rule)
    if version is not None:
        wish["version"] = version
    files = {"days.csv": csv, "changes.csv": changes, "plot.svg": svg}
    job = act(context, lambda remote: _done(remote, f"/rules/{rule}/backtest", wish, files))
    if json_ is not None:
        json_.write_text(json.dumps(job["report"], ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    typer.echo(shown(job["report"]))
    typer.echo(
        f"backtest {job['id']}: --backtest {job['id']} of `rules set` and `rules publish` keeps it with the change"
    )


def suggest(
    context: typer.Context,
    rule: str,
    since: From = "",
    to: To = "",
    parameter: Annotated[
        str, typer.Option(help="which one; the only one, or `limit`, where it is not given")
    ] = "",
    area: Area = "",
    svg: File = None,
) -> None:
    """Propose a value from history and the crews' verdicts, and say why; or that there is too little data."""
    wish = _span(context, since, to, area) | {"parameter": parameter}
    job = act(context, lambda remote: _done(remote, f"/rules/{rule}/suggest", wish, {"plot.svg": svg}))
    typer.echo(proposed(job["suggestion"]))


def shown(report: dict[str, Any]) -> str:
    """The report for people."""
    old, new = report["old"], report["new"]
    lines = [
        f"{report['rule']}: {report['rows']:,} readings judged",
        f"{'':<22}{'old':>10}{'new':>10}",
        *(f"{name:<22}{old[key]:>10,}{new[key]:>10,}" for name, key in _COUNTS),
        f"{'crew hours':<22}{old['hours']:>10,.1f}{new['hours']:>10,.1f}",
        f"{'precision':<22}{_share(old['precision']):>10}{_share(new['precision']):>10}",
        ", ".join(f"{name} {report[name]:,}" for name in ("added", "removed", "shifted", "same")),
        f"no longer raised: {report['lost_real']:,} that crews found real, {report['spared_false']:,} found false",
        _basis(report["handling"]),
    ]
    days: dict[str, list[int]] = {}
    for row in report["by_day"]:
        counts = days.setdefault(row["day"], [0, 0])
        counts[0] += row["old_alarms"]
        counts[1] += row["new_alarms"]
    lines += [f"  {day}  {counts[0]:>8,}{counts[1]:>10,}" for day, counts in list(days.items())[-MOST_DAYS:]]
    return "\n".join(lines)


_COUNTS: Final = (
    ("alarms", "alarms"),
    ("of them standing", "standing"),
    ("cases", "cases"),
    ("cases come back", "reopened"),
    ("limits on one day", "busiest"),
)


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0%}"


def _basis(handling: dict[str, Any]) -> str:
    if not handling["hours"]:
        return "this rule files no cases"
    if handling["cases"]:
        return f"{handling['hours']:.1f} crew hours a case, the mean of {handling['cases']:,} cases"
    return f"{handling['hours']:.1f} crew hours a case: the limit itself, since no case was handled yet"


def proposed(found: dict[str, Any]) -> str:
    """The suggestion, in both languages, and what was tried."""
    lines = [found["en"], found["zh"], f"{found['parameter']:>12}{'alarms':>10}{'real':>8}{'false':>8}"]
    lines += [
        f"{each['value']:>12g}{each['alarms']:>10,}{each['real']:>8,}{each['false_alarm']:>8,}"
        for each in found["tried"]
    ]
    return "\n".join([*lines, *found["limits_en"], *found["limits_zh"]])


def _values(given: list[str]) -> dict[str, str]:
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise typer.BadParameter(f"{each!r}: expected parameter=value, as limit=120")
        found[name.strip()] = value.strip()
    return found


def _span(context: typer.Context, since: str, to: str, area: str) -> dict[str, Any]:
    """Times without a zone are the city's. Without a beginning, the last 30 days."""
    zone = ZoneInfo(read(context).zone)
    wish: dict[str, Any] = {"area": area}
    if to:
        wish["until"] = _moment(to, zone)
    begin = _moment(since, zone) if since else wish.get("until", CityClock().now()) - 30 * DAY
    return wish | {"since": begin}


def _moment(text: str, zone: ZoneInfo) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r}: expected a day as 2026-10-01, or a time as 2026-10-01T08:00"
        ) from None
    return round((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp()) * SECOND


async def _done(
    remote: httpx.AsyncClient, path: str, wish: dict[str, Any], files: dict[str, Path | None]
) -> Any:
    """Ask, wait, fetch. Interrupted, it takes the job back."""
    job = await ask(remote, "POST", path, json=wish)
    place = f"/backtests/{job['id']}"
    try:
        job = await _finished(remote, place)
    except (asyncio.CancelledError, KeyboardInterrupt):
        await ask(remote, "DELETE", place)
        raise
    if job["state"] != "done":
        raise RefusalError(f"{job['state']}: {job['error'] or 'taken back'}")
    for name, file in files.items():
        if file is not None:
            answer = await remote.get(f"{place}/{name}")
            if not answer.is_success:
                raise refusal(answer)
            file.write_bytes(answer.content)
    return job


async def _finished(remote: httpx.AsyncClient, place: str) -> Any:
    clock = CityClock()
    with Console(stderr=True).status("waiting") as status:
        while True:
            job = await ask(remote, "GET", place)
            if job["state"] not in {"waiting", "running"}:
                return job
            _tell(status, job)
            await clock.sleep(PAUSE)


def _tell(status: Status, job: dict[str, Any]) -> None:
    share = f" {job['rows'] / job['total']:.0%}" if job["total"] else ""
    status.update(f"{job['stage'] or job['state']}{share}")
