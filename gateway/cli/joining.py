"""`citygate devices unknown | join | adopt | clocks`: from unboxing to the first reading, and whose clock is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gateway.cli.context import act, show
from gateway.cli.remote import ask

join = typer.Typer(
    help="Windows in which new devices may connect, into the quarantine only.", no_args_is_help=True
)
Id = Annotated[str, typer.Argument(help="device id")]
DAY = 86_400


def unknown(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="for programs, with the last payloads")] = False,
) -> None:
    """Devices that spoke and are nobody's, the newest heard first."""
    found = act(context, lambda remote: ask(remote, "GET", "/unknown-devices", params={"limit": limit}))
    if as_json:
        show(found["items"])
        return
    for one in found["items"]:
        came = f"joining {one['area']}" if one["area"] else "refused"
        products = ", ".join(one["products"]) or "-"
        typer.echo(
            f"{one['id']:<24} {one['transport']:<6} {one['address']:<28} {one['count']:>6}×"
            f"  {_moment(one['last'])}  {came:<24} {products}"
        )


def adopt(
    context: typer.Context,
    id: Id,  # noqa: A002 - the field's word, here and below
    product: Annotated[
        str, typer.Option(help="default: the one that decodes what it said, or the window's")
    ] = "",
    area: Annotated[str, typer.Option(help="area path; default: the window's")] = "",
    place: Annotated[str, typer.Option(help="lon,lat in WGS-84 degrees: 121.47,31.23")] = "",
    name: Annotated[str, typer.Option()] = "",
    parent: Annotated[str, typer.Option(help="cabinet, site or lot it belongs to")] = "",
) -> None:
    """Make an unknown device a registered one; prints the secret it connects with, this once."""
    form: dict[str, Any] = {"product": product, "area": area, "name": name, "parent": parent}
    given = {"id": id, **{key: value for key, value in form.items() if value}, **_place(place)}
    made = act(context, lambda remote: ask(remote, "POST", "/unknown-devices/adopt", json=given))
    device = made["device"]
    typer.echo(f"{device['id']} ({device['product']}) secret, shown this once: {made['secret']}")


def _place(text: str) -> dict[str, float]:
    if not text:
        return {}
    lon, _, lat = text.partition(",")
    try:
        return {"lon": float(lon), "lat": float(lat)}
    except ValueError:
        raise typer.BadParameter("write lon,lat in degrees, such as 121.47,31.23") from None


def forget(context: typer.Context, id: Id) -> None:  # noqa: A002
    """Drop an unknown device from the list; it comes back if it speaks again."""
    act(context, lambda remote: ask(remote, "POST", "/unknown-devices/forget", json={"id": id}))


@join.command("open")
def open_window(
    context: typer.Context,
    area: Annotated[str, typer.Option(help="area path of the devices to come")],
    minutes: Annotated[float, typer.Option(min=0.1)] = 15,
    product: Annotated[str, typer.Option(help="what they are, if all are one product")] = "",
    secret: Annotated[
        bool, typer.Option("--secret", help="let in only who sends a secret made for it")
    ] = False,
) -> None:
    """Let new devices connect for some minutes. What they say is shown by `devices unknown`, and is not history."""
    form = {"area": area, "minutes": minutes, "product": product, "secret": secret}
    made = act(context, lambda remote: ask(remote, "POST", "/join-windows", json=form))
    word = f"; their password is {made['secret']}" if made["secret"] else "; any password will do"
    typer.echo(f"join window {made['window']['id']} is open for {minutes:g} minutes{word}")


@join.command("list")
def list_windows(context: typer.Context) -> None:
    """Windows that stand open."""
    for one in act(context, lambda remote: ask(remote, "GET", "/join-windows"))["items"]:
        typer.echo(
            f"{one['id']:<10} {one['area']:<24} {one['product'] or 'any product':<24} until {_moment(one['closes'])}"
            f"  {'with a secret' if one['secret'] else 'any secret'}, by {one['actor']}"
        )


@join.command("close")
def close_window(
    context: typer.Context, window: Annotated[str, typer.Argument(help="as `join list` shows it")]
) -> None:
    """Close a window before its time; newcomers that were not adopted are disconnected."""
    act(context, lambda remote: ask(remote, "DELETE", f"/join-windows/{window}"))


def clocks(
    context: typer.Context,
    family: Annotated[str | None, typer.Option()] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
) -> None:
    """The device clocks that are the furthest off, by the median of what their samples show."""
    query = {"limit": limit} | ({"family": family} if family else {})
    found = act(context, lambda remote: ask(remote, "GET", "/clocks", params=query))
    for one in found["items"]:
        mark = "wrong" if one["wrong"] else ""
        typer.echo(
            f"{one['device']:<24} {one['family']:<12} {lag(one['offset']):<24} {one['samples']} samples  {mark}"
        )


def lag(offset: int) -> str:
    """Of µs, receipt less stamp: "3600.0 s behind"."""
    seconds = abs(offset) / 1e6
    size = f"{seconds / DAY:.1f} d" if seconds >= DAY else f"{seconds:.1f} s"
    return f"{size} {'behind' if offset > 0 else 'ahead'}"


def _moment(time: int) -> str:
    return f"{datetime.fromtimestamp(time / 1e6, tz=UTC):%Y-%m-%d %H:%M:%SZ}"
