"""Tokens of people and programs; only administrators see to them."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Path, status
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.auth import Admin
from gateway.api.resource import resource
from gateway.api.services import With
from gateway.api.span import BodyMoment
from gateway.api.users import Areas
from gateway.registry.roles import Role
from gateway.registry.users import checked_areas

router: Final = resource("/tokens", "tokens")


class TokenView(BaseModel):
    """Times µs UTC. creator: who made it. owner: the person whose it is; areas: area paths, [] = the whole city."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    role: Role
    created: int
    creator: str
    revoked: int | None
    owner: str | None
    expires: int | None
    areas: list[str]


class TokenNew(BaseModel):
    """owner: a user; the token never opens more than they may. expires: µs UTC or RFC 3339; null: until it is revoked."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    role: Role
    owner: str | None = Field(None, max_length=64)
    expires: BodyMoment | None = None
    areas: Areas = []


class TokenCreated(BaseModel):
    """secret: the token itself, shown this once."""

    token: TokenView
    secret: str


class TokenList(BaseModel):
    items: list[TokenView]


@router.get("")
async def list_tokens(services: With, _: Admin) -> TokenList:
    """All there ever were, revoked ones too."""
    return TokenList(items=[TokenView.model_validate(one) for one in await services.tokens.listing()])


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_token(services: With, caller: Admin, new: TokenNew) -> TokenCreated:
    owner = services.people.users.get(new.owner).name if new.owner is not None else None
    areas = tuple(checked_areas(new.areas))
    token, secret = await services.tokens.create(
        new.name, new.role, caller.actor, owner=owner, expires=new.expires, areas=areas
    )
    return TokenCreated(token=TokenView.model_validate(token), secret=secret)


@router.delete("/{id}", status_code=status.HTTP_204_NO_CONTENT)
async def revoke_token(services: With, caller: Admin, id: Annotated[int, Path(ge=1, le=2**62)]) -> None:  # noqa: A002 - the field's word
    """It opens nothing from now on; the last admin's cannot be revoked."""
    await services.tokens.revoke(id, caller.actor)
