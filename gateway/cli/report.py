"""`citygate report …`: the weekly report and the monthly ranking as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import httpx
import typer

from gateway.cli.context import act
from gateway.cli.remote import refusal

app = typer.Typer(help="Reports on the work and on facilities.", no_args_is_help=True)

Format = Annotated[str, typer.Option("--format", help="csv, xlsx or html")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="the file; default: weekly.xlsx, monthly.csv, …")
]
Day = Annotated[
    str | None,
    typer.Option("--date", help="any day of the period, as 2026-05-01; default: the last one over"),
]
Depth = Annotated[int, typer.Option(min=1, max=16, help="levels of the area path")]
Lang = Annotated[str, typer.Option("--lang", help="en or zh")]


@app.command("weekly")
def weekly(
    context: typer.Context,
    form: Format = "xlsx",
    out: Out = None,
    date: Day = None,
    depth: Depth = 1,
    lang: Lang = "en",
) -> None:
    """Cases and facilities of a week, beside the week before."""
    _write(context, "weekly", form, out, date, depth, lang)


@app.command("monthly")
def monthly(
    context: typer.Context,
    form: Format = "xlsx",
    out: Out = None,
    date: Day = None,
    depth: Depth = 1,
    lang: Lang = "en",
) -> None:
    """Areas, departments, crews and grid cells ranked, beside the month before."""
    _write(context, "monthly", form, out, date, depth, lang)


def _write(
    context: typer.Context, name: str, form: str, out: Path | None, date: str | None, depth: int, lang: str
) -> None:
    given = {"format": form, "date": date, "depth": depth, "lang": lang}
    asked = {key: value for key, value in given.items() if value is not None}

    async def fetched(remote: httpx.AsyncClient) -> bytes:
        answer = await remote.get(f"/reports/{name}", params=asked)
        if not answer.is_success:
            raise refusal(answer)
        return answer.content

    content: bytes = act(context, fetched)
    file = out or Path(f"{name}.{form}")
    file.write_bytes(content)
    typer.echo(f"{file}: {len(content):,} bytes")
