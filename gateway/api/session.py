"""One's own session: log in and out, who one is, password, second factor, and the other places one is logged in at."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import Path, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.auth import (
    COOKIE,
    Permission,
    Self,
    address_of,
    declare,
    same_origin,
)
from gateway.api.problem import MEDIA, Problem
from gateway.api.resource import resource
from gateway.api.services import Services, With
from gateway.errors import Conflict
from gateway.registry.passwords import LONGEST
from gateway.registry.roles import Principal, Role
from gateway.registry.users import User

router: Final = resource("/session", "people")
Language = Literal["", "en", "zh"]
Code = Annotated[str, Field(max_length=32, pattern=r"^[0-9A-Za-z -]*$")]
Password = Annotated[str, Field(max_length=LONGEST)]


def refusals(**said: str) -> dict[int | str, dict[str, Any]]:
    """Answers for OpenAPI: by status with an underscore before it, why."""
    return {
        int(name[1:]): {"model": Problem, "description": why, "content": {MEDIA: {}}}
        for name, why in said.items()
    }


class LogIn(BaseModel):
    """code: of the phone, or a recovery code, where a second factor is set."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=64)
    password: Password
    code: Code = ""


class Me(BaseModel):
    """areas: area paths, each with all below it; [] = the whole city. session: 0 = by a token.

    csrf: what every write by cookie sends, as X-CSRF-Token or as the form field csrf.
    """

    model_config = ConfigDict(from_attributes=True)

    actor: str
    name: str
    role: Role
    areas: list[str]
    language: str
    session: int
    csrf: str


class Preferences(BaseModel):
    model_config = ConfigDict(extra="forbid")

    language: Language


class PasswordChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    old: Password
    new: Password


class SessionView(BaseModel):
    """Times µs UTC. agent: as the browser calls itself. own: the one that asks."""

    id: int
    created: int
    seen: int
    expires: int
    address: str
    agent: str
    own: bool


class SessionList(BaseModel):
    items: list[SessionView]


class Key(BaseModel):
    """uri: for the phone, as a QR code; it counts once a code of it was confirmed."""

    uri: str


class Confirmation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code: Code


class RecoveryCodes(BaseModel):
    """Each opens once in place of the phone; shown this once."""

    codes: list[str]


class Proven(BaseModel):
    model_config = ConfigDict(extra="forbid")

    password: Password


@router.post(
    "",
    dependencies=[declare(Permission.OPEN)],
    responses=refusals(
        _401="wrong, or a second factor is asked for", _403="another site", _429="too many tries"
    ),
)
async def log_in(request: Request, response: Response, services: With, given: LogIn) -> Me:
    """Sets the session's cookie. 401 `code-required`: the same again with the code of the phone."""
    same_origin(request, services)
    people = services.people
    word = await people.log_in(given.name, given.password, given.code, address_of(request), agent_of(request))
    set_cookie(response, request, services, word)
    caller = people.sessions.authenticate(word)
    assert caller is not None
    return view(caller)


@router.get("")
async def me(caller: Self) -> Me:
    return view(caller)


@router.delete("", status_code=status.HTTP_204_NO_CONTENT, responses=refusals(_409="a token has no session"))
async def log_out(response: Response, services: With, caller: Self) -> None:
    user = _person(services, caller)
    await services.people.sessions.end(user.name, caller.session, caller.actor)
    clear_cookie(response)


@router.patch("", responses=refusals(_409="a token has no preferences"))
async def change_preferences(services: With, caller: Self, wanted: Preferences) -> Me:
    user = _person(services, caller)
    changed = await services.people.users.change(user.name, user.actor, {"language": wanted.language})
    return Me(**{**view(caller).model_dump(), "language": changed.language})


@router.post(
    "/password",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=refusals(_401="the old one is wrong", _409="a token has no password", _429="too many tries"),
)
async def change_password(request: Request, services: With, caller: Self, change: PasswordChange) -> None:
    """All other sessions end."""
    user = _person(services, caller)
    await services.people.change_password(user, change.old, change.new, address_of(request))
    await services.people.sessions.end_all(user.name, user.actor, but=caller.session)


@router.get("/list", responses=refusals(_409="a token has no sessions"))
async def list_sessions(services: With, caller: Self) -> SessionList:
    """Where one is logged in, the newest first."""
    user = _person(services, caller)
    names = [name for name in SessionView.model_fields if name != "own"]
    return SessionList(
        items=[
            SessionView(**{name: getattr(one, name) for name in names}, own=one.id == caller.session)
            for one in services.people.sessions.of(user.name)
        ]
    )


@router.delete("/list/{id}", status_code=status.HTTP_204_NO_CONTENT)
async def end_session(
    services: With,
    caller: Self,
    id: Annotated[int, Path(ge=1, le=2**62)],  # noqa: A002 - the field's word
) -> None:
    """Log out there."""
    user = _person(services, caller)
    await services.people.sessions.end(user.name, id, user.actor)


@router.post("/totp", responses=refusals(_409="there is one already; or a token, which has none"))
async def begin_second_factor(services: With, caller: Self) -> Key:
    """A new key for the phone."""
    user = _person(services, caller)
    uri, _ = await services.people.users.enrol(user.name, user.actor)
    return Key(uri=uri)


@router.post("/totp/confirm", responses=refusals(_409="none was begun; or a token, which has none"))
async def confirm_second_factor(services: With, caller: Self, given: Confirmation) -> RecoveryCodes:
    """From now on its code is asked for at every log-in."""
    user = _person(services, caller)
    return RecoveryCodes(codes=await services.people.users.confirm(user.name, given.code, user.actor))


@router.post(
    "/totp/remove",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=refusals(_401="the password is wrong", _409="a token has none", _429="too many tries"),
)
async def remove_second_factor(request: Request, services: With, caller: Self, proven: Proven) -> None:
    user = _person(services, caller)
    await services.people.check_password(user, proven.password, address_of(request))
    await services.people.users.drop_second(user.name, user.actor)


def view(caller: Principal) -> Me:
    return Me.model_validate(caller)


def agent_of(request: Request) -> str:
    return "".join(c for c in request.headers.get("user-agent", "") if c.isprintable())


def set_cookie(response: Response, request: Request, services: Services, word: str) -> None:
    """No script reads it, no other site sends it along."""
    settings = services.people.settings
    response.set_cookie(
        COOKIE,
        word,
        max_age=settings.longest_hours * 3_600,
        path="/",
        secure=secure(request, services),
        httponly=True,
        samesite="strict",
    )
    response.headers["Cache-Control"] = "no-store"


def secure(request: Request, services: Services) -> bool:
    """Whether a cookie is sent over TLS only."""
    settings = services.people.settings
    return settings.secure or settings.origin.startswith("https:") or request.url.scheme == "https"


def clear_cookie(response: Response) -> None:
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


def _person(services: Services, caller: Principal) -> User:
    """Raises Conflict where no person is logged in."""
    if not caller.session:
        raise Conflict("this is of a person's session; you came by a token")
    return services.people.users.get(caller.name)
