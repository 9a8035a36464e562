"""Log in and out, and in which language: the only pages that anyone may open."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from gateway.api.auth import Permission, Self, address_of, declare, same_origin
from gateway.api.people import CodeRequired
from gateway.api.services import With
from gateway.api.session import agent_of, clear_cookie, secure, set_cookie
from gateway.console.route import PageRoute, explain
from gateway.console.sheet import HOME, anyone, local, seen
from gateway.console.speech import COOKIE, Speech
from gateway.errors import TooMany, Unauthorized
from rules.explain_words import PLACE

router: Final = APIRouter(route_class=PageRoute, include_in_schema=False)
YEAR: Final = 366 * 86_400  # s
LONGEST: Final = {"name": 64, "password": 1024, "code": 32}


@router.get("/login", dependencies=[declare(Permission.OPEN)])
async def ask(request: Request, services: With, next: str = HOME) -> Response:  # noqa: A002 - as the address says it
    """Who is logged in already goes on."""
    sheet = anyone(request, services)
    if sheet.caller is not None:
        return seen(local(next))
    return sheet.page(
        "login.html", next=local(next), name="", code=False, provider=services.provider is not None
    )


@router.post("/login", dependencies=[declare(Permission.OPEN)])
async def log_in(request: Request, services: With) -> Response:
    same_origin(request, services)
    form = await request.form()
    given = {field: str(form.get(field, ""))[:most] for field, most in LONGEST.items()}
    where = local(str(form.get("next", HOME)))
    sheet = anyone(request, services)
    try:
        word = await services.people.log_in(
            given["name"],
            given["password"],
            given["code"].replace(" ", ""),
            address_of(request),
            agent_of(request),
        )
    except (Unauthorized, TooMany) as error:
        return sheet.page(
            "login.html",
            error.status,
            here="/login",
            next=where,
            name=given["name"],
            code=error.members.get("field") == "code",
            provider=services.provider is not None,
            fault=_said(error, sheet.say),
        )
    answer = seen(where)
    set_cookie(answer, request, services, word)
    return answer


@router.post("/logout")
async def log_out(services: With, caller: Self) -> Response:
    """A token has no session: there is nothing to end."""
    if caller.session:
        await services.people.sessions.end(caller.name, caller.session, caller.actor)
    answer = seen("/login")
    clear_cookie(answer)
    return answer


@router.post("/language", dependencies=[declare(Permission.OPEN)])
async def speak(request: Request, services: With) -> Response:
    """For this browser, whoever sits there."""
    same_origin(request, services)
    form = await request.form()
    answer = seen(local(str(form.get("next", HOME))))
    language = str(form.get("lang", ""))
    if language in PLACE:
        answer.set_cookie(
            COOKIE, language, max_age=YEAR, secure=secure(request, services), httponly=True, samesite="lax"
        )
    return answer


def _said(error: Unauthorized | TooMany, say: Speech) -> str:
    if isinstance(error, TooMany):
        return explain(error, say)
    if isinstance(error, CodeRequired):
        return say.word("code_required")
    return say.word("wrong_code" if error.members.get("field") == "code" else "wrong")
