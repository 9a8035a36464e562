"""One's own account: password, second factor, sessions and language, by the API's own functions.

A secret stands in no address: it is on the page that answers its form, and on no other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ValidationError

from gateway.api import session as api
from gateway.api.auth import Self
from gateway.api.services import With
from gateway.api.session import Confirmation, PasswordChange, Preferences, Proven
from gateway.console.route import PageRoute, explain, invalid
from gateway.console.sheet import Sheet, seen
from gateway.console.speech import COOKIE
from gateway.errors import CallerError, Conflict, Invalid
from gateway.registry import totp
from gateway.registry.passwords import LONGEST
from gateway.registry.roles import Principal
from gateway.registry.users import LANGUAGES

router: Final = APIRouter(prefix="/account", route_class=PageRoute, include_in_schema=False)
HERE: Final = "/account"
KEY: Final = r"[A-Z2-7]{32}"
Model = TypeVar("Model", bound=BaseModel)


@router.get("")
async def show(
    request: Request,
    services: With,
    caller: Self,
    done: Annotated[str, Query(max_length=32)] = "",
) -> Response:
    return await _page(Sheet(request, services, caller), caller, done=done)


@router.post("/password")
async def change_password(request: Request, services: With, caller: Self) -> Response:
    form = await request.form()
    try:
        change = _said(PasswordChange, {name: form.get(name, "") for name in ("old", "new")})
        if form.get("again") != change.new:
            raise Invalid("the new password was typed in two ways", field="again")
        await api.change_password(request, services, caller, change)
    except CallerError as error:
        return await _again(request, services, caller, error, tried="password")
    return seen(HERE, "password")


@router.post("/totp")
async def begin_second_factor(request: Request, services: With, caller: Self) -> Response:
    try:
        begun = await api.begin_second_factor(services, caller)
    except CallerError as error:
        return await _again(request, services, caller, error)
    (key,) = parse_qs(urlsplit(begun.uri).query)["secret"]
    return await _page(Sheet(request, services, caller), caller, key=key)


@router.post("/totp/confirm")
async def confirm_second_factor(request: Request, services: With, caller: Self) -> Response:
    """A wrong code may be typed again: the form brings the key along, so that it stays in sight."""
    form = await request.form()
    key = str(form.get("key", ""))
    try:
        given = _said(Confirmation, {"code": str(form.get("code", "")).replace(" ", "")})
        confirmed = await api.confirm_second_factor(services, caller, given)
    except Invalid as error:
        kept = key if re.fullmatch(KEY, key) else ""
        return await _again(request, services, caller, error, key=kept)
    except CallerError as error:
        return await _again(request, services, caller, error)
    return await _page(Sheet(request, services, caller), caller, codes=confirmed.codes)


@router.post("/totp/remove")
async def remove_second_factor(request: Request, services: With, caller: Self) -> Response:
    form = await request.form()
    try:
        proven = _said(Proven, {"password": form.get("password", "")})
        await api.remove_second_factor(request, services, caller, proven)
    except CallerError as error:
        return await _again(request, services, caller, error, tried="totp")
    return seen(HERE, "totp_off")


@router.post("/sessions/{id}")
async def end_session(
    request: Request,
    services: With,
    caller: Self,
    id: Annotated[int, Path(ge=1, le=2**62)],  # noqa: A002 - the field's word
) -> Response:
    try:
        await api.end_session(services, caller, id)
    except CallerError as error:
        return await _again(request, services, caller, error)
    return seen(HERE, "session")


@router.post("/language")
async def prefer(request: Request, services: With, caller: Self) -> Response:
    """For every browser; what was chosen on this one alone gives way."""
    form = await request.form()
    try:
        await api.change_preferences(
            services, caller, _said(Preferences, {"language": form.get("language", "")})
        )
    except CallerError as error:
        return await _again(request, services, caller, error)
    answer = seen(HERE, "language")
    answer.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return answer


def _said(model: type[Model], fields: dict[str, Any]) -> Model:
    """Raises Invalid."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise invalid(error) from error


async def _again(
    request: Request, services: With, caller: Principal, error: CallerError, *, tried: str = "", key: str = ""
) -> Response:
    """As it is now; what a form was made for may be over."""
    sheet = Sheet(request, services, caller)
    fault = sheet.say.word("fault.stale") if isinstance(error, Conflict) else explain(error, sheet.say)
    return await _page(sheet, caller, fault=fault, status=error.status, tried=tried, key=key)


async def _page(
    sheet: Sheet,
    caller: Principal,
    *,
    fault: str = "",
    done: str = "",
    status: int = 200,
    tried: str = "",
    key: str = "",
    codes: Sequence[str] = (),
) -> Response:
    """tried: the folded form that was sent in vain. key: of a second factor to confirm. Raises Conflict for a token."""
    services = sheet.services
    sessions = await api.list_sessions(services, caller)
    return sheet.page(
        "account.html",
        status,
        here=HERE,
        user=services.people.users.get(caller.name),
        sessions=sessions.items,
        shortest=services.people.settings.shortest_password,
        longest=LONGEST,
        languages=LANGUAGES,
        key=" ".join(re.findall("....", key)),
        uri=totp.uri(key, caller.name) if key else "",
        codes=codes,
        tried=tried,
        fault=fault,
        done=done,
    )
