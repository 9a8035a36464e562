"""Whether the gateway lives, whether it can do its work, and what it counts: for machines, outside /api."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from pydantic import BaseModel

from gateway.api import problem
from gateway.api.auth import Permission, declare
from gateway.api.services import With
from gateway.api.trouble import Trouble

router: Final = APIRouter(
    tags=["health"], dependencies=[declare(Permission.OPEN)], responses=problem.RESPONSES
)


class Health(BaseModel):
    """reasons: why not. warnings: what wants a person, though telemetry is acknowledged."""

    ok: bool
    reasons: list[Trouble]
    warnings: list[Trouble] = []


@router.get("/livez", responses={503: {"model": Health}})
async def live(services: With, response: Response) -> Health:
    """Ticks proceed. If not, only a new start helps."""
    stuck = services.stuck()
    response.status_code = 503 if stuck else 200
    return Health(ok=stuck is None, reasons=[stuck] if stuck else [])


@router.get("/readyz", responses={503: {"model": Health}})
async def ready(services: With, response: Response) -> Health:
    """It can acknowledge telemetry: a write went through both stores just now."""
    troubles = await services.ready()
    reasons = [one for one in troubles if one.blocking]
    response.status_code = 503 if reasons else 200
    warnings = [one for one in troubles if not one.blocking]
    return Health(ok=not reasons, reasons=reasons, warnings=warnings)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(services: With) -> Response:
    """Prometheus text format. Read at once, written out beside the loop: a thousand buses are a megabyte of text."""
    read = _Read(list(services.metrics.registry.collect()))
    return Response(await asyncio.to_thread(generate_latest, read), media_type=CONTENT_TYPE_LATEST)


class _Read(CollectorRegistry):
    """What all collectors said at one moment."""

    def __init__(self, metrics: list[Metric]) -> None:
        super().__init__()
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return iter(self._metrics)
