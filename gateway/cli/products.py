"""`citygate products` and `citygate decode`: what devices can be spoken to, and what the gateway makes of their frames."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from drivers.explain import explain
from gateway.cli.context import read
from gateway.clock import CityClock
from gateway.errors import NotFound

if TYPE_CHECKING:
    from gateway.api.products import ProductView

REFUSED: Final = 2  # exit code: nothing of the payload is used
LARGEST: Final = 1 << 20
COLUMNS: Final = ("id", "maker", "model", "family", "transport", "points", "commands", "source")


def list_products(
    context: typer.Context,
    family: Annotated[str | None, typer.Option(help="only of this family")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """Every product: shipped ones and those of the configuration."""
    from gateway.api.products import view  # noqa: PLC0415 - slow to load, and needed here only

    products = read(context).products()
    found = [view(products[name]) for name in sorted(products) if family in {None, products[name].family}]
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode([one.model_dump() for one in found])).decode())
    else:
        _show(found)


def _show(found: list[ProductView]) -> None:
    table = Table(*COLUMNS, expand=True)
    for one in found:
        row = one.model_dump()
        table.add_row(
            *(", ".join(row[name]) if isinstance(row[name], list) else row[name] for name in COLUMNS)
        )
    console = Console()
    if not console.is_terminal:
        console.width = 200
    console.print(table)


def decode(
    context: typer.Context,
    product: Annotated[str, typer.Argument(help="id, as `citygate products` lists it")],
    digits: Annotated[bool, typer.Option("--hex", help="the payload is hex digits")] = False,
    text: Annotated[bool, typer.Option("--text", help="the payload is a line of text")] = False,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=255, help="fPort of a bare LoRaWAN frame; default: the first that fits"),
    ] = None,
) -> None:
    """What the gateway makes of the payload on standard input, as JSON; exit code 2 where it refuses it."""
    from gateway.api.products import unhex  # noqa: PLC0415 - slow to load, and needed here only

    products = read(context).products()
    if product not in products:
        raise NotFound(f"no product {product!r}; `citygate products` lists them")
    payload = sys.stdin.buffer.read(LARGEST)
    if digits:
        payload = unhex(payload)
    elif text:
        payload = payload.strip()
    found = explain(products[product], payload, CityClock().now(), port=port)
    typer.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    if found.refused:
        raise typer.Exit(REFUSED)
