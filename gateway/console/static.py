"""The style and the icon: the only files there are, from the package itself."""

from __future__ import annotations

from typing import Final, Literal

from fastapi import APIRouter, Response

from gateway.api.auth import Permission, declare
from gateway.console.sheet import file

router: Final = APIRouter(prefix="/static", include_in_schema=False)
MEDIA: Final = {"citygate.css": "text/css; charset=utf-8", "citygate.svg": "image/svg+xml"}
HEADERS: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


@router.get("/{name}", dependencies=[declare(Permission.OPEN)])
async def static(name: Literal["citygate.css", "citygate.svg"]) -> Response:
    return Response(file(name), media_type=MEDIA[name], headers=HEADERS)
