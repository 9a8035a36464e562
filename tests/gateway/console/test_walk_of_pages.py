"""Every page × every role × the whole city, its own areas, other areas: the exact answer stands in the table of the walk."""

from __future__ import annotations

from fastapi.routing import APIRoute

from gateway.console.console import PAGES as MODULES
from gateway.registry.roles import PEOPLE
from tests.gateway.api.gate import Gate
from tests.gateway.api.test_walk_of_routes import WHERE, city, declared, granted
from tests.gateway.api.walk_table import PAGES
from tests.gateway.console.visitor import visitor


def test_every_page_stands_in_the_table_with_what_it_declares() -> None:
    routes = [route for module in MODULES for route in module.router.routes if isinstance(route, APIRoute)]
    found = {f"{min(route.methods or ())} {route.path}": declared(route.dependant) for route in routes}
    assert found == {name: [(line.permission, False)] for name, line in PAGES.items()}


async def test_every_page_answers_as_the_table_says(gate: Gate) -> None:
    ids = await city(gate)
    wrong: list[str] = []
    for role in (None, *PEOPLE):
        for where, areas in WHERE.items():
            who, token = f"{role}-{where}", None
            if role is not None:
                given = {"name": who, "role": role, "areas": areas}
                token = (await gate.ok("admin", "POST", "/tokens", json=given))["secret"]
            for name, line in PAGES.items():
                method, path = name.split(" ")
                form = {key: text.format(caller=who) for key, text in (line.body or {}).items()}
                answer = await gate.call(
                    None, method, (line.path or path).format(**ids), secret=token, data=form or None
                )
                due = line.served if granted(line, role, where) else 303 if role is None else 403
                if answer.status_code != due:
                    wrong.append(f"{name} {who}: {answer.status_code} for {due}")
                elif line.mark and due == line.served and (line.mark in answer.text) != (where != "south"):
                    wrong.append(f"{name} {who}: {line.mark}")
    assert not wrong, "\n".join(wrong)


async def test_whatever_their_role_and_areas_people_have_an_account(gate: Gate) -> None:
    for role in PEOPLE:
        async with await visitor(gate, role, areas=["south"]) as person:
            page = await person.open("/account")
            assert (page.status, page.where) == (200, "/account"), role
