"""Who may do what, and where. Every route declares its permission here or it does not pass the tests; roles are a table.

A caller comes by a token (Authorization: Bearer) or by a session's cookie; a cookie's writes must show that our own page asked.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from gateway.api.services import Services
from gateway.errors import CallerError, Forbidden, TooMany, Unauthorized
from gateway.registry.roles import Principal, Role, common, least


class Permission(StrEnum):
    READ = "read"  # everything but secrets
    SELF = "self"  # one's own session, password and second factor
    REPORT = "report"  # bring reports, and see by Open311 how they stand
    WORK = "work"  # a crew's part of a case
    OPERATE = "operate"  # alarms, dispatch, telemetry for any device
    COMMAND = "command"  # ask for commands, take them back, pull the kill switch
    APPROVE = "approve"  # agree to what another asked for, release the kill switch
    SUPERVISE = "supervise"  # longer or suspended limits, void and reopened cases, the audit
    REGISTER = "register"  # devices, sources and their secrets
    ADMINISTER = "administer"  # users and tokens
    SPEAK = "speak"  # telemetry, by the secret of a device or source, or OPERATE
    OPEN = "open"  # anyone


_READS: Final = frozenset({Permission.READ, Permission.SELF})
_WORKS: Final = _READS | {Permission.WORK}
_OPERATES: Final = _WORKS | {Permission.REPORT, Permission.OPERATE, Permission.COMMAND, Permission.APPROVE}
_SUPERVISES: Final = _OPERATES | {Permission.SUPERVISE}
ROLES: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.REPORTER: frozenset({Permission.SELF, Permission.REPORT}),
    Role.VIEWER: _READS,
    Role.CREW: _WORKS,
    Role.OPERATOR: _OPERATES,
    Role.SUPERVISOR: _SUPERVISES,
    Role.ADMIN: _SUPERVISES | {Permission.REGISTER, Permission.ADMINISTER},
}

LOCAL: Final = "citygate.local"  # in the scope of a request that came by the local socket
COOKIE: Final = "citygate"
HEADER: Final = "X-CSRF-Token"
FIELD: Final = "csrf"  # of a form, where no script can set the header
SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS"))
FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")

bearer: Final = HTTPBearer(
    auto_error=False, description="A token of citygate; telemetry: also a device's secret"
)
cookie: Final = APIKeyCookie(
    name=COOKIE, auto_error=False, description=f"A person's session; every write also sends {HEADER}"
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]
Cookie = Annotated[str | None, Security(cookie)]


def secret_of(credentials: HTTPAuthorizationCredentials | None) -> bytes:
    """What was sent; nothing opens no door."""
    return credentials.credentials.encode() if credentials else b""


def address_of(request: Request) -> str:
    """Of the other side; "" where it came by this machine's own socket."""
    return request.client.host if request.client else ""


def turned_away(services: Services, request: Request, user: str, error: Unauthorized) -> CallerError:
    """What a wrong secret is answered: `error`, and TooMany where name or address have failed too often lately."""
    wait = services.logins.failed(user, address_of(request))
    return TooMany("too many wrong secrets; wait before the next try", math.ceil(wait)) if wait else error


def may(caller: Principal, permission: Permission) -> bool:
    return permission in ROLES[caller.role]


def by_token(services: Services, secret: bytes) -> Principal | None:
    """Whose token this is: never more than its owner may now."""
    token = services.tokens.authenticate(secret)
    if token is None:
        return None
    if token.owner is None:
        return Principal(token.actor, token.name, token.role, token.areas)
    owner = services.people.users.find(token.owner)
    areas = common(token.areas, owner.areas) if owner else None
    if owner is None or areas is None:
        return None
    role = least(token.role, owner.role)
    if not ROLES[role] <= ROLES[token.role] & ROLES[owner.role]:
        return None
    return Principal(token.actor, token.name, role, areas, owner.language)


def by_cookie(services: Services, request: Request) -> Principal | None:
    """Who is logged in, where anyone is. For pages; their writes go through `require`."""
    word = request.cookies.get(COOKIE)
    return services.people.sessions.authenticate(word) if word else None


