"""`citygate windows list | add | end` and `citygate folded`: what is suppressed by design, until when, by what and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gateway.cli.context import act, show
from gateway.cli.remote import ask

app = typer.Typer(
    help="Maintenance windows: what is raised inside one is stored, and told only if it stands at the end.",
    no_args_is_help=True,
)
PAGE = 1000
AsJson = Annotated[bool, typer.Option("--json", help="for programs")]


@app.command("list")
def list_windows(
    context: typer.Context,
    state: Annotated[str, typer.Option(help="pending, active or expired; default: all")] = "",
    as_json: AsJson = False,
) -> None:
    """Maintenance windows, the newest first."""
    params = {"state": state} if state else {}
    found = act(context, lambda remote: ask(remote, "GET", "/windows", params=params))["items"]
    if as_json:
        show(found)
        return
    for one in found:
        typer.echo(
            f"{one['id']:>5}  {one['state']:<8} {_moment(one['begins'])} .. {_moment(one['ends'])}"
            f"  {_where(one):<40}  {one['reason']} ({one['author']})"
        )


@app.command("add")
def add(
    context: typer.Context,
    reason: Annotated[str, typer.Argument(help="why")],
    until: Annotated[str, typer.Option(help="when it ends, RFC 3339 with a zone")] = "",
    last: Annotated[str, typer.Option("--for", help="or how long it lasts: 90m, 4h, 2d")] = "",
    begins: Annotated[
        str, typer.Option("--from", help="when it begins, RFC 3339 with a zone; default: now")
    ] = "",
    area: Annotated[str, typer.Option(help="this area and all below it")] = "",
    device: Annotated[str, typer.Option(help="this device and all below it")] = "",
    family: Annotated[str, typer.Option()] = "",
    rule: Annotated[str, typer.Option()] = "",
    alarm: Annotated[str, typer.Option(help="alarm name, as lampFailure")] = "",
) -> None:
    """Open a maintenance window over an area, a device, a family, a rule or an alarm, or what several of them share."""
    where = {"area": area, "device": device, "family": family, "rule": rule, "alarm": alarm}
    given: dict[str, Any] = {"reason": reason, "length": last, **where}
    given |= {name: time for name, time in (("begins", begins), ("ends", until)) if time}
    made = act(context, lambda remote: ask(remote, "POST", "/windows", json=given))
    typer.echo(f"window {made['id']} is {made['state']} until {_moment(made['ends'])}: {_where(made)}")


@app.command("end")
def end(context: typer.Context, number: Annotated[int, typer.Argument(min=1)]) -> None:
    """End a window before its time; what stands in it is told now."""
    ended = act(context, lambda remote: ask(remote, "POST", f"/windows/{number}/end"))
    typer.echo(f"window {ended['id']} ended {_moment(ended['ends'])}")


def folded(
    context: typer.Context,
    by: Annotated[
        str, typer.Argument(help="alarm:<id> or window:<id>; default: everything that is suppressed now")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Alarms that another alarm or a maintenance window speaks for, and which one does."""
    params: dict[str, Any] = {"limit": PAGE} | ({"suppressed_by": by} if by else {"state": "suppressed"})
    found = act(context, lambda remote: ask(remote, "GET", "/alarms", params=params))
    if as_json:
        show(found["items"])
        return
    for one in found["items"]:
        case = f"case {one['case']}" if one["case"] else "no case"
        typer.echo(
            f"{one['id']}  {one['device']:<24} {one['name']:<24} {one['state']:<10} {case:<10}"
            f" {one['suppression']}: {one['suppressed_by']}"
        )
    if found["after"]:
        typer.echo(f"the newest {PAGE}; name an alarm or a window to see the rest", err=True)


def _where(one: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {one[name]}" for name in ("area", "device", "family", "rule", "alarm") if one[name]
    )


def _moment(time: int) -> str:
    return datetime.fromtimestamp(time / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
