"""`citygate audit`: who changed what, and the proof that nobody changed that."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.context import act
from gateway.cli.remote import RefusalError, ask

app = typer.Typer(help="The audit trail.", no_args_is_help=True)


@app.command("list")
def list_entries(
    context: typer.Context,
    actor: Annotated[str, typer.Option(help='as "user:wang" or "token:robot"')] = "",
    object: Annotated[str, typer.Option(help='as "device:LAMP-1", or "device:" for all of them')] = "",  # noqa: A002 - the trail's own word
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
) -> None:
    """Newest first."""
    given = {"actor": actor, "object": object, "limit": limit}
    query = {key: value for key, value in given.items() if value}
    for one in act(context, lambda remote: ask(remote, "GET", "/audit", params=query))["items"]:
        time = datetime.fromtimestamp(one["time"] / 1e6, tz=UTC)
        detail = json.dumps(one["detail"], ensure_ascii=False) if one["detail"] else ""
        typer.echo(
            f"{one['id']:>8}  {time:%Y-%m-%d %H:%M:%SZ}  {one['actor']:<20} {one['action']:<20} {one['object']}  {detail}"
        )


@app.command("checkpoint")
def checkpoint(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="where to write it; default: the standard output")
    ] = None,
) -> None:
    """A signed checkpoint of the newest entry. Keep it on another machine: `audit verify --checkpoint` believes it."""
    made = act(context, lambda remote: ask(remote, "POST", "/audit/checkpoint"))
    text = json.dumps(made, indent=1)
    if file is None:
        typer.echo(text)
        return
    file.write_text(text + "\n", encoding="ascii")
    typer.echo(f"{file}: {made['entries']} entries, up to {made['entry']}")


@app.command("verify")
def verify(
    context: typer.Context,
    checkpoint: Annotated[
        Path | None, typer.Option(help="one that was kept elsewhere: shows also what was cut off since")
    ] = None,
) -> None:
    """Read the whole trail: exit code 0 where nothing was altered, 1 with the first entry that was."""
    kept = _kept(checkpoint) if checkpoint else None
    found = act(context, lambda remote: ask(remote, "POST", "/audit/verify", json=kept))
    if found["broken"] is not None:
        typer.echo(f"broken at entry {found['broken']}: {found['why']}")
        raise typer.Exit(1)
    against = f" and the one in {checkpoint}" if checkpoint else ""
    typer.echo(
        f"{found['entries']} entries, {found['checkpoints']} checkpoints{against}: nothing was altered"
    )


def _kept(file: Path) -> dict[str, Any]:
    """Raises RefusalError."""
    try:
        kept = json.loads(file.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise RefusalError(f"{file} is no checkpoint: {error}") from error
    if not isinstance(kept, dict):
        raise RefusalError(f"{file} is no checkpoint; `citygate audit checkpoint FILE` makes one")
    return kept
