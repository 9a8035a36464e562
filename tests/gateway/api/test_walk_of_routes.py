"""Every route × every role × the whole city, its own areas, other areas: the exact answer stands in a table."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from drivers.telemetry import HOUR
from gateway.api import open311
from gateway.api.auth import ROLES, Permission
from gateway.api.http import RESOURCES
from gateway.api.resource import API
from gateway.registry.roles import Role
from tests.gateway.api.gate import Gate
from tests.gateway.api.people import user
from tests.gateway.api.walk_table import TABLE, TEXT, Line, Reach

WHERE: dict[str, list[str]] = {"everywhere": [], "north": ["north"], "south": ["south", "northern"]}


def declared(dependant: Dependant) -> list[tuple[Permission, bool]]:
    permission = getattr(dependant.call, "permission", None)
    own = [] if permission is None else [(permission, getattr(dependant.call, "whole", False))]
    return [*own, *(each for inner in dependant.dependencies for each in declared(inner))]


ROUTES = {
    f"{min(route.methods or ())} {route.path.removeprefix(API)}": route
    for module in (*RESOURCES, open311)
    for route in module.router.routes
    if isinstance(route, APIRoute)
}


def test_every_route_stands_in_the_table_with_what_it_declares() -> None:
    assert sorted(ROUTES) == sorted(TABLE), "a new route needs a line in walk_table.py"
    for name, route in ROUTES.items():
        line = TABLE[name]
        ((permission, whole),) = declared(route.dependant)
        assert (name, permission) == (name, line.permission)
        assert not whole or line.reach is Reach.CITY, name


async def city(gate: Gate) -> dict[str, Any]:
    """All that the table asks for lies in north; ids of what gets its id here."""
    await gate.device("M1", area="north/1")
    await gate.device("M2", area="north")
    await gate.device("L1", "generic-streetlight", area="north")
    await gate.ok("admin", "POST", "/devices/M1/secret?overlap=1d")
    await gate.ok("admin", "POST", "/sources", json={"name": "bridge", "filters": ["#"], "area": "north"})
    await user(gate, "wang", "viewer")
    now = gate.services.clock.now() // 1000
    await gate.push(*({"device": "M1", "ts": now - 1000 + n, "v": {"tilt": 40}} for n in range(5)))
    await gate.push({"device": "M1", "v": {"tilt": "much"}})
    services = gate.services
    await services.store.write(services.quarantine.flush)
    services.joining.strangers.heard("new-1", "mqtt:192.0.2.1", services.clock.now(), area="north/2")
    made = await gate.ok(
        "operator", "POST", "/devices/L1/commands", json={"name": "dim", "args": {"level": 50}}
    )
    await gate.ok("operator", "POST", "/join-windows", json={"area": "north"})
    window = {"ends": services.clock.now() + HOUR, "reason": "test", "area": "north", "family": "cabinet"}
    await gate.ok("operator", "POST", "/windows", json=window)
    alarm = (await gate.ok("viewer", "GET", "/alarms"))["items"][0]
    services.hub.close()
    return {"alarm": alarm["id"], "case": alarm["case"], "instruction": made["instruction"]}


def granted(line: Line, role: Role | None, where: str) -> bool:
    if line.permission is Permission.OPEN:
        return True
    needed = Permission.OPERATE if line.permission is Permission.SPEAK else line.permission
    if role is None or needed not in ROLES[role]:
        return False
    closed = {Reach.CITY: {"north", "south"}, Reach.ONE: {"south"}}
    return where not in closed.get(line.reach, set())


async def asked(
    gate: Gate,
    name: str,
    line: Line,
    ids: dict[str, Any],
    secret: str | None,
    *,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    method, path = name.split(" ")
    where = (line.path or path).format(**ids)
    more: dict[str, Any] = {"json": line.body} if isinstance(line.body, dict) else {}
    if isinstance(line.body, str):
        more = {"content": line.body, **TEXT}
    if headers:
        more["headers"] = {**more.get("headers", {}), **headers}
    prefix = "" if where.startswith(open311.router.prefix) else API
    return await gate.call(None, method, f"{prefix}{where}", secret=secret, **more)


@pytest.mark.parametrize("role", [None, *Role], ids=lambda role: str(role or "nobody"))
async def test_every_route_answers_as_the_table_says(gate: Gate, role: Role | None) -> None:
    ids = await city(gate)
    wrong: list[str] = []
    for where, areas in WHERE.items():
        token = None
        if role is not None:
            given = {"name": f"{role}-{where}", "role": role, "areas": areas}
            token = (await gate.ok("admin", "POST", "/tokens", json=given))["secret"]
        for name, line in TABLE.items():
            answer = await asked(gate, name, line, ids, token)
            due = line.served if granted(line, role, where) else 401 if role is None else 403
            if answer.status_code != due:
                wrong.append(f"{name} {where}: {answer.status_code} for {due}: {answer.text[:120]}")
            elif line.mark and due == line.served and (line.mark in answer.text) != (where != "south"):
                wrong.append(f"{name} {where}: {line.mark} in {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)
