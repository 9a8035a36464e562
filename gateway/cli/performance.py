"""`citygate alarms performance`: what operators are asked to bear, by ISA-18.2 and EEMUA 191."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli.context import act, show
from gateway.cli.remote import ask


def performance(
    context: typer.Context,
    since: Annotated[str | None, typer.Option(help="RFC 3339; default: a day before --until")] = None,
    until: Annotated[str | None, typer.Option(help="RFC 3339; default: now")] = None,
    by: Annotated[str, typer.Option(help="all, area or family")] = "all",
    depth: Annotated[int, typer.Option(min=1, max=16, help="levels of the area path, with --by area")] = 1,
    area: Annotated[str, typer.Option(help="only this area and all below it")] = "",
    operators: Annotated[int, typer.Option(min=1, help="how many share the load")] = 1,
    json: Annotated[bool, typer.Option("--json", help="everything, as JSON")] = False,
) -> None:
    """Rate, floods, the most frequent, chattering, fleeting and stale alarms, and the share of each priority."""
    given = {"since": since, "until": until, "by": by, "depth": depth, "area": area, "operators": operators}
    asked = {name: value for name, value in given.items() if value not in {None, ""}}
    found = act(context, lambda remote: ask(remote, "GET", "/alarms/performance", params=asked))
    if json:
        show(found)
    else:
        typer.echo("\n".join(lines(found)))


def lines(found: dict[str, Any]) -> list[str]:
    """One block for each of what is compared, then what stands now."""
    told = [line for name, one in found["items"].items() for line in _block(name, one, found["targets"])]
    return [*told, f"now: {found['standing']} standing, {found['stale']} of them for more than a day"]


def _block(name: str, one: dict[str, Any], targets: dict[str, Any]) -> list[str]:
    shares = ", ".join(
        f"{word} {share:.0%} (about {targets['priorities'][word]:.0%})"
        for word, share in one["priorities"].items()
    )
    rate = f"{one['average']:g} in ten minutes for an operator: {one['load']}"
    floods = f"{len(one['floods'])} floods, {one['flooded']:.1%} of the time"
    return [
        f"{name or 'all'}: {one['alarms']} alarms, {rate}; peak {one['peak']}, {floods}",
        f"  priorities: {shares}",
        f"  ten rules make {one['top_share']:.0%}: " + (_often(one["rules"], "rule") or "none"),
        f"  devices: {_often(one['devices'], 'device') or 'none'}",
        f"  chattering: {_pairs(one['chattering']) or 'none'}; fleeting: {one['fleeting']}",
    ]


def _often(several: list[dict[str, Any]], what: str) -> str:
    return ", ".join(f"{each[what]} {each['times']}" for each in several)


def _pairs(several: list[dict[str, Any]]) -> str:
    return ", ".join(f"{each['rule']} on {each['device']} {each['times']}" for each in several)
