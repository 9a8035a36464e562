"""The application has no route but those that declare their permission; no error shows a stack trace."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.routing import APIRoute

from gateway.api import health, open311
from gateway.api.http import RESOURCES
from tests.gateway.api.gate import Gate

ROUTES = [
    route
    for module in (*RESOURCES, health, open311)
    for route in module.router.routes
    if isinstance(route, APIRoute)
]
NAMES = [f"{min(route.methods or ())} {route.path}" for route in ROUTES]


async def test_the_application_has_no_other_routes(gate: Gate) -> None:
    paths: dict[str, Any] = gate.app.openapi()["paths"]
    operations = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert operations == set(NAMES)


async def test_openapi_names_the_errors(gate: Gate) -> None:
    document = gate.app.openapi()
    for path, methods in document["paths"].items():
        due = (
            ["text/xml", "application/json"] if path.startswith("/open311/") else ["application/problem+json"]
        )
        for operation in methods.values():
            assert list(operation["responses"]["default"]["content"]) == due, path
    export = document["paths"]["/api/v1/readings/{family}"]["get"]["responses"]["200"]["content"]
    assert export == {"application/x-ndjson": {"schema": {"$ref": "#/components/schemas/Reading"}}}


async def test_errors_are_problem_documents(gate: Gate) -> None:
    assert await gate.refused("viewer", "GET", "/nowhere") == (404, "not-found")
    assert await gate.refused("viewer", "PUT", "/devices") == (405, "method-not-allowed")
    assert await gate.refused("viewer", "GET", "/devices?limit=0") == (422, "invalid")
    answer = await gate.call("admin", "POST", "/api/v1/devices", json={"id": "A", "lat": "x", "colour": 1})
    assert [fault["at"] for fault in answer.json()["errors"]] == ["body.product", "body.lat", "body.colour"]
    answer = await gate.call(
        "admin", "POST", "/api/v1/devices", content=b"{", headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:citygate:invalid")


@pytest.mark.parametrize(
    "body",
    [
        rb'{"id": "\ud800", "product": "generic-manhole"}',
        rb'{"id": "A", "product": "generic-manhole", "\ud800": 1}',
        rb'{"id": "A", "product": "\u0000"}',
        rb'{"id": "A", "product": "generic-manhole", "lat": 1e999, "lon": 1}',
        rb'{"id": "A", "product": "generic-manhole", "lat": NaN, "lon": 1}',
        rb'{"id": "A", "product": "generic-manhole", "interval": 1e300}',
        rb'{"id": "A", "product": "generic-manhole", "attributes": {"\ud800": 1}}',
        rb'{"id": "A", "product": "generic-manhole", "name": "\ud800"}',
        b"[" * 100_000,
        b"",
        b"null",
        b"\xff",
    ],
    ids=range(12),
)
async def test_whatever_is_sent_the_answer_is_a_problem(gate: Gate, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    assert (await gate.refused("admin", "POST", "/devices", content=body, headers=headers))[0] in {400, 422}


async def test_a_fault_of_ours_tells_nothing(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("inner words")

    monkeypatch.setattr(gate.services.latest, "get", broken)
    await gate.device("M1")
    answer = await gate.call("viewer", "GET", "/api/v1/devices/M1/latest")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:citygate:fault")
    assert "inner" not in answer.text


async def test_a_store_that_is_away_is_said_so(gate: Gate) -> None:
    await gate.services.store.write(lambda conn: conn.exec_driver_sql("PRAGMA query_only = ON"))
    assert await gate.refused(
        "admin", "POST", "/devices", json={"id": "A", "product": "generic-manhole"}
    ) == (
        503,
        "unavailable",
    )


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_is_measured_before_it_is_parsed(gate: Gate, declared: bool) -> None:
    async def drip() -> Any:
        for _ in range(300):
            yield b"[" * 1024

    content: Any = b"[" * (300 * 1024) if declared else drip()
    assert await gate.refused("admin", "POST", "/devices", content=content) == (413, "too-large")
