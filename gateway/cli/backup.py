"""`citygate backup` and `citygate restore`: all that a gateway holds, taken while it runs, and put in place again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import httpx
import typer

from gateway.backup.restore import Restored, Wish, restore
from gateway.cli.context import act, read, run_async
from gateway.cli.remote import refusal
from gateway.clock import CityClock
from gateway.errors import StoreError

MIB = 1 << 20


def take_backup(
    context: typer.Context,
    to: Annotated[Path, typer.Argument(help="a new folder, or a new file that ends in .tar")],
) -> None:
    """Copy operations, history and snapshots into a new folder or tar file, while the gateway runs or without it.

    Exit code 1 where a part of history was damaged and had to be left out.
    """
    damaged = act(context, lambda remote: take(remote, to.absolute()))
    if damaged:
        raise typer.Exit(1)


async def take(remote: httpx.AsyncClient, to: Path) -> list[str]:
    """Ask for a backup and tell how it goes; the names of parts that were damaged. Raises RefusalError, StoreError."""
    stage = ""
    async with remote.stream("POST", "/backup", json={"to": str(to)}) as answer:
        if not answer.is_success:
            await answer.aread()
            raise refusal(answer)
        async for line in answer.aiter_lines():
            told = json.loads(line)
            if "error" in told:
                raise StoreError(told["error"])
            if "tick" in told:
                return _tell(to, told)
            if told["stage"] != stage:
                stage = told["stage"]
                typer.echo(f"{stage} …")
    raise StoreError("the gateway went away before the backup was finished")


def _tell(to: Path, told: dict[str, object]) -> list[str]:
    typer.echo(f"{to}: {told['files']} files, {int(str(told['bytes'])) / MIB:.1f} MiB")
    typer.echo(f"every reading acknowledged up to tick {told['tick']} is in it")
    damaged = [str(name) for name in told["damaged"]] if isinstance(told["damaged"], list) else []
    for name in damaged:
        typer.echo(f"left out, it is not what the list says: {name}", err=True)
    return damaged


def restore_backup(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="what `citygate backup` made")],
    to: Annotated[
        Path | None, typer.Option("--to", help="the new data folder; default: the configured one")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="also read the rebuilt stores and compare them, hour by hour")
    ] = False,
) -> None:
    """Rebuild a data folder from a backup, into an empty place only. Checksums of all files are always compared."""
    config = read(context)
    wish = Wish(source.absolute(), (to or config.data).absolute(), config.operations.url, verify)
    done = run_async(restore(wish, config.products(), config.history, CityClock()))
    for line in report(wish, done):
        typer.echo(line)


def report(wish: Wish, done: Restored) -> list[str]:
    """What people should know of a restore."""
    contents, forwarded = done.contents, done.forwarded
    ticks = contents.ticks
    lines = [
        f"{wish.target}: restored as of {contents.made}, tick {ticks.history}",
        f"the gateway will replay {ticks.history - ticks.snapshot} ticks when it starts",
    ]
    if done.checked:
        lines.append("verified: " + ", ".join(f"{count} {name}" for name, count in done.checked))
    if forwarded.devices or forwarded.rules or forwarded.parameters:
        lines.append(
            f"operations got from history: {forwarded.devices} devices, {forwarded.rules} rules, "
            f"{forwarded.parameters} parameters"
        )
    if forwarded.secretless:
        lines.append(f"registered without a secret, rotate it: {', '.join(forwarded.secretless)}")
    return lines
