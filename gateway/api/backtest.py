"""What a change of a rule would have done to the city's own history: jobs with progress, taken back by DELETE."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import Path, Response
from pydantic import BaseModel, ConfigDict, Field

from drivers.telemetry import DAY
from gateway.api.auth import Operator, Reader, within
from gateway.api.resource import resource
from gateway.api.services import Services, With
from gateway.api.span import BodyMoment
from gateway.backtest import plot, values
from gateway.backtest.backtests import Job
from gateway.backtest.prepare import Wish
from gateway.backtest.report import Change, Report, Row, as_csv
from gateway.errors import Conflict, Invalid, NotFound
from gateway.registry.candidate import candidate
from gateway.registry.roles import Principal
from rules.backtest import Version
from rules.control import Parameter

router: Final = resource("", "backtests")
Rule = Annotated[str, Path(max_length=128)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
LONGEST: Final = 400 * DAY
SVG: Final = "image/svg+xml"
CSV: Final = "text/csv; charset=utf-8"


class Span(BaseModel):
    """since ≤ time < until (µs UTC or RFC 3339); until is now where it is not given. area: this path and all below it."""

    model_config = ConfigDict(extra="forbid")

    since: BodyMoment
    until: BodyMoment | None = None
    area: str = Field("", max_length=256)


class BacktestWish(Span):
    """set: parameter values as `rules set` takes them ("120", "0.12 mg/m3"), in a scope.

    document: another rule of this id; version: one of its own, a draft or an earlier one; else the one in force is tried.
    against: what the log's own versions said, or the rule as it is in force now over the whole span; a rule that was not
    in force said nothing.
    """

    set: dict[str, str | float] = Field(default_factory=dict, max_length=50)
    scope: str = Field("", max_length=300)
    document: dict[str, Any] | None = None
    version: int | None = Field(None, ge=1, le=2**31 - 1)
    against: Literal["recorded", "current"] = "recorded"


class SuggestionWish(Span):
    """parameter: which one; the rule's only one, or its `limit`, where it is not given."""

    parameter: str = Field("", max_length=64)


class JobView(BaseModel):
    """state: waiting, running, done, failed or cancelled. rows of total: judged so far. times µs UTC."""

    id: int
    rule: str
    kind: Literal["backtest", "suggestion"]
    since: int
    until: int
    area: str
    actor: str
    created: int
    state: str
    stage: str
    rows: int
    total: int
    error: str
    report: dict[str, Any] | None = None
    suggestion: dict[str, Any] | None = None


class Jobs(BaseModel):
    items: list[JobView]


@router.post("/rules/{id}/backtest", status_code=202)
async def ask_backtest(services: With, caller: Operator, id: Rule, wish: BacktestWish) -> JobView:  # noqa: A002 - the field's word
    """Judge the rule as it would be, over history, beside what it said. Nothing is put in force."""
    within(caller, wish.area.strip("/"))
    found = candidate(await _tried(services, id, wish), wish.set, wish.scope)
    overrides = await _overrides(services, id)
    versions = {"new": Version(found.document, [*overrides, *found.parameters])}
    recorded = wish.against == "recorded"
    document = None if recorded else await _known(services, id)
    if document is not None:
        versions["old"] = Version(document, overrides)
    asked = _wish(services, caller, id, wish, versions, recorded=recorded)
    return _view(services.backtests.ask(asked, caller.actor))


@router.post("/rules/{id}/suggest", status_code=202)
async def ask_suggestion(services: With, caller: Operator, id: Rule, wish: SuggestionWish) -> JobView:  # noqa: A002
    """Look for a better value of a parameter in history and verdicts; the answer says why, or that there is too little data."""
    within(caller, wish.area.strip("/"))
    document, overrides = await _in_force(services, id), await _overrides(services, id)
    question, versions = values.ask(document, overrides, wish.parameter, wish.area.strip("/"))
    asked = _wish(services, caller, id, wish, versions, recorded=True)
    return _view(services.backtests.ask(asked, caller.actor, question))


@router.get("/backtests")
async def list_backtests(services: With, caller: Reader) -> Jobs:
    """Newest first, without their results."""
    return Jobs(items=[_view(job) for job in services.backtests.jobs() if caller.covers(job.wish.area)])


@router.get("/backtests/{number}")
async def get_backtest(services: With, caller: Reader, number: Number) -> JobView:
    """How far it is; its report or suggestion once it is done."""
    return _view(_mine(services, caller, number), results=True)


