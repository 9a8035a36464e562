"""`citygate rules explain` and `rules why`: the reasons of an alarm, and why a rule does or does not fire for a device."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli.context import act
from gateway.cli.remote import ask
from rules.explain_words import Language

Lang = Annotated[Language, typer.Option("--lang", help="en or zh")]
TRUTHS = {True: "yes", False: "no", None: "unknown"}


def explain(context: typer.Context, alarm: str, lang: Lang = "en") -> None:
    """Why this alarm was raised: values, windows, thresholds and whose they are."""
    found = act(
        context, lambda remote: ask(remote, "GET", f"/alarms/{alarm}/explanation", params={"lang": lang})
    )
    typer.echo(found["text"] or f"rule {found['rule']} version {found['version']} is not known any more")


def why(context: typer.Context, rule: str, device: str, lang: Lang = "en") -> None:
    """What a rule sees of a device now, condition by condition."""
    asked = {"device": device, "lang": lang}
    typer.echo(shown(act(context, lambda remote: ask(remote, "GET", f"/rules/{rule}/why", params=asked))))


def shown(found: dict[str, Any]) -> str:
    """A line for the rule, then one for each condition."""
    edge = "clears" if found["state"] == "raised" else "raises"
    head = f"{found['rule']} v{found['version']} on {found['device']}: {found['state']}, {edge}: {TRUTHS[found['truth']]}"
    return "\n".join([head, *(f"  {TRUTHS[part['truth']]:<8} {part['said']}" for part in found["parts"])])
