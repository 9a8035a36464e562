"""Every whole number that the API takes has bounds that its OpenAPI tells: none reaches a store that cannot hold it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.gateway.api.gate import Gate

METHODS: Final = {"get", "put", "post", "delete", "patch"}
ITEM_BY_ITEM: Final = (
    "/api/v1/telemetry"  # a time out of bounds is refused with its item there, and kept in the quarantine
)


def integers(schema: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, schema) of all in it."""
    if isinstance(schema, dict):
        if schema.get("type") == "integer":
            yield where, schema
        for key, inner in schema.items():
            yield from integers(inner, f"{where}/{key}")
    elif isinstance(schema, list):
        for inner in schema:
            yield from integers(inner, where)


def named(schema: Any, schemas: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """What a schema refers to, however far, by name."""
    if isinstance(schema, dict):
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        if name and name not in found:
            found[name] = schemas[name]
            named(schemas[name], schemas, found)
        for inner in schema.values():
            named(inner, schemas, found)
    elif isinstance(schema, list):
        for inner in schema:
            named(inner, schemas, found)
    return found


def taken(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every whole number in a parameter or a body."""
    bodies: dict[str, Any] = {}
    for path, operations in document["paths"].items():
        for method in METHODS & operations.keys():
            operation = operations[method]
            for parameter in operation.get("parameters", []):
                yield from integers(parameter["schema"], f"{method} {path} {parameter['name']}")
            if path != ITEM_BY_ITEM and "requestBody" in operation:
                named(operation["requestBody"], document["components"]["schemas"], bodies)
                yield from integers(operation["requestBody"], f"{method} {path}")
    for name, schema in bodies.items():
        yield from integers(schema, name)


async def test_every_whole_number_is_bounded(gate: Gate) -> None:
    found = list(taken(gate.app.openapi()))
    assert len(found) > 60
    bounded = {"maximum", "exclusiveMaximum", "enum", "const"}
    assert [where for where, schema in found if not bounded & schema.keys()] == []


@pytest.mark.parametrize("path", ["/commands/C-1/events?after={}", "/quarantine?after={}", "/alarms?case={}"])
async def test_what_no_store_can_hold_is_refused_by_name(gate: Gate, path: str) -> None:
    assert await gate.refused("admin", "GET", path.format(2**63)) == (422, "invalid")
