"""`citygate reload`: the running gateway reads its configuration again."""

from __future__ import annotations

import typer

from gateway.cli.context import read_data, run_async
from gateway.cli.remote import ask, running
from gateway.reload import Report


def reload(context: typer.Context) -> None:
    """Apply what can be while it runs, and name what needs a restart. A file with faults changes nothing.

    Exit code 1 where the file has faults, or a part could not take its new settings.
    """
    data = read_data(context)

    async def asked() -> Report:
        async with running(data) as remote:
            return Report(**await ask(remote, "POST", "/config/reload"))

    report = run_async(asked())
    for line in report.lines():
        typer.echo(line)
    if report.failed:
        raise typer.Exit(1)
