"""A copy is of one moment, whatever is written meanwhile and whatever database it is of; it fills another one whole."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, make_url, select

from gateway.backup import operations
from gateway.errors import StoreError
from gateway.store import audit
from gateway.store.schema import metadata
from gateway.store.schema.registry import audit as trail
from gateway.store.schema.registry import meta
from gateway.store.store import Store
from tests.gateway.store.test_migrations import dump, load


@pytest.fixture
async def filled(operations_url: str) -> AsyncIterator[Store]:
    """Rows in every table."""
    async with Store(operations_url) as store:
        await store.write(lambda conn: load(conn, dump("0001", operations_url)))
        await store.migrate()
        yield store


def everything(conn: Connection) -> dict[str, list[Any]]:
    return {
        table.name: [tuple(row) for row in conn.execute(select(table).order_by(*table.primary_key))]
        for table in metadata.sorted_tables
    }


async def test_a_copy_is_of_the_moment_it_was_pinned_at(filled: Store, tmp_path: Path) -> None:
    wanted = await filled.read(everything)
    view = operations.View(filled.url)
    late = [{"key": f"late{n}", "value": "x" * 1000} for n in range(200)]
    await filled.write(lambda conn: conn.execute(insert(meta), late))
    view.copy(tmp_path / "copy.sqlite")
    view.close()
    async with Store(f"sqlite:///{tmp_path}/copy.sqlite") as copy:
        assert await copy.read(everything) == wanted
        assert await copy.read(operations.faults) == []
    assert (await filled.read(operations.counts))["meta"] == len(wanted["meta"]) + 200


async def test_a_copy_is_one_file_and_says_what_it_holds(filled: Store, tmp_path: Path) -> None:
    view = operations.View(filled.url)
    view.copy(tmp_path / "copy.sqlite")
    view.close()
    assert not (tmp_path / "copy.sqlite-wal").exists()
    schema, counts = operations.described(tmp_path / "copy.sqlite")
    assert schema >= "0001"
    assert counts == await filled.read(operations.counts)
    assert counts["token"] == 2


async def test_a_copy_fills_an_empty_database_and_its_keys_count_on(
    filled: Store, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    view = operations.View(filled.url)
    view.copy(tmp_path / "copy.sqlite")
    view.close()
    if filled.url.get_backend_name() == "sqlite":
        url = f"sqlite:///{tmp_path}/other.sqlite"
    else:
        url = request.getfixturevalue("postgresql").fresh()
    async with Store(url) as other:
        assert await other.read(operations.is_empty)
        await other.migrate()
        with operations.file(tmp_path / "copy.sqlite") as source:
            await other.write(lambda conn: operations.transfer(source, conn))
        assert await other.read(everything) == await filled.read(everything)
        before = await other.read(lambda conn: len(list(conn.scalars(select(trail.c.id)))))
        await other.write(lambda conn: audit.record(conn, 1, "me", "did", "it"))
        ids = await other.read(lambda conn: list(conn.scalars(select(trail.c.id))))
        assert len(ids) == len(set(ids)) == before + 2, "the chain's beginning, and the entry"


async def test_the_writer_never_waits_for_a_copy(tmp_path: Path) -> None:
    async with Store(f"sqlite:///{tmp_path}/operations.sqlite") as store:
        await store.migrate()
        view = operations.View(store.url)
        with closing(sqlite3.connect(tmp_path / "operations.sqlite", timeout=0)) as other:
            other.execute("INSERT INTO meta VALUES ('beside', '1')")
            other.commit()
        view.close()


def test_a_database_that_is_away_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "operations.sqlite").write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError, match="cannot be copied"):
        operations.View(make_url(f"sqlite:///{tmp_path}/operations.sqlite"))
    with pytest.raises(StoreError, match="cannot be copied"):
        operations.View(make_url(f"postgresql+psycopg://nobody@/none?host={tmp_path}"))
