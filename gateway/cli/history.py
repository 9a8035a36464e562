"""`citygate history`: what devices said."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import httpx
import typer

from gateway.cli.context import act, show
from gateway.cli.remote import ask, refusal

app = typer.Typer(help="Readings in history.", no_args_is_help=True)
Since = Annotated[str | None, typer.Option("--from", help="µs since epoch, or RFC 3339 with a zone")]
To = Annotated[str | None, typer.Option(help="the same; not included")]


@app.command("range")
def range_(
    context: typer.Context,
    device: str,
    since: Since = None,
    to: To = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
) -> None:
    """Readings of one device, oldest first; the last day where no span is given."""
    params = _span(since, to) | {"limit": str(limit)}
    show(act(context, lambda remote: ask(remote, "GET", f"/devices/{device}/readings", params=params)))


@app.command("series")
def series(
    context: typer.Context,
    device: str,
    bucket: Annotated[str, typer.Argument(help="30s, 5m, 1h …")],
    since: Since = None,
    to: To = None,
) -> None:
    """Minimum, mean, maximum, last and count of each bucket."""
    params = _span(since, to) | {"bucket": bucket}
    show(act(context, lambda remote: ask(remote, "GET", f"/devices/{device}/series", params=params)))


@app.command("export")
def export(context: typer.Context, family: str, since: Since = None, to: To = None) -> None:
    """Every reading of a family as NDJSON on standard output."""

    async def stream(remote: httpx.AsyncClient) -> None:
        async with remote.stream("GET", f"/readings/{family}", params=_span(since, to)) as answer:
            async for chunk in answer.aiter_bytes():
                sys.stdout.buffer.write(chunk)

    act(context, stream)


@app.command("compact")
def compact(context: typer.Context) -> None:
    """Make Parquet parts of all days that are over, now."""
    show(act(context, lambda remote: ask(remote, "POST", "/history/compact")))


@app.command("verify")
def verify(
    context: typer.Context,
    mirror: Annotated[bool, typer.Option("--mirror", help="compare the mirror with history instead")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="and write again what the mirror lacks")] = False,
    since: Since = None,
    to: To = None,
) -> None:
    """Compare every Parquet part with the list: bytes, checksum, rows; exit code 1 on any fault.

    With --mirror: ask the mirror for every value, by family and hour; until the present hour where no span is given.
    """
    if not mirror:
        faults = act(context, lambda remote: _faulty(remote, "GET", "/history/verify", {}))
    elif repair:
        faults = act(
            context, lambda remote: _faulty(remote, "POST", "/history/mirror/repair", _span(since, to))
        )
    else:
        faults = act(
            context, lambda remote: _faulty(remote, "GET", "/history/mirror/verify", _span(since, to))
        )
    if faults:
        raise typer.Exit(1)


@app.command("mirror")
def mirror_status(context: typer.Context) -> None:
    """How far the mirror is."""
    show(act(context, lambda remote: ask(remote, "GET", "/history/mirror")))


async def _faulty(remote: httpx.AsyncClient, method: str, path: str, params: dict[str, str]) -> int:
    """Show the lines of an answer that name a fault; how many they are."""
    seen, faults = 0, 0
    async with remote.stream(method, path, params=params) as answer:
        if not answer.is_success:
            await answer.aread()
            raise refusal(answer)
        async for line in answer.aiter_lines():
            verdict = json.loads(line)
            seen += 1
            if verdict.get("fault", "differs"):
                faults += not verdict.get("waits", False)
                typer.echo(line)
    typer.echo(
        f"{seen} looked at, {faults} faulty" if path == "/history/verify" else f"{faults} hours differ"
    )
    return faults


def _span(since: str | None, to: str | None) -> dict[str, str]:
    return {key: value for key, value in (("from", since), ("to", to)) if value is not None}
