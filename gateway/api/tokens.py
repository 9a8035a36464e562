"""Tokens of people and programs; only administrators see to them."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, status
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.auth import Admin
from gateway.api.services import With
from gateway.registry.tokens import Role

router: Final = APIRouter(prefix="/tokens", tags=["tokens"])


class TokenView(BaseModel):
    """Times µs UTC. creator: who made it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    role: Role
    created: int
    creator: str
    revoked: int | None


class TokenNew(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    role: Role


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
    token, secret = await services.tokens.create(new.name, new.role, caller.actor)
    return TokenCreated(token=TokenView.model_validate(token), secret=secret)


@router.delete("/{id}", status_code=status.HTTP_204_NO_CONTENT)
async def revoke_token(services: With, caller: Admin, id: Annotated[int, Path(ge=1, le=2**62)]) -> None:  # noqa: A002 - the field's word
    """It opens nothing from now on; the last admin's cannot be revoked."""
    await services.tokens.revoke(id, caller.actor)