def require(permission: Permission, *, whole: bool = False) -> Any:
    """A dependency that gives the caller, or raises Unauthorized or Forbidden. whole: only who is limited to no areas."""

    async def caller(request: Request, credentials: Credentials, session: Cookie) -> Principal:
        found = await _caller(request, request.app.state.services, credentials, session)
        if not may(found, permission):
            raise Forbidden(f"role {found.role} may not {permission}", permission=str(permission))
        if whole and found.areas:
            raise Forbidden("this is of the whole city; you are limited to areas", areas=list(found.areas))
        return found

    caller.whole = whole  # type: ignore[attr-defined]
    return Depends(_declaring(caller, permission))


async def _caller(
    request: Request, services: Services, credentials: HTTPAuthorizationCredentials | None, word: str | None
) -> Principal:
    if credentials is None and word:
        found = services.people.sessions.authenticate(word)
        if found is None:
            raise Unauthorized("the session is over; log in again")
        await _intended(request, services, found)
        return found
    found = by_token(services, secret_of(credentials))
    if found is None:
        error = Unauthorized("send a valid token: Authorization: Bearer …; or log in")
        raise turned_away(services, request, "", error) if credentials else error
    return found


async def _intended(request: Request, services: Services, caller: Principal) -> None:
    """A browser sends a cookie whoever asks for it: so a write must come from our own page. Raises Forbidden."""
    if request.method in SAFE:
        return
    same_origin(request, services)
    given = request.headers.get(HEADER, "")
    if not given and request.headers.get("content-type", "").startswith(FORMS):
        given = str((await request.form()).get(FIELD, ""))
    if not hmac.compare_digest(given.encode(errors="replace"), caller.csrf.encode()):
        raise Forbidden(f"a write by cookie sends the session's token: {HEADER}, or the form field {FIELD}")


def same_origin(request: Request, services: Services) -> None:
    """What a browser says of who asks; raises Forbidden where it is another site."""
    site, origin = request.headers.get("sec-fetch-site", "none"), request.headers.get("origin")
    ours = {request.headers.get("host", "").lower(), urlsplit(services.people.settings.origin).netloc.lower()}
    if site not in {"same-origin", "none"} or (origin is not None and _netloc(origin) not in ours - {""}):
        raise Forbidden("this request comes from another site's page")


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def within(caller: Principal, area: str) -> None:
    """Raises Forbidden where a caller limited to areas asks for what lies outside them."""
    if not caller.covers(area):
        raise Forbidden("this lies outside the areas that you are limited to", areas=list(caller.areas))


def within_device(services: Services, caller: Principal, id: str) -> None:  # noqa: A002 - the field's word
    """The same of a device; who is limited to areas learns of no other, not even whether there is one."""
    if caller.areas:
        entry = services.directory.device(id)
        within(caller, entry.area if entry else "")


async def local(request: Request) -> None:
    """A dependency for routes that only this host's own command may use; raises Forbidden."""
    if not request.scope.get(LOCAL):
        raise Forbidden("only the citygate command on the gateway's own host may ask for this")


def declare(permission: Permission) -> Any:
    """A dependency for routes that check the caller themselves (SPEAK) or serve anyone (OPEN)."""

    async def declared() -> None:
        return None

    return Depends(_declaring(declared, permission))


def _declaring(dependency: Callable[..., Any], permission: Permission) -> Callable[..., Any]:
    dependency.permission = permission  # type: ignore[attr-defined]
    return dependency


Reader = Annotated[Principal, require(Permission.READ)]
CityReader = Annotated[Principal, require(Permission.READ, whole=True)]
Self = Annotated[Principal, require(Permission.SELF)]
Reporter = Annotated[Principal, require(Permission.REPORT)]
Worker = Annotated[Principal, require(Permission.WORK)]
Operator = Annotated[Principal, require(Permission.OPERATE)]
CityOperator = Annotated[Principal, require(Permission.OPERATE, whole=True)]
Commander = Annotated[Principal, require(Permission.COMMAND)]
CityCommander = Annotated[Principal, require(Permission.COMMAND, whole=True)]
Approver = Annotated[Principal, require(Permission.APPROVE)]
CityApprover = Annotated[Principal, require(Permission.APPROVE, whole=True)]
Supervisor = Annotated[Principal, require(Permission.SUPERVISE)]
CitySupervisor = Annotated[Principal, require(Permission.SUPERVISE, whole=True)]
Registrar = Annotated[Principal, require(Permission.REGISTER)]
CityRegistrar = Annotated[Principal, require(Permission.REGISTER, whole=True)]
Admin = Annotated[Principal, require(Permission.ADMINISTER, whole=True)]
