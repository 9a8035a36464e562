"""`citygate responsibility` and `citygate crews`: who is responsible for what where, and who is on duty."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Annotated

import typer
from msgspec import to_builtins

from gateway.cases.responsibility import COLUMNS, read_csv
from gateway.cli.context import act, show
from gateway.cli.remote import RefusalError, ask
from gateway.errors import Invalid

responsibility = typer.Typer(help="Who is responsible for what kind of case where.", no_args_is_help=True)
crews = typer.Typer(help="Crews, their shifts, and who is on duty.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="crew")]


@responsibility.command("list")
def list_responsibility(context: typer.Context) -> None:
    """The whole table as CSV, as `import` takes it."""
    found = act(context, lambda remote: ask(remote, "GET", "/responsibility"))
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(found["items"])
    typer.echo(out.getvalue(), nl=False)


@responsibility.command("import")
def import_responsibility(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV: area,family,cause,department,crew; * or nothing = any")],
) -> None:
    """Its rows are the table from now on; with a fault nothing is changed."""
    try:
        duties = read_csv(file.read_text(encoding="utf-8-sig"))
    except Invalid as error:
        raise RefusalError(f"{file}: {error.detail}") from error
    body = {"items": to_builtins(duties)}
    act(context, lambda remote: ask(remote, "PUT", "/responsibility", json=body))
    typer.echo(f"{len(duties)} rows say who is responsible")


@responsibility.command("find")
def find(
    context: typer.Context,
    cause: Annotated[str, typer.Option(help="case template, such as cover-danger")] = "",
    family: Annotated[str, typer.Option()] = "",
    area: Annotated[str, typer.Option(help="area path: xuhui/tianping")] = "",
    grid: Annotated[str, typer.Option(help="grid code of 15 digits")] = "",
) -> None:
    """Which row counts for such a case."""
    wanted = {"cause": cause, "family": family, "area": area, "grid": grid}
    duty = act(context, lambda remote: ask(remote, "GET", "/responsibility/find", params=wanted))["duty"]
    if duty is None:
        typer.echo("no row says so; the crew of the case template is sent")
        return
    typer.echo(f"{duty['department']}: {duty['crew'] or 'its nearest crew on duty'}")


@crews.command("list")
def list_crews(context: typer.Context, department: Annotated[str, typer.Option()] = "") -> None:
    """Crews in order of name, and which of them are on duty now."""
    params = {"department": department}
    for one in act(context, lambda remote: ask(remote, "GET", "/crews", params=params))["items"]:
        duty = "on duty" if one["on_duty"] else "off duty"
        shifts = "; ".join(f"{each['days']} {each['begins']}-{each['ends']}" for each in one["shifts"])
        typer.echo(f"{one['name']:<20} {one['department']:<20} {duty:<9} {shifts or 'always'}")


@crews.command("put")
def put(
    context: typer.Context,
    name: Name,
    department: Annotated[str, typer.Option()] = "",
    lat: Annotated[float | None, typer.Option(help="WGS-84 degrees; where it starts from")] = None,
    lon: Annotated[float | None, typer.Option(help="WGS-84 degrees")] = None,
    member: Annotated[list[str] | None, typer.Option(help="as the audit names them; may be repeated")] = None,
    shift: Annotated[
        list[str] | None,
        typer.Option(help="'workdays 08:00-18:00', 'free …', 'daily …', 'sat,sun …'; may be repeated"),
    ] = None,
) -> None:
    """The crew as it is from now on. Without a shift it is always on duty."""
    form = {
        "department": department,
        "lat": lat,
        "lon": lon,
        "members": member or [],
        "shifts": [_shift(each) for each in shift or []],
    }
    show(act(context, lambda remote: ask(remote, "PUT", f"/crews/{name}", json=form)))


@crews.command("remove")
def remove(context: typer.Context, name: Name) -> None:
    """Its cases stay its own until they are handed back."""
    act(context, lambda remote: ask(remote, "DELETE", f"/crews/{name}"))
    typer.echo(f"crew {name} is removed")


@crews.command("nearest")
def nearest(context: typer.Context, case: int, department: Annotated[str, typer.Option()] = "") -> None:
    """Who could go to a case now, the best first."""
    params: dict[str, str | int] = {"case": case, "department": department}
    for one in act(context, lambda remote: ask(remote, "GET", "/crews/nearest", params=params))["items"]:
        away = "-" if one["metres"] is None else f"{one['metres']:,.0f} m"
        duty = "on duty" if one["on_duty"] else "off duty"
        typer.echo(f"{one['crew']:<20} {one['department']:<20} {duty:<9} {away:>10} {one['open']} open")


def _shift(text: str) -> dict[str, str]:
    days, _, hours = text.strip().rpartition(" ")
    begins, _, ends = hours.partition("-")
    return {"days": days, "begins": begins, "ends": ends}
