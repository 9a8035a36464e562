"""Rules as they are in force, their versions with author and reason, and the parameters that differ from them."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict

from gateway.api.auth import Reader
from gateway.api.resource import resource
from gateway.api.services import Services, With
from gateway.errors import NotFound
from gateway.registry import rulebook_shadows
from gateway.registry.roles import Principal, inside
from rules import presets

router: Final = resource("/rules", "rules")
Id = Annotated[str, Path(max_length=128)]
Version = Annotated[int, Query(ge=1, le=2**31 - 1)]
NEWEST: Final = 100


class RuleView(BaseModel):
    """document: the rule as in TOML. shipped: it came with citygate. restores: the version it brings back. time: µs UTC.

    backtest: what its author was shown of it, in short.
    """

    model_config = ConfigDict(from_attributes=True)

    rule: str
    version: int
    document: dict[str, Any]
    shipped: bool
    author: str
    reason: str
    time: int
    restores: int | None = None
    backtest: dict[str, Any] | None = None


class StandingView(BaseModel):
    """Versions of a rule that are judged: live, canary (in `areas` alone), shadow (tells nobody; no areas = the city).

    withdrawn: by whom it is out of force, "release" or "person"; "" = it is not.
    """

    model_config = ConfigDict(from_attributes=True)

    rule: str
    live: int | None
    withdrawn: str
    canary: int | None
    areas: list[str]
    shadow: int | None
    shadow_areas: list[str]


class DifferenceView(BaseModel):
    """key: dotted, as in the document. en, zh: what it is. before, after: "" = it was not there, it is gone."""

    model_config = ConfigDict(from_attributes=True)

    key: str
    en: str
    zh: str
    before: str
    after: str


class CountView(BaseModel):
    """How often a shadow raised and cleared on a day of the city in an area."""

    model_config = ConfigDict(from_attributes=True)

    rule: str
    version: int
    day: str
    area: str
    raised: int
    cleared: int


class SaidView(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    rule: str
    version: int
    family: str
    device: str
    area: str
    raised: bool
    time: int
    received: int


class PresetValue(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    rule: str
    parameter: str
    value: float
    unit: str
    source: str
    note: str


class PresetView(BaseModel):
    """Values of parameters by a city's rule set, below every scope. chosen: in force by [rules] preset."""

    name: str
    en: str
    zh: str
    chosen: bool
    value: list[PresetValue]


class Override(BaseModel):
    """A parameter's value in a scope: "" (city), area:<path>, product:<id>, device:<id>; "preset": by the city's rule set."""

    model_config = ConfigDict(from_attributes=True)

    rule: str
    name: str
    scope: str
    version: int
    value: float | None
    author: str
    reason: str
    time: int
    restores: int | None = None
    backtest: dict[str, Any] | None = None


class Standings(BaseModel):
    items: list[StandingView]


class Differences(BaseModel):
    items: list[DifferenceView]


class Presets(BaseModel):
    items: list[PresetView]


class ShadowView(BaseModel):
    """newest: the newest of what it said."""

    counts: list[CountView]
    newest: list[SaidView]


class Rules(BaseModel):
    items: list[RuleView]


class Overrides(BaseModel):
    items: list[Override]


@router.get("")
async def list_rules(services: With, _: Reader) -> Rules:
    """Every rule in force, by id."""
    found = await services.rulebook.in_force()
    return Rules(items=[RuleView.model_validate(one) for one in found])


@router.get("/standing")
async def list_standings(services: With, _: Reader) -> Standings:
    """How every rule stands, those that are withdrawn or only tried too."""
    book = await services.rulebook.book()
    return Standings(
        items=[StandingView.model_validate(book.standings[rule]) for rule in sorted(book.standings)]
    )


@router.get("/presets")
async def list_presets(services: With, _: Reader) -> Presets:
    """Values by the rule sets of cities, each with its source."""
    chosen = services.rulebook.preset.name
    return Presets(
        items=[
            PresetView(
                name=one.name,
                en=one.en,
                zh=one.zh,
                chosen=one.name == chosen,
                value=[PresetValue.model_validate(value) for value in one.value],
            )
            for one in presets.load().values()
        ]
    )


@router.get("/{id}/standing")
async def get_standing(services: With, _: Reader, id: Id) -> StandingView:  # noqa: A002 - the field's word, here and below
    """Which of its versions are judged, and where."""
    book = await services.rulebook.book()
    if id not in book.standings:
        raise NotFound(f"no rule {id!r:.80}")
    return StandingView.model_validate(book.standings[id])


@router.get("/{id}/diff")
async def get_diff(services: With, _: Reader, id: Id, before: Version, after: Version) -> Differences:  # noqa: A002
    """What changed from one version to another: conditions, parameters, texts."""
    found = await services.rulebook.diff(id, before, after)
    return Differences(items=[DifferenceView.model_validate(one) for one in found])


@router.get("/{id}/shadow")
async def get_shadow(services: With, caller: Reader, id: Id) -> ShadowView:  # noqa: A002
    """What its shadow said and told nobody: counts by day and area, and the newest of it."""
    counts = await services.store.read(lambda conn: rulebook_shadows.counts(conn, id))
    newest = await services.store.read(lambda conn: rulebook_shadows.newest(conn, id, NEWEST))
    return ShadowView(
        counts=[CountView.model_validate(one) for one in counts if caller.covers(one.area)],
        newest=[SaidView.model_validate(one) for one in newest if caller.covers(one.area)],
    )


@router.get("/{id}/versions")
async def list_versions(services: With, _: Reader, id: Id) -> Rules:  # noqa: A002
    """All versions of a rule, newest first."""
    found = await services.rulebook.versions(id)
    return Rules(items=[RuleView.model_validate(one) for one in found])


@router.get("/{id}/parameters")
async def list_overrides(services: With, caller: Reader, id: Id) -> Overrides:  # noqa: A002
    """Its parameters in force that differ from the rule's own."""
    await services.rulebook.versions(id)
    found = [one for one in await services.rulebook.overrides(id) if concerns(services, caller, one.scope)]
    return Overrides(items=[Override.model_validate(one) for one in found])


@router.get("/{id}/parameters/{name}/versions")
async def list_override_versions(
    services: With,
    caller: Reader,
    id: Id,  # noqa: A002
    name: Id,
    scope: Annotated[str | None, Query(max_length=320)] = None,
) -> Overrides:
    """Every value that was ever set, newest first; of one scope, or of all."""
    found = await services.rulebook.override_versions(id, name, scope)
    mine = [one for one in found if concerns(services, caller, one.scope)]
    return Overrides(items=[Override.model_validate(one) for one in mine])


def concerns(services: Services, caller: Principal, scope: str) -> bool:
    """Whether a device of the caller's areas may be judged by it."""
    kind, _, of = scope.partition(":")
    if kind == "area":
        return caller.covers(of) or any(inside(area, of) for area in caller.areas)
    entry = services.directory.device(of) if kind == "device" else None
    return kind != "device" or caller.covers(entry.area if entry else "")
