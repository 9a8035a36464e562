"""`citygate history`: what devices said."""

from __future__ import annotations

import sys
from typing import Annotated

import httpx
import typer

from gateway.cli.context import act, show
from gateway.cli.remote import ask

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


def _span(since: str | None, to: str | None) -> dict[str, str]:
    return {key: value for key, value in (("from", since), ("to", to)) if value is not None}
