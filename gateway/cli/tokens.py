"""`citygate token`: who may use the API."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.context import act
from gateway.cli.remote import ask
from gateway.registry.tokens import Role

app = typer.Typer(help="Bearer tokens of the API.", no_args_is_help=True)


@app.command("create")
def create(context: typer.Context, name: str, role: Annotated[Role, typer.Option()] = Role.VIEWER) -> None:
    """A new token; printed this once."""
    made = act(context, lambda remote: ask(remote, "POST", "/tokens", json={"name": name, "role": role}))
    typer.echo(made["secret"])


@app.command("list")
def list_tokens(context: typer.Context) -> None:
    """All there ever were."""
    for one in act(context, lambda remote: ask(remote, "GET", "/tokens"))["items"]:
        state = "revoked" if one["revoked"] else "live"
        typer.echo(f"{one['id']:>4} {one['name']:<24} {one['role']:<10} {state}")


@app.command("revoke")
def revoke(context: typer.Context, number: int) -> None:
    """It opens nothing from now on."""
    act(context, lambda remote: ask(remote, "DELETE", f"/tokens/{number}"))
    typer.echo(f"token {number} is revoked")
