"""Changes to rules and their parameters: each with a reason, each a version, refused whole where it could not be in force.

Parameters may be set by who is limited to areas, within them; versions of rules are the whole city's.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.api.auth import CityOperator, Operator, within, within_device
from gateway.api.resource import resource
from gateway.api.rules import Id, Override, RuleView, StandingView
from gateway.api.services import Services, With
from gateway.backtest.shown import shown
from gateway.errors import Forbidden, Invalid
from gateway.registry.candidate import check_scope
from gateway.registry.roles import Principal

router: Final = resource("/rules", "rules")
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
Scope = Annotated[str, Field(max_length=320)]


class Wish(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field(max_length=2000)


class VersionWish(Wish):
    version: Number


class PublishWish(VersionWish):
    """backtest: the number of the one that the author was shown, as long as it is kept."""

    backtest: Number | None = None


class Written(Wish):
    """document: the rule as in TOML. draft: kept, and in force nowhere. backtest: the number of the one the author was shown."""

    document: dict[str, Any]
    draft: bool = False
    backtest: Number | None = None


class TrialWish(VersionWish):
    """areas: paths, each with all below it; none = the whole city, for a shadow alone."""

    areas: list[str] = Field(default_factory=list, max_length=100)


class WithdrawWish(Wish):
    part: Literal["rule", "canary", "shadow"] = "rule"


class ScopeWish(Wish):
    """scope: "" (city), area:<path>, product:<id> or device:<id>."""

    scope: Scope = ""


class ValueWish(ScopeWish):
    """value: in the parameter's unit, or as text with a unit: "0.12 mg/m3". backtest: the number of the one the author was shown."""

    value: float | str
    backtest: Number | None = None


class RestoreWish(ScopeWish):
    version: Number


@router.post("/{id}/versions", status_code=201)
async def write_version(services: With, caller: CityOperator, id: Id, wish: Written) -> RuleView:  # noqa: A002 - the field's word, here and below
    """A new version, in force from the next tick unless it is a draft."""
    document = {"id": id, **wish.document}
    if document["id"] != id:
        raise Invalid(f"the document is of rule {document['id']!r:.80}, not of {id}", field="document")
    kept = _shown(services, caller, id, wish.backtest)
    one = await services.rulebook.write(document, caller.actor, wish.reason, draft=wish.draft, backtest=kept)
    return RuleView.model_validate(one)


@router.post("/{id}/publish")
async def publish(services: With, caller: CityOperator, id: Id, wish: PublishWish) -> StandingView:  # noqa: A002
    """A draft in force everywhere."""
    kept = _shown(services, caller, id, wish.backtest)
    one = await services.rulebook.publish(id, wish.version, caller.actor, wish.reason, backtest=kept)
    return StandingView.model_validate(one)


@router.post("/{id}/rollback", status_code=201)
async def rollback(services: With, caller: CityOperator, id: Id, wish: VersionWish) -> RuleView:  # noqa: A002
    """Any earlier version in force again, as a new version that says which it restores."""
    one = await services.rulebook.rollback(id, wish.version, caller.actor, wish.reason)
    return RuleView.model_validate(one)


@router.post("/{id}/canary")
async def start_canary(services: With, caller: CityOperator, id: Id, wish: TrialWish) -> StandingView:  # noqa: A002
    """A version in force in these areas; elsewhere what was in force stays."""
    one = await services.rulebook.canary(id, wish.version, wish.areas, caller.actor, wish.reason)
    return StandingView.model_validate(one)


@router.post("/{id}/promote")
async def promote(services: With, caller: CityOperator, id: Id, wish: Wish) -> StandingView:  # noqa: A002
    """The canary in force everywhere."""
    return StandingView.model_validate(await services.rulebook.promote(id, caller.actor, wish.reason))


@router.post("/{id}/shadow")
async def start_shadow(services: With, caller: CityOperator, id: Id, wish: TrialWish) -> StandingView:  # noqa: A002
    """A version judged beside what is in force: what it says is counted, and nobody is told."""
    one = await services.rulebook.shadow(id, wish.version, wish.areas, caller.actor, wish.reason)
    return StandingView.model_validate(one)


@router.post("/{id}/withdraw")
async def withdraw(services: With, caller: CityOperator, id: Id, wish: WithdrawWish) -> StandingView:  # noqa: A002
    """Out of force: the rule, its canary or its shadow. Alarms of a withdrawn rule are cleared, with that as the reason."""
    one = await services.rulebook.withdraw(id, wish.part, caller.actor, wish.reason)
    return StandingView.model_validate(one)


@router.post("/{id}/enable")
async def enable(services: With, caller: CityOperator, id: Id, wish: Wish) -> StandingView:  # noqa: A002
    """A withdrawn rule in force again."""
    return StandingView.model_validate(await services.rulebook.enable(id, caller.actor, wish.reason))


@router.put("/{id}/parameters/{name}")
async def set_parameter(services: With, caller: Operator, id: Id, name: Id, wish: ValueWish) -> Override:  # noqa: A002
    """Its value in a scope; the most specific scope of a device wins."""
    _may(services, caller, wish.scope)
    kept = _shown(services, caller, id, wish.backtest)
    one = await services.rulebook.override(
        id, name, wish.scope, wish.value, caller.actor, wish.reason, backtest=kept
    )
    return Override.model_validate(one)


@router.post("/{id}/parameters/{name}/reset")
async def reset_parameter(services: With, caller: Operator, id: Id, name: Id, wish: ScopeWish) -> Override:  # noqa: A002
    """Take its value in a scope away: what is less specific counts again."""
    _may(services, caller, wish.scope)
    one = await services.rulebook.override(id, name, wish.scope, None, caller.actor, wish.reason)
    return Override.model_validate(one)


@router.post("/{id}/parameters/{name}/rollback")
async def restore_parameter(
    services: With,
    caller: Operator,
    id: Id,  # noqa: A002
    name: Id,
    wish: RestoreWish,
) -> Override:
    """Its value in a scope as an earlier version had it, as a new version that says which it restores."""
    _may(services, caller, wish.scope)
    one = await services.rulebook.restore(id, name, wish.scope, wish.version, caller.actor, wish.reason)
    return Override.model_validate(one)


def _shown(services: Services, caller: Principal, rule: str, number: int | None) -> dict[str, Any] | None:
    """Raises NotFound, Forbidden, Conflict, Invalid."""
    if number is None:
        return None
    job = services.backtests.job(number)
    within(caller, job.wish.area)
    return shown(services.backtests.done(number), rule)


def _may(services: Services, caller: Principal, scope: str) -> None:
    """Raises Forbidden where a caller limited to areas would change what lies outside them."""
    check_scope(scope)
    kind, _, of = scope.partition(":")
    if kind == "area":
        within(caller, of)
    elif kind == "device":
        within_device(services, caller, of)
    elif caller.areas:
        raise Forbidden("this is of the whole city; you are limited to areas", areas=list(caller.areas))
