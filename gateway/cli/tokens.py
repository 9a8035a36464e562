"""`citygate token`: who may use the API."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.context import act
from gateway.cli.remote import ask
from gateway.registry.roles import Role

app = typer.Typer(help="Bearer tokens of the API.", no_args_is_help=True)


@app.command("create")
def create(
    context: typer.Context,
    name: str,
    role: Annotated[Role, typer.Option()] = Role.VIEWER,
    area: Annotated[
        list[str] | None, typer.Option(help="area path with all below it; several times for several")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="user; it never opens more than they may")] = None,
    expires: Annotated[str | None, typer.Option(help="when it ends, as 2027-01-01T00:00:00+08:00")] = None,
) -> None:
    """A new token; printed this once."""
    form = {"name": name, "role": role, "areas": area or [], "owner": owner, "expires": expires}
    made = act(context, lambda remote: ask(remote, "POST", "/tokens", json=form))
    typer.echo(made["secret"])


@app.command("list")
def list_tokens(context: typer.Context) -> None:
    """All there ever were."""
    for one in act(context, lambda remote: ask(remote, "GET", "/tokens"))["items"]:
        state = "revoked" if one["revoked"] else "live"
        where = ", ".join(one["areas"]) or "the whole city"
        typer.echo(
            f"{one['id']:>4} {one['name']:<24} {one['role']:<10} {state:<8} {one['owner'] or '-':<16} {where}"
        )


@app.command("revoke")
def revoke(context: typer.Context, number: int) -> None:
    """It opens nothing from now on."""
    act(context, lambda remote: ask(remote, "DELETE", f"/tokens/{number}"))
    typer.echo(f"token {number} is revoked")
