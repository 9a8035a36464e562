"""Who may do what. Every route declares its permission here or it does not pass the tests; roles are a table."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from gateway.api.services import With
from gateway.errors import Forbidden, Unauthorized
from gateway.registry.tokens import Role, Token


class Permission(StrEnum):
    READ = "read"  # everything but secrets
    WORK = "work"  # a crew's part of a case
    OPERATE = "operate"  # alarms, dispatch, commands, telemetry for any device
    REGISTER = "register"  # devices, sources and their secrets
    ADMINISTER = "administer"  # tokens
    SPEAK = "speak"  # telemetry, by the secret of a device or source, or OPERATE
    OPEN = "open"  # anyone


ROLES: Final = {
    Role.VIEWER: frozenset({Permission.READ}),
    Role.CREW: frozenset({Permission.READ, Permission.WORK}),
    Role.OPERATOR: frozenset({Permission.READ, Permission.WORK, Permission.OPERATE}),
    Role.ADMIN: frozenset(
        {Permission.READ, Permission.WORK, Permission.OPERATE, Permission.REGISTER, Permission.ADMINISTER}
    ),
}

bearer: Final = HTTPBearer(
    auto_error=False, description="A token of citygate; telemetry: also a device's secret"
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]


def secret_of(credentials: HTTPAuthorizationCredentials | None) -> bytes:
    """What was sent; nothing opens no door."""
    return credentials.credentials.encode() if credentials else b""


def may(token: Token, permission: Permission) -> bool:
    return permission in ROLES[token.role]


def require(permission: Permission) -> Any:
    """A dependency that gives the token, or raises Unauthorized or Forbidden."""

    async def caller(services: With, credentials: Credentials) -> Token:
        token = services.tokens.authenticate(secret_of(credentials))
        if token is None:
            raise Unauthorized("send a valid token: Authorization: Bearer …")
        if not may(token, permission):
            raise Forbidden(f"role {token.role} may not {permission}", permission=str(permission))
        return token

    return Depends(_declaring(caller, permission))


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
Registrar = Annotated[Token, require(Permission.REGISTER)]
Admin = Annotated[Token, require(Permission.ADMINISTER)]
