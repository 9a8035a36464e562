"""Users: administrators of the whole city see to who may come in, as what, and where."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Path, status
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.auth import Admin
from gateway.api.resource import resource
from gateway.api.services import With
from gateway.api.session import Language, Password, refusals
from gateway.errors import Invalid
from gateway.registry.roles import Role
from gateway.registry.users import NAME

router: Final = resource("/users", "people")
Name = Annotated[str, Path(max_length=64)]
Areas = Annotated[list[str], Field(max_length=100)]


class UserView(BaseModel):
    """areas: area paths, each with all below it; [] = the whole city. second: since when a second factor is asked for.

    has_password: else comes by OIDC, or cannot log in yet. disabled: since when they may not come in. Times µs UTC.
    """

    model_config = ConfigDict(from_attributes=True)

    name: str
    role: Role
    areas: list[str]
    language: str
    has_password: bool
    second: int | None
    disabled: int | None
    created: int
    creator: str


class UserNew(BaseModel):
    """password: "" = they come by OIDC, or are given one later."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=NAME)
    role: Role
    areas: Areas = []
    language: Language = ""
    password: Password = ""


class UserChange(BaseModel):
    """Only what is given changes."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    areas: Areas | None = None
    language: Language | None = None
    disabled: bool | None = None


class NewPassword(BaseModel):
    model_config = ConfigDict(extra="forbid")

    password: Password


class SecondFactor(BaseModel):
    """uri: for the phone, as a QR code. codes: each opens once in place of the phone. Shown this once."""

    uri: str
    codes: list[str]


class Ended(BaseModel):
    """sessions: how many there were."""

    sessions: int


class UserList(BaseModel):
    items: list[UserView]


@router.get("")
async def list_users(services: With, _: Admin) -> UserList:
    """By name, disabled ones too."""
    return UserList(items=[UserView.model_validate(one) for one in services.people.users.listing()])


@router.post("", status_code=status.HTTP_201_CREATED, responses=refusals(_409="the name is taken"))
async def create_user(services: With, caller: Admin, new: UserNew) -> UserView:
    made = await services.people.users.create(
        new.name, new.role, caller.actor, areas=new.areas, language=new.language, password=new.password
    )
    return UserView.model_validate(made)


@router.get("/{name}")
async def get_user(services: With, _: Admin, name: Name) -> UserView:
    return UserView.model_validate(services.people.users.get(name))


@router.patch("/{name}", responses=refusals(_409="the last admin of the whole city stays"))
async def change_user(services: With, caller: Admin, name: Name, change: UserChange) -> UserView:
    """It holds at once, for sessions and tokens too; who is disabled is logged out."""
    given = change.model_dump(exclude_unset=True)
    if None in given.values():
        raise Invalid("null changes nothing; leave it out")
    changed = await services.people.users.change(name, caller.actor, given)
    if changed.disabled is not None:
        await services.people.sessions.end_all(name, caller.actor)
    return UserView.model_validate(changed)


@router.post("/{name}/password", status_code=status.HTTP_204_NO_CONTENT)
async def set_password(services: With, caller: Admin, name: Name, new: NewPassword) -> None:
    """All their sessions end."""
    await services.people.users.set_password(name, new.password, caller.actor)
    await services.people.sessions.end_all(name, caller.actor)


@router.post("/{name}/totp", responses=refusals(_409="there is one already"))
async def set_second_factor(services: With, caller: Admin, name: Name) -> SecondFactor:
    """A second factor, asked for from now on."""
    uri, codes = await services.people.users.enrol(name, caller.actor, confirmed=True)
    return SecondFactor(uri=uri, codes=codes)


@router.delete("/{name}/totp", status_code=status.HTTP_204_NO_CONTENT)
async def remove_second_factor(services: With, caller: Admin, name: Name) -> None:
    """For who has lost phone and codes."""
    await services.people.users.drop_second(name, caller.actor)


@router.delete("/{name}/sessions")
async def end_sessions(services: With, caller: Admin, name: Name) -> Ended:
    """They are logged out everywhere."""
    services.people.users.get(name)
    return Ended(sessions=await services.people.sessions.end_all(name, caller.actor))
