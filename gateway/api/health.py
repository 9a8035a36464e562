"""Whether the gateway lives, whether it can do its work, and what it counts: for machines, outside /api."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from gateway.api.auth import Permission, declare
from gateway.api.services import With

router: Final = APIRouter(tags=["health"], dependencies=[declare(Permission.OPEN)])


class Health(BaseModel):
    """reasons: why not, one line each."""

    ok: bool
    reasons: list[str]


@router.get("/livez")
async def live() -> Health:
    """The process answers."""
    return Health(ok=True, reasons=[])


@router.get("/readyz", responses={503: {"model": Health}})
async def ready(services: With, response: Response) -> Health:
    """It can acknowledge telemetry: a write went through both stores just now."""
    reasons = await services.ready()
    response.status_code = 503 if reasons else 200
    return Health(ok=not reasons, reasons=reasons)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(services: With) -> Response:
    """Prometheus text format."""
    return Response(generate_latest(services.metrics), media_type=CONTENT_TYPE_LATEST)
