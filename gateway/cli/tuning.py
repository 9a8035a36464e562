"""`citygate rules …` that change what is in force: values, versions, canaries, shadows; each with its reason."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from gateway.cli.context import act, show
from gateway.cli.remote import ask

Reason = Annotated[str, typer.Option("--reason", "-r", help="why; kept with the version")]
Area = Annotated[str, typer.Option("--area", help="only in this area and below it")]
Product = Annotated[str, typer.Option("--product", help="only for devices of this product")]
Device = Annotated[str, typer.Option("--device", help="only for this device")]
Areas = Annotated[list[str] | None, typer.Option("--area", help="an area path; may be given more than once")]
Lang = Annotated[str, typer.Option("--lang", help="en or zh")]
Backtest = Annotated[
    int | None,
    typer.Option("--backtest", min=1, help="number of the one you looked at; kept in short with it"),
]


def _ask(context: typer.Context, method: str, path: str, **given: Any) -> Any:
    return act(context, lambda remote: ask(remote, method, path, **given))


def _rule(rule: str) -> str:
    return f"/rules/{quote(rule, safe='')}"


def _parameter(rule: str, name: str) -> str:
    return f"{_rule(rule)}/parameters/{quote(name, safe='')}"


def scope_of(area: str, product: str, device: str) -> str:
    """As the gateway names it: nothing for the city, area:<path>, product:<id> or device:<id>."""
    given = [(kind, of) for kind, of in (("area", area), ("product", product), ("device", device)) if of]
    if len(given) > 1:
        raise typer.BadParameter("give one of --area, --product, --device")
    return ":".join(given[0]) if given else ""


def versions(
    context: typer.Context,
    rule: str,
    parameter: Annotated[str, typer.Argument(help="of this parameter instead of the rule itself")] = "",
) -> None:
    """List all versions of a rule, or of one of its parameters, newest first: number, author, reason."""
    path = f"{_parameter(rule, parameter)}/versions" if parameter else f"{_rule(rule)}/versions"
    for one in _ask(context, "GET", path)["items"]:
        what = f"{one['scope'] or 'city'} = {_value(one['value'])}" if parameter else ""
        restores = f" (restores {one['restores']})" if one["restores"] else ""
        typer.echo(
            f"v{one['version']:<4} {what:<32} {one['author']:<16} {one['reason']}{restores}{shown(one)}"
        )


def shown(one: dict[str, Any]) -> str:
    """What its author was shown of it."""
    if not (found := one["backtest"]):
        return ""
    changed = ", ".join(
        f"{name} {found['old'][name]} to {found['new'][name]}" for name in ("alarms", "cases")
    )
    return f" (backtest {found['number']}: {changed})"


def _value(value: float | None) -> str:
    return "reset" if value is None else f"{value:g}"


def standing(context: typer.Context, rule: str) -> None:
    """Show which versions of a rule are judged, and where; its parameters that differ; what its shadow has said."""
    typer.echo(_stands(_ask(context, "GET", f"{_rule(rule)}/standing")))
    for one in _ask(context, "GET", f"{_rule(rule)}/parameters")["items"]:
        typer.echo(f"  {one['name']} = {_value(one['value'])} in {one['scope'] or 'city'}: {one['reason']}")
    for one in _ask(context, "GET", f"{_rule(rule)}/shadow")["counts"]:
        where = one["area"] or "-"
        typer.echo(
            f"  shadow v{one['version']} {one['day']} {where}: {one['raised']} raised, {one['cleared']} cleared"
        )


def _stands(one: dict[str, Any]) -> str:
    parts = [f"v{one['live']} published" if one["live"] else "nothing published"]
    if one["withdrawn"]:
        parts.append(f"withdrawn by {one['withdrawn']}")
    if one["canary"]:
        parts.append(f"v{one['canary']} as a canary in {', '.join(one['areas'])}")
    if one["shadow"]:
        parts.append(f"v{one['shadow']} as a shadow in {', '.join(one['shadow_areas']) or 'the whole city'}")
    return f"{one['rule']}: {', '.join(parts)}"


def diff(context: typer.Context, rule: str, before: int, after: int, lang: Lang = "en") -> None:
    """Show what changed from one version of a rule to another."""
    found = _ask(context, "GET", f"{_rule(rule)}/diff", params={"before": before, "after": after})["items"]
    for one in found:
        typer.echo(f"{one['zh' if lang == 'zh' else 'en']} ({one['key']})")
        for sign, text in (("-", one["before"]), ("+", one["after"])):
            for line in text.splitlines():
                typer.echo(f"  {sign} {line}")
    if not found:
        typer.echo(f"versions {before} and {after} of {rule} say the same")


def set_value(
    context: typer.Context,
    rule: str,
    setting: Annotated[str, typer.Argument(help='NAME=VALUE, with or without a unit: "limit=0.12 mg/m3"')],
    reason: Reason,
    area: Area = "",
    product: Product = "",
    device: Device = "",
    backtest: Backtest = None,
) -> None:
    """Set a parameter in a scope: the city, an area, a product or a device; the most specific wins."""
    name, equals, value = setting.partition("=")
    if not equals:
        raise typer.BadParameter(f"expected NAME=VALUE, found {setting!r}")
    wish: dict[str, Any] = {"scope": scope_of(area, product, device), "value": value.strip()}
    wish |= {"reason": reason, "backtest": backtest}
    show(_ask(context, "PUT", _parameter(rule, name.strip()), json=wish))


def reset(
    context: typer.Context,
    rule: str,
    name: str,
    reason: Reason,
    area: Area = "",
    product: Product = "",
    device: Device = "",
) -> None:
    """Take a parameter's value in a scope away: what is less specific counts again."""
    wish = {"scope": scope_of(area, product, device), "reason": reason}
    show(_ask(context, "POST", f"{_parameter(rule, name)}/reset", json=wish))


