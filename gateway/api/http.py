"""The API as one application: routes under /api/v1, health beside them, every error a problem document."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI

from gateway.api import (
    acknowledge,
    alarms,
    audit,
    backtest,
    backup,
    cases,
    clocks,
    commands,
    configuration,
    counts,
    devices,
    evaluation,
    events,
    explain,
    health,
    history,
    joining,
    oidc,
    open311,
    performance,
    photos,
    problem,
    products,
    push,
    quarantine,
    readings,
    report_files,
    reports,
    responsibility,
    rosters,
    rotations,
    rules,
    session,
    sources,
    telemetry,
    tokens,
    tuning,
    users,
    visits,
    watch,
    windows,
)
from gateway.api.idempotency import WRITES, Idempotency, describe
from gateway.api.requests import Requests
from gateway.api.resource import API
from gateway.api.services import Services
from gateway.api.size import BodySize

RESOURCES: Final = (
    session,
    oidc,
    users,
    audit,
    devices,
    evaluation,
    commands,
    joining,
    clocks,
    readings,
    history,
    backtest,
    backup,
    configuration,
    telemetry,
    push,
    products,
    explain,
    performance,
    alarms,
    windows,
    cases,
    photos,
    report_files,  # before reports: weekly is no number
    reports,
    visits,
    rosters,
    responsibility,
    counts,
    quarantine,
    acknowledge,
    rules,
    tuning,
    rotations,
    sources,
    tokens,
    watch,
    events,
)


class Application(FastAPI):
    """Its OpenAPI names the media types that are really sent."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            for methods in super().openapi()["paths"].values():
                for method, operation in methods.items():
                    if method.upper() in WRITES:
                        describe(operation)
                    for answer in operation["responses"].values():
                        _say_media(answer.get("content", {}))
        return super().openapi()


def _say_media(content: dict[str, Any]) -> None:
    """A model stands under the route's own type; where another type is declared besides, it means that one."""
    declared = [media for media, body in content.items() if not body]
    modelled = [media for media, body in content.items() if body]
    if declared and modelled:
        content[declared[0]] = content.pop(modelled[0])


def build(services: Services) -> FastAPI:
    app = Application(
        title="citygate",
        version="1",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # their scripts come from elsewhere; a city's network may have no elsewhere
        redoc_url=None,
    )
    app.state.services = services
    app.add_middleware(Idempotency, services=services)
    app.add_middleware(BodySize)
    app.add_middleware(Requests, metrics=services.metrics, clock=services.clock)
    problem.install(app)
    for resource in (*RESOURCES, open311, health):
        app.router.routes += resource.router.routes  # built already: include_router would build them again
    return app