@router.delete("/backtests/{number}", status_code=204)
async def drop_backtest(services: With, caller: Operator, number: Number) -> None:
    """Take it back where it waits or runs; forget it where it is over."""
    _mine(services, caller, number)
    services.backtests.drop(number)


@router.get(
    "/backtests/{number}/plot.svg",
    response_class=Response,
    responses={200: {"content": {SVG: {}}, "description": "Alarms and cases by day, or by value tried"}},
)
async def get_plot(services: With, caller: Reader, number: Number) -> Response:
    _mine(services, caller, number)
    job = services.backtests.done(number)
    if job.suggestion is not None:
        return Response(plot.of_suggestion(job.wish.rule, job.suggestion), media_type=SVG)
    return Response(plot.of_report(_report(job)), media_type=SVG)


@router.get(
    "/backtests/{number}/days.csv",
    response_class=Response,
    responses={200: {"content": {CSV: {}}, "description": "Alarms and cases by day and area"}},
)
async def get_days(services: With, caller: Reader, number: Number) -> Response:
    _mine(services, caller, number)
    return Response(as_csv(_report(services.backtests.done(number)).by_day, Row), media_type=CSV)


@router.get(
    "/backtests/{number}/changes.csv",
    response_class=Response,
    responses={200: {"content": {CSV: {}}, "description": "Alarms added, removed and shifted"}},
)
async def get_changes(services: With, caller: Reader, number: Number) -> Response:
    _mine(services, caller, number)
    return Response(as_csv(_report(services.backtests.done(number)).changes, Change), media_type=CSV)


def _report(job: Job) -> Report:
    if job.report is None:
        raise Conflict(f"backtest {job.id} is a search for a value; it has a plot and a suggestion")
    return job.report


async def _tried(services: Services, rule: str, wish: BacktestWish) -> dict[str, Any]:
    """The document as it would be; raises Invalid, NotFound."""
    if wish.document is None:
        if wish.version is None:
            return await _in_force(services, rule)
        return (await services.rulebook.version(rule, wish.version)).document
    if wish.version is not None:
        raise Invalid("give a document or a version, not both", field="version")
    if wish.document.get("id") != rule:
        raise Invalid(
            f"the document is of rule {wish.document.get('id')!r:.80}, not of {rule}", field="document"
        )
    return wish.document


async def _known(services: Services, rule: str) -> dict[str, Any] | None:
    """The rule's document as it is in force now."""
    found = {one.rule: one.document for one in await services.rulebook.in_force()}
    return found.get(rule)


async def _in_force(services: Services, rule: str) -> dict[str, Any]:
    """Raises NotFound."""
    document = await _known(services, rule)
    if document is None:
        raise NotFound(f"no rule {rule!r:.80} in force; give the version or the document to try", rule=rule)
    return document


async def _overrides(services: Services, rule: str) -> list[Parameter]:
    """Its parameters by scope, as of now."""
    overrides = await services.rulebook.overrides(rule)
    return [Parameter(one.rule, one.name, one.scope, one.value) for one in overrides]


def _wish(
    services: Services,
    caller: Principal,
    rule: str,
    span: Span,
    versions: dict[str, Version],
    *,
    recorded: bool,
) -> Wish:
    until = min(span.until or services.clock.now(), services.clock.now())
    if not 0 < until - span.since <= LONGEST:
        raise Invalid("'until' comes after 'since', and not more than 400 days after it", field="until")
    area = span.area.strip("/")
    within(caller, area)
    return Wish(rule, versions, span.since, until, area, recorded=recorded)


def _mine(services: Services, caller: Principal, number: int) -> Job:
    job = services.backtests.job(number)
    within(caller, job.wish.area)
    return job


def _view(job: Job, *, results: bool = False) -> JobView:
    wish = job.wish
    return JobView(
        id=job.id,
        rule=wish.rule,
        kind="backtest" if job.question is None else "suggestion",
        since=wish.since,
        until=wish.until,
        area=wish.area,
        actor=job.actor,
        created=job.created,
        state=job.state,
        stage=job.stage,
        rows=job.rows,
        total=max(job.total, job.rows),
        error=job.error,
        report=msgspec.to_builtins(job.report) if results and job.report else None,
        suggestion=msgspec.to_builtins(job.suggestion) if results and job.suggestion else None,
    )