def publish(
    context: typer.Context,
    rule: str,
    reason: Reason,
    version: Annotated[int | None, typer.Option("--version", help="a draft")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="TOML with the rule; - reads from stdin")
    ] = None,
    draft: Annotated[bool, typer.Option("--draft", help="keep it, and put it in force nowhere")] = False,
    backtest: Backtest = None,
) -> None:
    """Put a new version in force: a draft by its number, or the rule of this id in a file."""
    if (version is None) == (file is None):
        raise typer.BadParameter("give --version or --file")
    if file is None:
        wish: dict[str, Any] = {"version": version, "reason": reason, "backtest": backtest}
        typer.echo(_stands(_ask(context, "POST", f"{_rule(rule)}/publish", json=wish)))
        return
    wish = {"document": document_of(file, rule), "reason": reason, "draft": draft, "backtest": backtest}
    one = _ask(context, "POST", f"{_rule(rule)}/versions", json=wish)
    typer.echo(f"{rule} v{one['version']} {'drafted' if draft else 'published'}")


def document_of(file: Path, rule: str) -> dict[str, Any]:
    """The one rule of this id in a file of rules; - is stdin."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        found = [one for one in tomllib.loads(text).get("rule", []) if one.get("id") == rule]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        typer.echo(f"{file}: error: {error}")
        raise typer.Exit(1) from None
    if len(found) != 1:
        typer.echo(f"{file}: error: expected one [[rule]] with id {rule!r}, found {len(found)}")
        raise typer.Exit(1)
    document: dict[str, Any] = found[0]
    return document


def rollback(
    context: typer.Context,
    rule: str,
    version: Annotated[int, typer.Option("--to", help="the version to restore")],
    reason: Reason,
    parameter: Annotated[str, typer.Option("--parameter", help="of this parameter, not the rule")] = "",
    area: Area = "",
    product: Product = "",
    device: Device = "",
) -> None:
    """Bring an earlier version of a rule or of a parameter back, as a new version that says which it restores."""
    wish: dict[str, Any] = {"version": version, "reason": reason}
    if parameter:
        wish["scope"] = scope_of(area, product, device)
        show(_ask(context, "POST", f"{_parameter(rule, parameter)}/rollback", json=wish))
        return
    one = _ask(context, "POST", f"{_rule(rule)}/rollback", json=wish)
    typer.echo(f"{rule} v{one['version']} published, restores v{one['restores']}")


def canary(
    context: typer.Context,
    rule: str,
    version: Annotated[int, typer.Option("--version", help="the version to try")],
    reason: Reason,
    area: Areas = None,
) -> None:
    """Put a version in force in some areas alone; elsewhere what was in force stays."""
    wish = {"version": version, "areas": area or [], "reason": reason}
    typer.echo(_stands(_ask(context, "POST", f"{_rule(rule)}/canary", json=wish)))


def shadow(
    context: typer.Context,
    rule: str,
    version: Annotated[int, typer.Option("--version", help="the version to try")],
    reason: Reason,
    area: Areas = None,
) -> None:
    """Judge a version beside what is in force: what it says is counted, and nobody is told."""
    wish = {"version": version, "areas": area or [], "reason": reason}
    typer.echo(_stands(_ask(context, "POST", f"{_rule(rule)}/shadow", json=wish)))


def promote(context: typer.Context, rule: str, reason: Reason) -> None:
    """Put the canary in force everywhere."""
    typer.echo(_stands(_ask(context, "POST", f"{_rule(rule)}/promote", json={"reason": reason})))


def withdraw(
    context: typer.Context,
    rule: str,
    reason: Reason,
    part: Annotated[str, typer.Option("--part", help="rule, canary or shadow")] = "rule",
) -> None:
    """Take a rule, its canary or its shadow out of force; a withdrawn rule's alarms are cleared."""
    typer.echo(
        _stands(_ask(context, "POST", f"{_rule(rule)}/withdraw", json={"part": part, "reason": reason}))
    )


def enable(context: typer.Context, rule: str, reason: Reason) -> None:
    """Put a withdrawn rule in force again."""
    typer.echo(_stands(_ask(context, "POST", f"{_rule(rule)}/enable", json={"reason": reason})))


def preset(context: typer.Context, name: Annotated[str, typer.Argument()] = "", lang: Lang = "en") -> None:
    """List the values by cities' rule sets with their sources; [rules] preset in the configuration chooses."""
    for one in _ask(context, "GET", "/rules/presets")["items"]:
        if name in ("", one["name"]):
            _show_preset(one, lang)


def _show_preset(one: dict[str, Any], lang: str) -> None:
    chosen = " *" if one["chosen"] else ""
    typer.echo(f"{one['name']}{chosen}: {one['zh' if lang == 'zh' else 'en']}")
    for value in one["value"]:
        note = f" ({value['note']})" if value["note"] else ""
        typer.echo(
            f"  {value['rule']} {value['parameter']} = {value['value']:g} {value['unit']}: {value['source']}{note}"
        )


def register(app: typer.Typer) -> None:
    """Under the names that people type."""
    words: dict[str, Callable[..., None]] = {
        "versions": versions,
        "standing": standing,
        "diff": diff,
        "set": set_value,
        "reset": reset,
        "publish": publish,
        "rollback": rollback,
        "canary": canary,
        "promote": promote,
        "shadow": shadow,
        "withdraw": withdraw,
        "enable": enable,
        "preset": preset,
    }
    for name, command in words.items():
        app.command(name)(command)
