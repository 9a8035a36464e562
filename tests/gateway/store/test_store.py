"""A write that returned is on the disk; one that failed has changed nothing."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, insert, make_url, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex, CreateTable

from gateway.errors import StoreError
from gateway.store import audit
from gateway.store.bulk import bulk
from gateway.store.schema import metadata
from gateway.store.schema.commands import command
from gateway.store.schema.registry import audit as trail
from gateway.store.schema.registry import meta
from gateway.store.store import Store
from tests.gateway.store.postgres import Server


@pytest.fixture
async def store(migrated_url: str) -> AsyncIterator[Store]:
    async with Store(migrated_url) as store:
        await store.migrate()
        yield store


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[Store]:
    """The embedded database."""
    async with Store(f"sqlite:///{tmp_path}/operations.sqlite") as store:
        await store.migrate()
        yield store


async def count(store: Store) -> int:
    return await store.read(lambda conn: conn.scalar(select(func.count()).select_from(meta)) or 0)


async def test_migrating_again_changes_nothing(store: Store) -> None:
    await store.write(lambda conn: conn.execute(insert(meta).values(key="a", value="1")))
    await store.migrate()
    assert await count(store) == 1


async def test_a_write_is_seen_by_readers_and_survives_closing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/deep/operations.sqlite"
    async with Store(url) as store:
        await store.migrate()
        await store.write(
            lambda conn: audit.record(conn, 7, "token:me", "changed", "device:a", {"name": "灯"})
        )
    async with Store(url) as store:
        row = await store.read(lambda conn: conn.execute(select(trail)).one())
    assert (row.time, row.actor, row.object, row.detail) == (7, "token:me", "device:a", {"name": "灯"})


async def test_an_error_rolls_the_transaction_back(store: Store) -> None:
    def work(conn: Connection) -> None:
        conn.execute(insert(meta).values(key="a", value="1"))
        raise LookupError

    with pytest.raises(LookupError):
        await store.write(work)
    assert await count(store) == 0


async def test_twins_are_the_callers_to_explain_and_foreign_keys_hold(store: Store) -> None:
    with pytest.raises(IntegrityError):
        await store.write(
            lambda conn: conn.execute(insert(meta), [{"key": "a", "value": ""}, {"key": "a", "value": ""}])
        )
    orphan = {"id": "1", "seq": 1, "device": "nobody", "name": "x", "args": {}, "actor": "x", "created": 0}
    rest = {"expires": 0, "state": "approved", "changed": 0, "error": "", "instruction": "1", "family": "x"}
    rest |= {"stage": 0, "patience": 0}
    with pytest.raises(IntegrityError):
        await store.write(lambda conn: conn.execute(insert(command).values(**orphan, **rest)))


async def test_a_full_disk_is_a_store_error_and_the_store_works_again_afterwards(file: Store) -> None:
    await file.write(lambda conn: conn.exec_driver_sql("PRAGMA max_page_count = 1"))
    with pytest.raises(StoreError, match="full"):
        await file.write(lambda conn: conn.execute(insert(meta).values(key="a", value="x" * 1_000_000)))
    await file.write(lambda conn: conn.exec_driver_sql("PRAGMA max_page_count = 1000000"))
    await file.write(lambda conn: conn.execute(insert(meta).values(key="a", value="x" * 1_000_000)))
    assert await count(file) == 1


async def test_readers_cannot_write(store: Store) -> None:
    with pytest.raises(StoreError, match=r"read-?only"):
        await store.read(lambda conn: conn.execute(insert(meta).values(key="a", value="")))


async def test_a_file_that_is_no_database_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "operations.sqlite").write_bytes(b"not a database" * 1000)
    store = Store(f"sqlite:///{tmp_path}/operations.sqlite")
    with pytest.raises(StoreError):
        await store.open()
    await store.close()


async def test_a_reader_sees_one_moment(store: Store) -> None:
    seen, written = threading.Event(), threading.Event()

    def twice(conn: Connection) -> tuple[int, int]:
        first = conn.scalar(select(func.count()).select_from(meta)) or 0
        seen.set()
        assert written.wait(5)
        return first, conn.scalar(select(func.count()).select_from(meta)) or 0

    reading = asyncio.ensure_future(store.read(twice))
    await asyncio.to_thread(seen.wait, 5)
    await store.write(lambda conn: conn.execute(insert(meta).values(key="a", value="")))
    written.set()
    assert await reading == (0, 0)
    assert await count(store) == 1


async def test_durability_is_switched_on(file: Store) -> None:
    pragmas = await file.write(
        lambda conn: [
            conn.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    )
    assert pragmas == ["wal", 2, 1]


async def test_reads_go_on_beside_a_write_and_writes_take_turns(store: Store) -> None:
    reading, done = threading.Event(), threading.Event()

    def slow(conn: Connection) -> None:
        conn.execute(insert(meta).values(key="a", value=""))
        reading.set()
        assert done.wait(5)

    writing = asyncio.ensure_future(store.write(slow))
    second = asyncio.ensure_future(
        store.write(lambda conn: conn.execute(insert(meta).values(key="b", value="")))
    )
    await asyncio.to_thread(reading.wait, 5)
    assert await count(store) == 0
    assert not second.done()
    done.set()
    await asyncio.gather(writing, second)
    assert await count(store) == 2


@pytest.mark.peer("postgresql")
async def test_of_two_that_wait_for_each_other_one_goes_again(postgresql: Server) -> None:
    url, tried, both = postgresql.fresh(), Counter[str](), threading.Barrier(2)
    async with Store(url) as one, Store(url) as other:
        await one.migrate()
        await one.write(lambda conn: conn.execute(insert(meta), [{"key": k, "value": ""} for k in "ab"]))

        def touch(order: str) -> Callable[[Connection], None]:
            def work(conn: Connection) -> None:
                tried[order] += 1
                for key in order:
                    conn.execute(update(meta).where(meta.c.key == key).values(value=meta.c.value + order))
                    if key == order[0] and tried[order] == 1:
                        both.wait(5)

            return work

        await asyncio.gather(one.write(touch("ab")), other.write(touch("ba")))
        values = await one.read(lambda conn: set(conn.scalars(select(meta.c.value))))
    assert values in ({"abba"}, {"baab"})
    assert tried.total() > 2


async def test_no_thread_is_left_behind(tmp_path: Path) -> None:
    async with Store(f"sqlite:///{tmp_path}/operations.sqlite") as store:
        await store.read(lambda _: None)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("store-")]


def test_a_database_in_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="file"):
        Store("sqlite://")


def test_every_table_can_stand_in_postgresql() -> None:
    dialect = make_url("postgresql://").get_dialect()()
    for table in metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert str(CreateIndex(index).compile(dialect=dialect))


async def test_many_rows_go_straight_to_the_driver(store: Store) -> None:
    rows = ((str(n), f"key{n}") for n in range(25_000))
    await store.write(lambda conn: bulk(conn, meta, ("value", "key"), rows))
    assert await count(store) == 25_000
    assert await store.read(lambda conn: conn.scalar(select(meta.c.value).where(meta.c.key == "key7"))) == "7"
