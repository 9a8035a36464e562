"""`citygate users`: who may log in, as what, and where."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from gateway.cli.context import act
from gateway.cli.remote import ask
from gateway.registry.roles import Role

app = typer.Typer(help="People: their roles, areas, passwords and second factors.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="as they log in")]
Areas = Annotated[
    list[str] | None, typer.Option("--area", help="area path with all below it; several times for several")
]


@app.command("add")
def add(
    context: typer.Context,
    name: Name,
    role: Annotated[Role, typer.Option()] = Role.VIEWER,
    area: Areas = None,
    language: Annotated[str, typer.Option(help="en or zh; default: what the browser asks for")] = "",
    password: Annotated[
        bool, typer.Option("--password/--no-password", help="without one they come by OIDC")
    ] = True,
) -> None:
    """A new user. The password is asked for, or read from the standard input where that is no terminal."""
    form = {"name": name, "role": role, "areas": area or [], "language": language}
    form["password"] = _password() if password else ""
    act(context, lambda remote: ask(remote, "POST", "/users", json=form))
    typer.echo(f"{name} may log in as {role}, {_where(area or [])}")


@app.command("list")
def list_users(context: typer.Context) -> None:
    """All of them, disabled ones too."""
    for one in act(context, lambda remote: ask(remote, "GET", "/users"))["items"]:
        state = "disabled" if one["disabled"] else "second factor" if one["second"] else ""
        typer.echo(f"{one['name']:<24} {one['role']:<11} {_where(one['areas']):<32} {state}")


@app.command("change")
def change(
    context: typer.Context,
    name: Name,
    role: Annotated[Role | None, typer.Option()] = None,
    area: Areas = None,
    whole: Annotated[bool, typer.Option("--whole-city", help="no longer limited to areas")] = False,
) -> None:
    """Another role, or other areas; it holds at once."""
    form: dict[str, Any] = {"role": role} if role else {}
    if whole or area:
        form["areas"] = [] if whole else area
    one = act(context, lambda remote: ask(remote, "PATCH", f"/users/{name}", json=form))
    typer.echo(f"{name} is {one['role']}, {_where(one['areas'])}")


@app.command("disable")
def disable(
    context: typer.Context,
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="let them in again")] = False,
) -> None:
    """They are logged out and may not come in any more; their tokens open nothing."""
    form = {"disabled": not undo}
    act(context, lambda remote: ask(remote, "PATCH", f"/users/{name}", json=form))
    typer.echo(f"{name} may {'log in again' if undo else 'not log in any more'}")


@app.command("password")
def password(context: typer.Context, name: Name) -> None:
    """A new password, asked for or read from the standard input; all their sessions end."""
    form = {"password": _password()}
    act(context, lambda remote: ask(remote, "POST", f"/users/{name}/password", json=form))
    typer.echo(f"{name} has a new password")


@app.command("totp")
def second_factor(
    context: typer.Context,
    name: Name,
    remove: Annotated[bool, typer.Option("--remove", help="for who has lost phone and codes")] = False,
) -> None:
    """A second factor, asked for from now on: prints the otpauth URI for the phone and ten recovery codes."""
    if remove:
        act(context, lambda remote: ask(remote, "DELETE", f"/users/{name}/totp"))
        typer.echo(f"{name} logs in by password alone")
        return
    made = act(context, lambda remote: ask(remote, "POST", f"/users/{name}/totp"))
    typer.echo(made["uri"])
    typer.echo("recovery codes, shown this once, each opens once:")
    for code in made["codes"]:
        typer.echo(f"  {code}")


@app.command("end-sessions")
def end_sessions(context: typer.Context, name: Name) -> None:
    """They are logged out everywhere."""
    ended = act(context, lambda remote: ask(remote, "DELETE", f"/users/{name}/sessions"))["sessions"]
    typer.echo(f"{ended} session{'s' if ended != 1 else ''} of {name} ended")


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    asked: str = typer.prompt("password", hide_input=True, confirmation_prompt=True)
    return asked


def _where(areas: list[str]) -> str:
    return ", ".join(areas) or "the whole city"
