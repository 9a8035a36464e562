"""Rules as they are in force, their versions with author and reason, and the parameters that differ from them."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict

from gateway.api.auth import Reader
from gateway.api.services import With

router: Final = APIRouter(prefix="/rules", tags=["rules"])
Id = Annotated[str, Path(max_length=128)]


class RuleView(BaseModel):
    """document: the rule as in TOML. shipped: it came with citygate. time: µs UTC."""

    model_config = ConfigDict(from_attributes=True)

    rule: str
    version: int
    document: dict[str, Any]
    shipped: bool
    author: str
    reason: str
    time: int


class Override(BaseModel):
    """A parameter's value in a scope: "" (city), area:<path>, product:<id> or device:<id>."""

    model_config = ConfigDict(from_attributes=True)

    rule: str
    name: str
    scope: str
    version: int
    value: float | None
    author: str
    reason: str
    time: int


class Rules(BaseModel):
    items: list[RuleView]


class Overrides(BaseModel):
    items: list[Override]


@router.get("")
async def list_rules(services: With, _: Reader) -> Rules:
    """Every rule in force, by id."""
    found = await services.rulebook.in_force()
    return Rules(items=[RuleView.model_validate(one) for one in found])


@router.get("/{id}/versions")
async def list_versions(services: With, _: Reader, id: Id) -> Rules:  # noqa: A002 - the field's word, here and below
    """All versions of a rule, newest first."""
    found = await services.rulebook.versions(id)
    return Rules(items=[RuleView.model_validate(one) for one in found])


@router.get("/{id}/parameters")
async def list_overrides(services: With, _: Reader, id: Id) -> Overrides:  # noqa: A002
    """Its parameters in force that differ from the rule's own."""
    await services.rulebook.versions(id)
    found = await services.rulebook.overrides(id)
    return Overrides(items=[Override.model_validate(one) for one in found])
