"""A body is measured while it arrives, before anything parses it (law 5)."""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.problem import of_caller
from gateway.cases.photos import LARGEST
from gateway.errors import TooLarge

SMALL: Final = 256 * 1024
PHOTO: Final = LARGEST + 1024
LIMITS: Final = {"/api/v1/telemetry": 1024 * 1024, "/api/v1/devices/import": 128 * 1024 * 1024}


class BodySize:
    """ASGI middleware: 413 by the declared length at once, otherwise as soon as the limit is passed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = _limit(scope["path"])
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            await of_caller(_too_large(limit))(scope, receive, send)
            return
        read = 0

        async def measured() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise HTTPException(413, _too_large(limit).detail)
            return message

        await self._app(scope, measured, send)


def _limit(path: str) -> int:
    return PHOTO if path.endswith("/photos") else LIMITS.get(path, SMALL)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit} bytes; send it in parts", limit=limit)
