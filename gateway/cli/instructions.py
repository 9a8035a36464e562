"""`citygate command`: tell devices, agree, look on, and stop all downlink."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gateway.cli.context import act, show
from gateway.cli.remote import ask

app = typer.Typer(help="Commands to devices: lamps, cabinets, sprays.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="of the instruction")]
Token = Annotated[
    str, typer.Option(help="act as the owner of this token, not as local", envvar="CITYGATE_TOKEN")
]


@app.command("send")
def send(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="dim, switch, contactor, spray, reportInterval, restart …")],
    args: Annotated[list[str] | None, typer.Argument(help="argument=value …")] = None,
    device: Annotated[list[str] | None, typer.Option(help="a device; may be said again")] = None,
    cabinet: Annotated[str, typer.Option(help="all that hang on this cabinet")] = "",
    road: Annotated[str, typer.Option(help="all of this road")] = "",
    area: Annotated[str, typer.Option(help="all of this area path and below it")] = "",
    family: Annotated[str, typer.Option(help="where several know the command")] = "",
    lifetime: Annotated[float | None, typer.Option(help="seconds until it must have left")] = None,
    note: Annotated[str, typer.Option(help="what for")] = "",
    key: Annotated[str | None, typer.Option(help="asking twice with one key is asking once")] = None,
    token: Token = "",
) -> None:
    """Tell one device or many, in stages; says whether a second person must agree, and why."""
    asked = {
        "name": name,
        "args": dict(_argument(word) for word in args or []),
        "devices": device or [],
        "cabinet": cabinet,
        "road": road,
        "area": area,
        "family": family,
        "lifetime": lifetime,
        "note": note,
        "key": key,
    }
    _tell(act(context, lambda remote: ask(remote, "POST", "/commands", json=asked, headers=_as(token))))


@app.command("approve")
def approve(
    context: typer.Context,
    id: Id,  # noqa: A002 - the field's word, here and below
    note: Annotated[str, typer.Option()] = "",
    token: Token = "",
) -> None:
    """Agree to what another person asked for."""
    _tell(_post(context, f"/commands/{id}/approve", note, token))


@app.command("refuse")
def refuse(
    context: typer.Context,
    id: Id,  # noqa: A002
    note: Annotated[str, typer.Option(help="why")],
    token: Token = "",
) -> None:
    """Take back what waits for a second person."""
    _tell(_post(context, f"/commands/{id}/refuse", note, token))


@app.command("list")
def list_instructions(
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help="requested, running, done, stopped …")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
) -> None:
    """Instructions, newest first."""
    query = {"limit": limit, **({"state": state} if state else {})}
    for one in act(context, lambda remote: ask(remote, "GET", "/commands", params=query))["items"]:
        _tell(one)


@app.command("show")
def show_instruction(context: typer.Context, id: Id) -> None:  # noqa: A002
    """An instruction with all that became of it and of its commands, who and what did it, and why."""
    show(act(context, lambda remote: ask(remote, "GET", f"/commands/{id}")))
    lines = act(context, lambda remote: ask(remote, "GET", f"/commands/{id}/events", params={"limit": 1000}))
    for line in lines["items"]:
        time = datetime.fromtimestamp(line["time"] / 1e6, UTC).isoformat(timespec="seconds")
        typer.echo(
            f"{time} {line['command'] or '':<16} {line['event']:<8} {line['state']:<10} {line['actor']:<20} {line['note']}"
        )


@app.command("stop")
def stop(
    context: typer.Context, reason: Annotated[str, typer.Argument(help="why")], token: Token = ""
) -> None:
    """The kill switch: at once nothing goes down on any transport, and what waits never will."""
    _post(context, "/downlink/stop", reason, token)
    typer.echo("downlink is stopped")


@app.command("resume")
def resume(
    context: typer.Context, reason: Annotated[str, typer.Argument(help="why")], token: Token = ""
) -> None:
    """Release the kill switch; what was stopped must be asked for anew."""
    _post(context, "/downlink/resume", reason, token)
    typer.echo("downlink is open")


def _post(context: typer.Context, path: str, reason: str, token: str) -> Any:
    body = {"reason": reason}
    return act(context, lambda remote: ask(remote, "POST", path, json=body, headers=_as(token)))


def _as(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _argument(word: str) -> tuple[str, float | str]:
    name, equals, value = word.partition("=")
    if not equals:
        raise typer.BadParameter(f"{word!r}: write argument=value, such as level=60")
    try:
        return name, float(value)
    except ValueError:
        return name, value


def _tell(one: dict[str, Any]) -> None:
    args = " ".join(f"{name}={value:g}" for name, value in one["args"].items())
    states = ", ".join(f"{n} {state}" for state, n in one["counts"].items())
    why = one["error"] or (
        f"a second person must agree: {one['second']}" if one["state"] == "requested" else ""
    )
    typer.echo(
        f"{one['id']} {one['state']:<9} {one['name']} {args} to {one['devices']} by {one['actor']} ({states}) {why}".rstrip()
    )
