"""The API as one application: routes under /api/v1, health beside them, every error a problem document."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, FastAPI

from gateway.api import (
    alarms,
    backup,
    cases,
    clocks,
    commands,
    configuration,
    counts,
    devices,
    evaluation,
    health,
    history,
    joining,
    problem,
    products,
    push,
    quarantine,
    readings,
    rotations,
    rules,
    sources,
    telemetry,
    tokens,
    watch,
)
from gateway.api.requests import Requests
from gateway.api.services import Services
from gateway.api.size import BodySize

RESOURCES: Final = (
    devices,
    evaluation,
    commands,
    joining,
    clocks,
    readings,
    history,
    backup,
    configuration,
    telemetry,
    push,
    products,
    alarms,
    cases,
    counts,
    quarantine,
    rules,
    rotations,
    sources,
    tokens,
    watch,
)


class Application(FastAPI):
    """Its OpenAPI names the media types that are really sent."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            for methods in super().openapi()["paths"].values():
                for operation in methods.values():
                    for answer in operation["responses"].values():
                        _say_media(answer.get("content", {}))
        return super().openapi()


def _say_media(content: dict[str, Any]) -> None:
    """A model stands under application/json; where a route declares another type besides, it means that one."""
    declared = [media for media, body in content.items() if not body]
    if declared and "application/json" in content:
        content[declared[0]] = content.pop("application/json")


def build(services: Services) -> FastAPI:
    app = Application(
        title="citygate",
        version="1",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # their scripts come from elsewhere; a city's network may have no elsewhere
        redoc_url=None,
        responses=problem.RESPONSES,
    )
    app.state.services = services
    app.add_middleware(BodySize)
    app.add_middleware(Requests, metrics=services.metrics, clock=services.clock)
    problem.install(app)
    api = APIRouter(prefix="/api/v1")
    for resource in RESOURCES:
        api.include_router(resource.router)
    app.include_router(api)
    app.include_router(health.router)
    return app
