"""Who may do what. Every route declares its permission here or it does not pass the tests; roles are a table."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from gateway.api.services import Services, With
from gateway.errors import CallerError, Forbidden, TooMany, Unauthorized
from gateway.registry.tokens import Role, Token


class Permission(StrEnum):
    READ = "read"  # everything but secrets
    WORK = "work"  # a crew's part of a case
    OPERATE = "operate"  # alarms, dispatch, telemetry for any device
    COMMAND = "command"  # ask for commands, take them back, pull the kill switch
    APPROVE = "approve"  # agree to what another asked for, release the kill switch
    REGISTER = "register"  # devices, sources and their secrets
    ADMINISTER = "administer"  # tokens
    SPEAK = "speak"  # telemetry, by the secret of a device or source, or OPERATE
    OPEN = "open"  # anyone


_OPERATES: Final = frozenset(
    {Permission.READ, Permission.WORK, Permission.OPERATE, Permission.COMMAND, Permission.APPROVE}
)
ROLES: Final = {
    Role.VIEWER: frozenset({Permission.READ}),
    Role.CREW: frozenset({Permission.READ, Permission.WORK}),
    Role.OPERATOR: _OPERATES,
    Role.ADMIN: _OPERATES | {Permission.REGISTER, Permission.ADMINISTER},
}

LOCAL: Final = "citygate.local"  # in the scope of a request that came by the local socket

bearer: Final = HTTPBearer(
    auto_error=False, description="A token of citygate; telemetry: also a device's secret"
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]


def secret_of(credentials: HTTPAuthorizationCredentials | None) -> bytes:
    """What was sent; nothing opens no door."""
    return credentials.credentials.encode() if credentials else b""


def turned_away(services: Services, request: Request, user: str, error: Unauthorized) -> CallerError:
    """What a wrong secret is answered: `error`, and TooMany where name or address have failed too often lately."""
    wait = services.logins.failed(user, request.client.host if request.client else "")
    return TooMany("too many wrong secrets; wait before the next try", math.ceil(wait)) if wait else error


def may(token: Token, permission: Permission) -> bool:
    return permission in ROLES[token.role]


def require(permission: Permission) -> Any:
    """A dependency that gives the token, or raises Unauthorized or Forbidden."""

    async def caller(request: Request, services: With, credentials: Credentials) -> Token:
        token = services.tokens.authenticate(secret_of(credentials))
        if token is None:
            error = Unauthorized("send a valid token: Authorization: Bearer …")
            raise turned_away(services, request, "", error) if credentials else error
        if not may(token, permission):
            raise Forbidden(f"role {token.role} may not {permission}", permission=str(permission))
        return token

    return Depends(_declaring(caller, permission))


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


Reader = Annotated[Token, require(Permission.READ)]
Worker = Annotated[Token, require(Permission.WORK)]
Operator = Annotated[Token, require(Permission.OPERATE)]
Commander = Annotated[Token, require(Permission.COMMAND)]
Approver = Annotated[Token, require(Permission.APPROVE)]
Registrar = Annotated[Token, require(Permission.REGISTER)]
Admin = Annotated[Token, require(Permission.ADMINISTER)]
