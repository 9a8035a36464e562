"""`citygate alarms list | show | performance`: what stands and what stood, one alarm with all that happened to it, and the load."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer

from gateway.cli import performance
from gateway.cli.context import act, show
from gateway.cli.remote import ask
from rules.explain_words import Language

app = typer.Typer(help="Alarms.", no_args_is_help=True)
app.command("performance")(performance.performance)
Lang = Annotated[Language, typer.Option("--lang", help="en or zh")]
AsJson = Annotated[bool, typer.Option("--json", help="for programs")]


@app.command("list")
def list_alarms(
    context: typer.Context,
    state: Annotated[
        list[str] | None,
        typer.Option(help="active, acknowledged, suppressed, shelved, cleared; may be repeated"),
    ] = None,
    family: Annotated[str, typer.Option()] = "",
    area: Annotated[str, typer.Option(help="area path, with all below it")] = "",
    device: Annotated[str, typer.Option(help="device id")] = "",
    case: Annotated[int | None, typer.Option(min=1, help="the case they are in")] = None,
    since: Annotated[str, typer.Option(help="raised since then, RFC 3339")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    after: Annotated[str, typer.Option(help="go on where the last page ended")] = "",
    lang: Lang = "en",
    as_json: AsJson = False,
) -> None:
    """Alarms with their ids, newest first, and why each was raised."""
    given = {"state": state, "family": family, "area": area, "device": device, "case": case, "since": since}
    asked = {name: value for name, value in (given | {"after": after}).items() if value}
    asked |= {"limit": limit, "lang": lang}
    found = act(context, lambda remote: ask(remote, "GET", "/alarms", params=asked))
    if as_json:
        show(found)
        return
    for one in found["items"]:
        typer.echo(line(one))
    if found["after"]:
        typer.echo(f"more: --after {found['after']}", err=True)


@app.command("show")
def show_alarm(
    context: typer.Context,
    alarm: Annotated[str, typer.Argument(help="its id, as `alarms list` tells it")],
    as_json: AsJson = False,
) -> None:
    """One alarm and all that happened to it; `rules explain` says why it was raised."""
    found = act(context, lambda remote: ask(remote, "GET", f"/alarms/{quote(alarm, safe='')}"))
    if as_json:
        show(found)
        return
    typer.echo(line(found["alarm"]))
    for entry in found["timeline"]:
        note = f": {entry['note']}" if entry["note"] else ""
        typer.echo(
            f"  {_moment(entry['time'])}  {entry['event']:<12} {entry['state']:<12} {entry['actor']}{note}"
        )


def line(one: dict[str, Any]) -> str:
    """An alarm for people, beginning with the id that the other commands take."""
    held = f" ({one['suppression']}: {one['suppressed_by']})" if one["suppressed_by"] else ""
    case = f"case {one['case']}" if one["case"] else "no case"
    said = f"  {one['text']}" if one["text"] else ""
    return (
        f"{one['id']}  {_moment(one['raised'])}  {one['severity']:<8} {one['state']:<12} {one['device']:<20} "
        f"{one['name']:<24} {one['rule']} v{one['version']}, {case}{held}{said}"
    )


def _moment(time: int) -> str:
    return datetime.fromtimestamp(time / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
