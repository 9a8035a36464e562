"""`citygate rules`: what is in force, whether a file of rules could be, and what it would cost."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from drivers.families import FAMILIES
from gateway.cases.template import Templates
from gateway.cli import backtest, explain, tuning
from gateway.cli.context import act, read, show
from gateway.cli.remote import ask
from rules import packs
from rules.cost import MOST_BYTES, MOST_OF_ALL, MOST_OPERATIONS, Cost, cost
from rules.document import Fault, Rule, RulesError, read_rules
from rules.source import Source

app = typer.Typer(help="Rules in force.", no_args_is_help=True)
app.command("explain")(explain.explain)
app.command("why")(explain.why)
app.command("backtest")(backtest.backtest)
app.command("suggest")(backtest.suggest)
tuning.register(app)


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
    """Report every fault of a file of rules as a compiler does: file, line, column, what was expected, a remedy."""
    source, documents = _load(file)
    faults: list[Fault] = []
    try:
        read_rules(documents, FAMILIES)
    except RulesError as error:
        faults = error.faults
    faults = sorted([*faults, *_cases(read(context).templates(), documents)], key=lambda fault: fault.place)
    for fault in faults:
        typer.echo(_told(file, source, fault))
    typer.echo(f"{len(documents)} rules, {len(faults)} faults")
    if faults:
        raise typer.Exit(1)


def _cases(templates: Templates, documents: list[dict[str, Any]]) -> list[Fault]:
    """Rules that would file what nobody has a template for."""
    known = ", ".join(sorted(templates)) or "none"
    return [
        Fault(
            str(document.get("id", "?")),
            "case",
            f"'{case}' is no case template",
            place=place,
            remedy=f"known are: {known}",
        )
        for place, document in enumerate(documents)
        if isinstance(case := document.get("case", ""), str) and case and case not in templates
    ]


def _load(file: Path) -> tuple[Source, list[dict[str, Any]]]:
    try:
        text = file.read_text(encoding="utf-8")
        documents = tomllib.loads(text).get("rule", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        typer.echo(f"{file}: error: {error}")
        raise typer.Exit(1) from None
    return Source(text), documents


def _told(file: Path, source: Source, fault: Fault) -> str:
    place = source.find(fault.place, fault.key, fault.line, fault.column)
    lines = [
        f"{file}:{place.line}:{place.column}: error: {fault.rule}.{fault.key}: {fault.message}",
        source.shown(place),
    ]
    if fault.remedy:
        lines.append(f"{'':>5} = {fault.remedy}")
    return "\n".join(lines)


@app.command("cost")
def show_cost(
    file: Annotated[
        Path | None, typer.Argument(help="TOML with [[rule]] tables; the shipped rules without")
    ] = None,
) -> None:
    """State what rules cost: bytes a device, operations a sample, buckets; and the bounds they are held to."""
    documents = packs.load() if file is None else _load(file)[1]
    try:
        rules = read_rules(documents, FAMILIES)
    except RulesError as error:
        for fault in error.faults:
            typer.echo(str(fault))
        raise typer.Exit(1) from None
    typer.echo(f"{'':<34} {'bytes':>8} {'operations':>11} {'buckets':>8} {'closings':>9}")
    typer.echo(f"{'':<34} {'a device':>8} {'a sample':>11} {'a device':>8} {'an hour':>9}")
    for name in FAMILIES:
        _show_family(name, [rule for rule in rules if name in rule.meanings])
    typer.echo(
        f"at most {MOST_BYTES:,} bytes a device and {MOST_OPERATIONS:,} operations a sample of one rule, "
        f"{MOST_OF_ALL:,} bytes a device of all rules of a family"
    )


def _show_family(name: str, rules: list[Rule]) -> None:
    family = FAMILIES[name]
    for rule in rules:
        typer.echo(_line(rule.id, cost([rule], family)))
    if rules:
        typer.echo(_line(f"= {name}, what is shared counted once", cost(rules, family)))


def _line(name: str, found: Cost) -> str:
    return f"{name:<34} {found.bytes:>8,} {found.operations:>11,} {found.buckets:>8,} {found.closings:>9,}"
