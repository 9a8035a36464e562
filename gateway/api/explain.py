"""Why an alarm was raised, and why a rule does or does not fire for a device now, in English or 中文."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict

from gateway.api.auth import Reader, within
from gateway.api.resource import resource
from gateway.api.services import With
from gateway.cases import query
from gateway.errors import NotFound
from rules.explain_words import Language

router: Final = resource("", "explanations")
Lang = Annotated[Language, Query(description="en or zh")]


class Explanation(BaseModel):
    """text: the whole reason, "" where that version of the rule cannot be read any more. raised: event time, µs UTC."""

    alarm: str
    rule: str
    version: int
    device: str
    raised: int
    lang: Language
    text: str
    evidence: dict[str, Any]


class PartView(BaseModel):
    """One condition as it is now. truth null: unknown, which neither raises nor clears."""

    model_config = ConfigDict(from_attributes=True)

    condition: str
    truth: bool | None
    said: str


class WhyView(BaseModel):
    """state: idle, pending (its hold of `hold` µs runs since `since`) or raised (since `since`).

    truth: whether the condition holds that would raise it, or, where it stands, clear it; parts: what that is made of.
    """

    model_config = ConfigDict(from_attributes=True)

    rule: str
    version: int
    device: str
    state: str
    since: int | None
    hold: int
    truth: bool | None
    parts: list[PartView]
    evidence: dict[str, Any]


@router.get("/alarms/{id}/explanation")
async def explain_alarm(
    services: With,
    caller: Reader,
    id: Annotated[str, Path(max_length=32)],  # noqa: A002 - the field's word
    lang: Lang = "en",
) -> Explanation:
    """Values, windows and their share of data, thresholds and whose they are, by the version that raised it."""
    alarm = (await services.store.read(lambda conn: query.alarm(conn, id))).alarm
    within(caller, alarm.area)
    (text,) = await services.explanations.of([alarm], lang)
    return Explanation(
        alarm=alarm.id,
        rule=alarm.rule,
        version=alarm.version,
        device=alarm.device,
        raised=alarm.raised,
        lang=lang,
        text=text,
        evidence=alarm.evidence,
    )


@router.get("/rules/{id}/why")
async def explain_rule(
    services: With,
    caller: Reader,
    id: Annotated[str, Path(max_length=128)],  # noqa: A002 - the field's word
    device: Annotated[str, Query(max_length=64)],
    lang: Lang = "en",
) -> WhyView:
    """What the rule sees of the device now, condition by condition."""
    entry = services.directory.device(device)
    if entry is None:
        raise NotFound(f"no device {device!r:.80}")
    within(caller, entry.area)
    found = services.explanations.why(id, entry.family, entry.index, lang)
    return WhyView(
        rule=found.rule,
        version=found.version,
        device=entry.id,
        state=found.state,
        since=found.since,
        hold=found.hold,
        truth=found.truth,
        parts=[PartView.model_validate(part) for part in found.parts],
        evidence=found.evidence,
    )
