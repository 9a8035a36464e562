"""A write that is asked twice with one key is done once, whichever write it is and whatever becomes of the first answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar, get_args

import pytest
from pydantic import BaseModel
from sqlalchemy import Connection, func, select, update

from gateway.api import idempotency
from gateway.api.idempotency import HEADER, REPLAYED, SECRET, WRITES
from gateway.api.idempotency_settings import IdempotencySettings
from gateway.errors import StoreError, TooMany
from gateway.store.schema.answers import answer
from gateway.store.schema.registry import audit
from gateway.store.store import Store
from tests.gateway.api.gate import Gate
from tests.gateway.api.test_walk_of_routes import ROUTES, asked, city
from tests.gateway.api.walk_table import TABLE

T = TypeVar("T")
KEY = {HEADER: "monday-1"}
NEW = {"name": "li", "role": "viewer"}


async def entries(gate: Gate) -> int:
    """What the audit holds."""
    return await gate.services.store.read(
        lambda conn: conn.scalar(select(func.count()).select_from(audit)) or 0
    )


async def test_the_first_answer_is_repeated_and_the_write_done_once(gate: Gate) -> None:
    first = await gate.call("admin", "POST", "/api/v1/users", json=NEW, headers=KEY)
    before = await entries(gate)
    again = await gate.call("admin", "POST", "/api/v1/users", json=NEW, headers=KEY)
    assert (first.status_code, REPLAYED in first.headers) == (201, False)
    assert (again.status_code, again.content) == (201, first.content)
    assert (again.headers["content-type"], again.headers[REPLAYED]) == ("application/json", "true")
    assert await entries(gate) == before


async def test_a_refusal_is_repeated_too_but_not_one_of_the_caller(gate: Gate) -> None:
    path = "/devices/none/secret"
    assert await gate.refused("admin", "POST", path, headers=KEY) == (404, "not-found")
    again = await gate.call("admin", "POST", f"/api/v1{path}", headers=KEY)
    assert (again.status_code, again.headers[REPLAYED]) == (404, "true")
    for _ in range(2):
        refused = await gate.call("viewer", "POST", f"/api/v1{path}", headers=KEY)
        assert (refused.status_code, REPLAYED in refused.headers) == (403, False)


@pytest.mark.parametrize("other", [{"json": {**NEW, "language": "zh"}}, {"json": NEW, "params": {"x": "1"}}])
async def test_a_key_stands_for_one_request(gate: Gate, other: dict[str, Any]) -> None:
    await gate.ok("admin", "POST", "/users", json=NEW, headers=KEY)
    assert await gate.refused("admin", "POST", "/users", headers=KEY, **other) == (422, "key-used")


async def test_a_key_is_its_callers_for_one_path(gate: Gate) -> None:
    await gate.ok("admin", "POST", "/users", json=NEW, headers=KEY)
    made = await gate.ok("admin", "POST", "/tokens", json={"name": "second", "role": "admin"})
    answer = await gate.call(
        None, "POST", "/api/v1/users", secret=made["secret"], json={**NEW, "name": "wu"}, headers=KEY
    )
    assert answer.status_code == 201
    assert (
        await gate.call("admin", "PATCH", "/api/v1/users/li", json={"language": "zh"}, headers=KEY)
    ).is_success


async def test_what_is_asked_meanwhile_is_told_to_ask_again(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    create = gate.services.people.users.create

    async def slowly(*args: Any, **more: Any) -> Any:
        begun.set()
        await go_on.wait()
        return await create(*args, **more)

    monkeypatch.setattr(gate.services.people.users, "create", slowly)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(gate.call("admin", "POST", "/api/v1/users", json=NEW, headers=KEY))
        await begun.wait()
        second = await gate.call("admin", "POST", "/api/v1/users", json=NEW, headers=KEY)
        go_on.set()
    assert (second.status_code, second.json()["type"]) == (409, "urn:citygate:under-way")
    assert int(second.headers["retry-after"]) >= 1
    assert first.result().status_code == 201
    third = await gate.call("admin", "POST", "/api/v1/users", json=NEW, headers=KEY)
    assert third.content == first.result().content


async def test_a_secret_is_shown_once_and_kept_nowhere(gate: Gate) -> None:
    wish = {"name": "phone", "role": "viewer"}
    made = await gate.ok("admin", "POST", "/tokens", json=wish, headers=KEY)
    again = await gate.call("admin", "POST", "/api/v1/tokens", json=wish, headers=KEY)
    assert (again.status_code, again.json()["type"]) == (409, "urn:citygate:answer-not-kept")
    assert again.json()["answered"] == 201
    rows = await gate.services.store.read(lambda conn: conn.execute(select(answer)).all())
    assert made["secret"].encode() not in b"".join(row.content or b"" for row in rows)


def secretive(model: object) -> bool:
    """Whether a field of the model, or of one within it, holds a secret."""
    if any(secretive(inner) for inner in get_args(model)):
        return True
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return False
    words = {"secret", "uri", "codes", "password", "token"}
    return any(
        (name in words and str in (field.annotation, *get_args(field.annotation)))
        or name == "codes"
        or secretive(field.annotation)
        for name, field in model.model_fields.items()
    )


def test_every_route_that_shows_a_secret_is_known() -> None:
    shows = {
        f"{name.split(' ')[0]} /api/v1{name.split(' ')[1]}"
        for name, route in ROUTES.items()
        if name.split(" ")[0] in WRITES and secretive(route.response_model)
    }
    assert shows == SECRET


class Failing:
    """The store, whose next commit is done and not heard of, or not done."""

    def __init__(self, store: Store, *, kept: bool) -> None:
        self._write, self._kept, self.armed = store.write, kept, True

    async def write(self, work: Callable[[Connection], T]) -> T:
        if not self.armed:
            return await self._write(work)
        self.armed = False
        if self._kept:
            await self._write(work)
        raise StoreError("the server went away while it committed")


@pytest.mark.parametrize("kept", [True, False])
async def test_an_unknown_outcome_is_safely_asked_again(
    gate: Gate, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate.services.store, "write", Failing(gate.services.store, kept=kept).write)
    assert await gate.refused("admin", "POST", "/users", json=NEW, headers=KEY) == (503, "unavailable")
    again = await gate.call("admin", "POST", "/api/v1/users", json=NEW, headers=KEY)
    assert again.status_code == (409 if kept else 201)
    assert again.json().get("type") == ("urn:citygate:answer-not-kept" if kept else None)
    rows = await gate.services.store.read(lambda conn: conn.execute(select(audit.c.object)).scalars().all())
    assert rows.count("user:li") == 1


async def test_a_key_is_free_again_after_its_time_and_their_number_is_bounded(gate: Gate) -> None:
    await gate.ok("admin", "POST", "/users", json=NEW, headers=KEY)

    def age(conn: Connection) -> None:
        conn.execute(update(answer).values(expires=1))

    await gate.services.store.write(age)
    assert await gate.refused("admin", "POST", "/users", json=NEW, headers=KEY) == (409, "conflict")
    rows = await gate.services.store.read(lambda conn: conn.execute(select(answer)).all())
    asked_for = idempotency.Asked(b"?", rows[0].caller, 0)
    few = IdempotencySettings(keys=100).model_copy(update={"keys": 1})
    with pytest.raises(TooMany):
        await gate.services.store.read(lambda conn: idempotency._find(conn, asked_for, 0, few))


async def test_what_outlives_its_request_writes_for_itself(gate: Gate) -> None:
    """A task that a request began has its context; what it writes later is no longer the request's effect."""
    later = asyncio.Event()
    tasks: list[asyncio.Task[None]] = []

    async def work() -> None:
        await later.wait()
        await gate.services.store.write(lambda _: None)

    @gate.app.post("/api/v1/errand")
    async def errand() -> None:
        tasks.append(asyncio.get_running_loop().create_task(work()))

    assert (await gate.call("admin", "POST", "/api/v1/errand", headers=KEY)).status_code == 200
    later.set()
    await tasks[0]


async def test_every_write_takes_a_key_and_says_so(gate: Gate) -> None:
    """Asked twice: the second answer is the first, or says that it was not kept; it is never another one."""
    document = (await gate.call("viewer", "GET", "/api/v1/openapi.json")).json()
    ids = await city(gate)
    wrong = []
    for number, (name, line) in enumerate(TABLE.items()):
        method, path = name.split(" ")
        if method not in WRITES:
            continue
        declared = document["paths"].get(f"/api/v1{path}") or document["paths"][path]
        headers = [one["name"] for one in declared[method.lower()]["parameters"]]
        if HEADER not in headers:
            wrong.append(f"{name} does not document {HEADER}")
        keyed = {HEADER: f"walk-{number}"}
        first, second = [
            await asked(gate, name, line, ids, gate.words["admin"], headers=keyed) for _ in range(2)
        ]
        same = (second.status_code, second.content) == (first.status_code, first.content)
        gone = second.status_code == 409 and second.json()["type"] == "urn:citygate:answer-not-kept"
        if first.status_code not in {401, 403, 429} and not (gone or (same and REPLAYED in second.headers)):
            wrong.append(f"{name}: {first.status_code}, then {second.status_code} {second.text[:100]}")
    assert not wrong, "\n".join(wrong)
