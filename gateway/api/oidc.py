"""Log in at the provider of [oidc]: there with state, nonce and PKCE, back with a code, and then a session like any other."""

from __future__ import annotations

from html import escape
from typing import Annotated, Final

from fastapi import Query, Request, Response, status
from fastapi.responses import HTMLResponse, RedirectResponse

from drivers.telemetry import SECOND
from gateway.api.auth import Permission, address_of, declare
from gateway.api.journeys import PATIENCE
from gateway.api.provider import Provider
from gateway.api.resource import resource
from gateway.api.services import Services, With
from gateway.api.session import agent_of, refusals, secure, set_cookie
from gateway.errors import Forbidden, LinkError, NotFound, Unauthorized, Unavailable

router: Final = resource("/session/oidc", "people")
COOKIE: Final = "citygate-oidc"  # binds the way back to the browser that set out
PATH: Final = "/api/v1/session/oidc"


@router.get(
    "",
    dependencies=[declare(Permission.OPEN)],
    status_code=status.HTTP_303_SEE_OTHER,
    response_class=RedirectResponse,
    responses=refusals(_404="no provider is configured", _503="it does not answer"),
)
async def set_out(request: Request, services: With) -> Response:
    """Sends the browser to the provider."""
    provider = _provider(services)
    origin = services.people.settings.origin or f"{request.url.scheme}://{request.url.netloc}"
    journey = provider.begin(f"{origin}{PATH}/callback")
    try:
        where = await provider.address(journey)
    except LinkError as error:
        raise Unavailable(f"the provider cannot be reached: {error}") from error
    answer = RedirectResponse(where, status.HTTP_303_SEE_OTHER, {"Cache-Control": "no-store"})
    answer.set_cookie(
        COOKIE,
        services.journeys.begin(journey),
        max_age=PATIENCE // SECOND,
        path=PATH,
        secure=secure(request, services),
        httponly=True,
        samesite="lax",  # the way back is another site's link
    )
    return answer


@router.get(
    "/callback",
    dependencies=[declare(Permission.OPEN)],
    response_class=HTMLResponse,
    responses=refusals(
        _401="not what was begun here", _403="no role here", _404="no provider", _409="the name is taken"
    ),
)
async def come_back(
    request: Request,
    services: With,
    state: Annotated[str, Query(max_length=512)] = "",
    code: Annotated[str, Query(max_length=4096)] = "",
    error: Annotated[str, Query(max_length=256)] = "",
) -> Response:
    """Where the provider sends the browser back to: sets the session's cookie and goes on to /."""
    provider = _provider(services)
    journey = services.journeys.end(request.cookies.get(COOKIE, ""), state)
    if journey is None:
        raise Unauthorized("no log-in was begun from this browser, or too long ago; begin anew")
    if error or not code:
        raise Unauthorized(f"the provider says {error or 'nothing'}")
    try:
        person = await provider.finish(journey, code)
    except LinkError as failed:
        raise Unavailable(f"the provider cannot be reached: {failed}") from failed
    people = services.people
    user = await people.users.of_subject(person.subject, person.name, person.role, person.areas)
    if people.users.find(user.name) is None:
        raise Forbidden("you may not log in here any more")
    word = await people.sessions.begin(user, address_of(request), agent_of(request), "oidc")
    answer = _onward("/")
    set_cookie(answer, request, services, word)
    answer.delete_cookie(COOKIE, path=PATH)
    return answer


def _onward(where: str) -> HTMLResponse:
    """A page and no redirect: a strict cookie does not travel along a way that began at another site."""
    link = escape(where, quote=True)
    return HTMLResponse(
        f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={link}">'
        f'<title>citygate</title><a href="{link}">citygate</a>',
        headers={"Content-Security-Policy": "default-src 'none'"},
    )


def _provider(services: Services) -> Provider:
    if services.provider is None:
        raise NotFound("no provider is configured; see [oidc]")
    return services.provider
