"""`citygate rules`: what is in force, and whether a file of rules could be."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

import typer

from drivers.families import FAMILIES
from gateway.cases import template
from gateway.cli.context import act, read, show
from gateway.cli.remote import ask
from rules.document import RulesError, read_rules

app = typer.Typer(help="Rules in force.", no_args_is_help=True)


@app.command("list")
def list_rules(context: typer.Context) -> None:
    """Every rule in force."""
    found = act(context, lambda remote: ask(remote, "GET", "/rules"))
    for one in found["items"]:
        document = one["document"]
        families = document.get("family") or ",".join(document.get("families", []))
        typer.echo(
            f"{one['rule']:<32} v{one['version']:<3} {families:<12} {document['severity']:<9} {document['when']}"
        )


@app.command("show")
def show_rule(context: typer.Context, rule: str) -> None:
    """All versions of a rule, newest first, with author and reason."""
    show(act(context, lambda remote: ask(remote, "GET", f"/rules/{rule}/versions"))["items"])


@app.command("check")
def check(
    context: typer.Context, file: Annotated[Path, typer.Argument(help="TOML with [[rule]] tables")]
) -> None:
    """Report every fault of a file of rules, each with rule, key, line and column."""
    try:
        documents = tomllib.loads(file.read_text(encoding="utf-8")).get("rule", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        typer.echo(f"{file}: {error}")
        raise typer.Exit(1) from None
    faults = template.faults(read(context).templates(), documents)
    try:
        read_rules(documents, FAMILIES)
    except RulesError as error:
        faults += [str(fault) for fault in error.faults]
    for fault in faults:
        typer.echo(f"{file}: {fault}")
    typer.echo(f"{len(documents)} rules, {len(faults)} faults")
    if faults:
        raise typer.Exit(1)
