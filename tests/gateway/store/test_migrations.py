"""Every schema that was ever released comes to today's with its rows, on each kind of database.

tests/vectors/schema/ holds a dump of each; a new release adds its own, and none is ever changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, make_url, select, text

from gateway.store.migrate import SCRIPTS, newest, revision_of, upgrade
from gateway.store.schema import metadata
from gateway.store.store import Store
from tests.conftest import ROOT

DUMPS = ROOT / "tests" / "vectors" / "schema"
RELEASED = sorted({file.name.split(".")[0].removeprefix("v") for file in DUMPS.glob("v*.sql")})
REWRITTEN = {
    ("command", "state")
}  # what a migration is meant to alter: commands without limits expire (0002)
Rows = dict[str, list[dict[str, Any]]]


def dump(revision: str, url: str) -> list[str]:
    """The statements of a release's dump, for the kind of database that the URL names."""
    file = DUMPS / f"v{revision}.{make_url(url).get_backend_name()}.sql"
    return [each for each in file.read_text(encoding="utf-8").split(";\n") if each.strip()]


def load(conn: Connection, statements: list[str]) -> None:
    for statement in statements:
        conn.exec_driver_sql(statement.replace("%", "%%") if conn.dialect.name != "sqlite" else statement)


def tables(conn: Connection) -> MetaData:
    found = MetaData()
    found.reflect(conn)
    return found


def rows(conn: Connection) -> Rows:
    """As the database has them; column types that are ours play no part."""
    return {
        table.name: [dict(row) for row in conn.execute(select(table).order_by(*table.primary_key)).mappings()]
        for table in tables(conn).sorted_tables
        if table.name != "alembic_version"
    }


def differences(conn: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(conn, opts={"compare_type": True}), metadata))


def lost(before: Rows, after: Rows) -> list[str]:
    """What a migration has taken away or altered, in tables and columns that are still there."""
    return [
        f"{table} {row}"
        for table, known in before.items()
        for row, now in zip(known, after.get(table, known), strict=True)
        if any(
            value != now[name]
            for name, value in row.items()
            if name in now and (table, name) not in REWRITTEN
        )
    ]


def test_there_is_a_dump_of_every_released_schema() -> None:
    known = [script.revision for script in ScriptDirectory(str(SCRIPTS)).walk_revisions()]
    assert RELEASED
    assert set(RELEASED) <= set(known)
    assert ScriptDirectory(str(SCRIPTS)).get_heads() == [newest()], (
        "each follows the one before, as it is named"
    )


@pytest.mark.parametrize("revision", RELEASED)
async def test_a_released_schema_comes_to_head_with_its_rows(revision: str, operations_url: str) -> None:
    async with Store(operations_url) as store:
        await store.write(lambda conn: load(conn, dump(revision, operations_url)))
        before = await store.read(rows)
        assert all(before.values()), "the dump has rows in every table"
        await store.migrate()
        assert lost(before, await store.read(rows)) == []
        assert await store.read(differences) == []


@pytest.mark.parametrize("revision", RELEASED)
async def test_a_released_migration_is_never_changed(revision: str, tmp_path: Path) -> None:
    def shape(conn: Connection) -> set[tuple[str, str]]:
        found = conn.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
        return {(name, " ".join(sql.split())) for name, sql in found}

    async with Store(f"sqlite:///{tmp_path}/then.sqlite") as store:
        await store.write(lambda conn: load(conn, dump(revision, "sqlite://")))
        then = await store.read(shape)
    async with Store(f"sqlite:///{tmp_path}/now.sqlite") as store:
        await store.write(lambda conn: upgrade(conn, revision))
        assert await store.read(shape) == then


async def test_the_migrated_schema_is_the_declared_one(operations_url: str) -> None:
    async with Store(operations_url) as store:
        await store.migrate()
        assert await store.read(differences) == []


async def test_a_schema_knows_its_revision(operations_url: str) -> None:
    async with Store(operations_url) as store:
        assert await store.read(revision_of) == ""
        await store.write(lambda conn: load(conn, dump(RELEASED[0], operations_url)))
        assert await store.read(revision_of) == RELEASED[0]
        await store.migrate()
        assert await store.read(revision_of) == newest()
        await store.migrate()
        assert await store.read(differences) == []


async def test_a_key_counts_on_after_a_migration(operations_url: str) -> None:
    """Rows keep their numbers and the next one gets a new number."""
    async with Store(operations_url) as store:
        await store.write(lambda conn: load(conn, dump(RELEASED[0], operations_url)))
        await store.migrate()
        token = metadata.tables["token"]
        values = {"name": "new", "role": "viewer", "digest": bytes(32), "created": 0, "creator": "test"}
        await store.write(lambda conn: conn.execute(token.insert().values(values)))
        numbers = await store.read(lambda conn: list(conn.scalars(select(token.c.id))))
    assert len(set(numbers)) == len(numbers) == 3


async def test_a_migration_that_fails_changes_nothing(operations_url: str) -> None:
    async def names(store: Store) -> set[str]:
        return await store.read(lambda conn: set(tables(conn).tables))

    def breaking(conn: Connection) -> None:
        upgrade(conn)
        raise LookupError

    async with Store(operations_url) as store:
        with pytest.raises(LookupError):
            await store.write(breaking)
        assert await names(store) == set()
