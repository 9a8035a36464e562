"""Sources and tokens: secrets are shown once, roles are closed, the last admin stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.errors import Conflict, Invalid, NotFound
from gateway.registry.directory import Principal
from gateway.registry.roles import Role
from gateway.registry.sources import Source
from tests.gateway.registry.city import City, open_city


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[City]:
    async with open_city(tmp_path) as city:
        yield city


async def test_the_first_start_makes_one_admin_token(city: City) -> None:
    word = await city.tokens.first()
    assert word is not None
    token = city.tokens.authenticate(word.encode())
    assert token is not None
    assert (token.role, token.actor) == (Role.ADMIN, "token:admin")
    assert await city.tokens.first() is None


async def test_a_token_is_known_by_its_secret_until_revoked(city: City) -> None:
    await city.tokens.first()
    token, word = await city.tokens.create("ann", Role.OPERATOR, "token:admin")
    assert city.tokens.authenticate(word.encode()) == token
    assert city.tokens.authenticate(b"guess") is None
    with pytest.raises(Conflict):
        await city.tokens.create("ann", Role.VIEWER, "token:admin")
    await city.tokens.revoke(token.id, "token:admin")
    assert city.tokens.authenticate(word.encode()) is None
    assert [one.revoked is not None for one in await city.tokens.listing()] == [False, True]
    with pytest.raises(NotFound):
        await city.tokens.revoke(token.id, "token:admin")


async def test_the_last_admin_cannot_be_revoked(city: City) -> None:
    await city.tokens.first()
    with pytest.raises(Conflict, match="last"):
        await city.tokens.revoke(1, "token:admin")
    await city.tokens.create("second", Role.ADMIN, "token:admin")
    await city.tokens.revoke(1, "token:second")


async def test_no_secret_stands_in_the_database(city: City) -> None:
    words = [await city.tokens.first(), (await city.add("A"))["A"]]
    words.append((await city.sources.create(Source("lns", ["city/#"], None, ""), "token:admin"))[1])
    dump = await city.store.read(
        lambda conn: [
            str(row)
            for table in ("token", "device", "source", "audit", "announcement")
            for row in conn.execute(text(f"SELECT * FROM {table}"))
        ]
    )
    assert not [word for word in words if word is None or any(word in line for line in dump)]


async def test_a_source_speaks_until_it_is_removed(city: City) -> None:
    await city.add("A", area="xuhui")
    source, word = await city.sources.create(
        Source("lns", ["city/+/+/telemetry"], None, "xuhui"), "token:admin"
    )
    assert await city.sources.listing() == [source]
    principal = city.directory.authenticate("lns", word.encode())
    assert principal == Principal("source", "lns")
    assert city.directory.resolve(principal, "city/streetlight/A/telemetry")[2] == 0
    with pytest.raises(Conflict):
        await city.sources.create(source, "token:admin")
    rotated = await city.sources.rotate("lns", "token:admin")
    assert city.directory.authenticate("lns", word.encode()) is None
    assert city.directory.authenticate("lns", rotated.encode()) == principal
    await city.sources.remove("lns", "token:admin")
    assert city.directory.authenticate("lns", rotated.encode()) is None
    with pytest.raises(NotFound):
        await city.sources.remove("lns", "token:admin")


@pytest.mark.parametrize(
    "source",
    [
        Source("a b", ["city/#"], None, ""),
        Source("lns", [], None, ""),
        Source("lns", ["city/#/x"], None, ""),
        Source("lns", ["city/#"], None, None),
        Source("lns", ["city/#"], ["A"], ""),
        Source("lns", ["city/#"], ["a/b"], None),
    ],
)
async def test_a_source_must_make_sense(city: City, source: Source) -> None:
    with pytest.raises(Invalid):
        await city.sources.create(source, "token:admin")
