"""`citygate devices`: register, import, look at, rotate, retire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.progress import Progress

from drivers.families import FAMILIES
from gateway.cli import joining
from gateway.cli.context import act, show
from gateway.cli.remote import ask

app = typer.Typer(help="Devices of the city.", no_args_is_help=True)
app.add_typer(joining.join, name="join")
app.command("unknown")(joining.unknown)
app.command("adopt")(joining.adopt)
app.command("forget")(joining.forget)
app.command("clocks")(joining.clocks)
Id = Annotated[str, typer.Argument(help="device id")]
CHUNK = 1 << 20


@app.command("list")
def list_devices(
    context: typer.Context,
    family: Annotated[str | None, typer.Option()] = None,
    area: Annotated[str | None, typer.Option(help="area path, with all below it")] = None,
    text: Annotated[str | None, typer.Option(help="how id or name begins")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
) -> None:
    """Devices in order of id."""
    wanted = {"family": family, "area": area, "text": text, "limit": limit}
    query = {key: value for key, value in wanted.items() if value is not None}
    found = act(context, lambda remote: ask(remote, "GET", "/devices", params=query))
    for one in found["items"]:
        typer.echo(
            f"{one['id']:<20} {one['family']:<12} {one['product']:<24} {one['area']:<24} {one['name']}"
        )


@app.command("add")
def add(
    context: typer.Context,
    id: Id,  # noqa: A002 - the field's word, here and below
    product: Annotated[str, typer.Option(help="such as generic-dust; decides the family")],
    name: Annotated[str, typer.Option()] = "",
    area: Annotated[str, typer.Option(help="area path: xuhui/tianping")] = "",
    lat: Annotated[float | None, typer.Option(help="WGS-84 degrees")] = None,
    lon: Annotated[float | None, typer.Option(help="WGS-84 degrees")] = None,
    parent: Annotated[str, typer.Option(help="cabinet, site or lot it belongs to")] = "",
) -> None:
    """Register a device; prints the secret it connects with, this once."""
    form = {
        "id": id,
        "product": product,
        "name": name,
        "area": area,
        "lat": lat,
        "lon": lon,
        "parent": parent,
    }
    given = {key: value for key, value in form.items() if value not in ("", None)}
    made = act(context, lambda remote: ask(remote, "POST", "/devices", json=given))
    typer.echo(
        f"{made['device']['id']} ({made['device']['family']}) secret, shown this once: {made['secret']}"
    )


@app.command("show")
def show_device(context: typer.Context, id: Id) -> None:  # noqa: A002
    """One device."""
    show(act(context, lambda remote: ask(remote, "GET", f"/devices/{id}")))


@app.command("latest")
def latest(context: typer.Context, id: Id) -> None:  # noqa: A002
    """The newest value of each point."""
    found = act(context, lambda remote: ask(remote, "GET", f"/devices/{id}/latest"))
    family = FAMILIES[found["family"]]
    for name, one in found["values"].items():
        labels, value = family.points[family.index[name]].labels, one["value"]
        text = labels[int(value)] if labels and value is not None else f"{value} {one['unit']}"
        typer.echo(f"{name:<20} {text:<16} {one['quality']}")


@app.command("import")
def import_csv(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="CSV: id,product,name,area,lat,lon,parent,interval,attr.rated_power …")
    ],
    secrets: Annotated[Path, typer.Option(help="write the new devices' secrets there, as CSV")],
    partial: Annotated[
        bool, typer.Option("--partial", help="create the good lines though others are faulty")
    ] = False,
) -> None:
    """Register the devices of a CSV; every faulty line is reported with its remedy."""
    size = file.stat().st_size
    done = act(context, lambda remote: _import(remote, file, size, partial))
    for fault in done["faults"]:
        typer.echo(f"{file}:{fault['line']}: {fault['column']}: {fault['problem']}; {fault['remedy']}")
    lines = ["id,secret", *(f"{one['id']},{one['secret']}" for one in done["created"])]
    if done["created"]:
        secrets.touch(mode=0o600)
        secrets.write_text("\n".join(lines) + "\n", encoding="utf-8")
    typer.echo(f"{len(done['created'])} of {done['lines']} devices created, {len(done['faults'])} faults")
    if done["faults"]:
        raise typer.Exit(1)


async def _import(remote: httpx.AsyncClient, file: Path, size: int, partial: bool) -> Any:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("sending", total=size)

        async def body() -> AsyncIterator[bytes]:
            with file.open("rb") as source:
                while chunk := source.read(CHUNK):
                    progress.advance(task, len(chunk))
                    yield chunk
            progress.update(task, description="registering", total=None)

        headers = {"content-type": "text/csv"}
        answer = await remote.post(
            "/devices/import", params={"partial": partial}, content=body(), headers=headers
        )
    return answer.json()


@app.command("rotate")
def rotate(
    context: typer.Context,
    id: Id,  # noqa: A002
    overlap: Annotated[
        str | None, typer.Option(help="for how long the former secret still opens, such as 1d")
    ] = None,
) -> None:
    """A new secret; without an overlap the former one opens nothing from now on."""
    query = {"overlap": overlap} if overlap else {}
    made = act(context, lambda remote: ask(remote, "POST", f"/devices/{id}/secret", params=query))
    typer.echo(f"{id} secret, shown this once: {made['secret']}")


@app.command("rotations")
def rotations(context: typer.Context) -> None:
    """Secrets that are being changed, and who still comes in with the former one."""
    found = act(context, lambda remote: ask(remote, "GET", "/rotations"))
    for one in found["items"]:
        until = datetime.fromtimestamp(one["until"] / 1e6, UTC).isoformat(timespec="seconds")
        typer.echo(f"{one['name']:<20} {one['kind']:<8} {one['use']:<8} until {until}")
    typer.echo(f"{found['waiting']} of {len(found['items'])} were not seen with their new secret yet")


@app.command("retire")
def retire(context: typer.Context, id: Id) -> None:  # noqa: A002
    """Take a device out of service; its history stays."""
    act(context, lambda remote: ask(remote, "DELETE", f"/devices/{id}"))
    typer.echo(f"{id} is out of service")
