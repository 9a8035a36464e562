"""What the registry said after operations were copied is brought into them from the log, and nothing older ever is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select

from drivers.products import catalog
from gateway.backup.forward import Forwarded, bring
from gateway.store.schema.registry import announcement, audit, device, device_index, parameter, rule_version
from gateway.store.store import Store
from rules.control import Control, DeviceRow, Devices, GatewayUp, Parameter, Rules, encode

OLD, PENDING, NEWER = "old", "pending", "newer"
RULE = {"id": "cover-tilted", "version": 2, "when": "tilt > 30"}


def said(area: str, *, id: str = "M1", index: int = 0, **more: Any) -> Devices:  # noqa: A002 - the field's word
    interval = catalog()["generic-manhole"].interval
    return Devices("manhole", [DeviceRow(index, id, "generic-manhole", area, interval=interval, **more)])


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """Operations that know M1."""
    async with Store(f"sqlite:///{tmp_path}/operations.sqlite") as store:
        await store.migrate()
        await forward(store, [said(OLD)])
        yield store


async def forward(store: Store, log: list[Control], pending: tuple[Control, ...] = ()) -> Forwarded:
    def work(conn: Connection) -> Forwarded:
        for control in pending:
            conn.execute(insert(announcement).values(control=encode(control).decode()))
        return bring(conn, [encode(control).decode() for control in log], catalog(), 7)

    return await store.write(work)


async def area(store: Store, id: str = "M1") -> str | None:  # noqa: A002
    return await store.read(lambda conn: conn.scalar(select(device.c.area).where(device.c.id == id)))


async def waiting(store: Store) -> int:
    return await store.read(lambda conn: conn.scalar(select(func.count()).select_from(announcement)) or 0)


async def test_what_operations_know_already_changes_nothing(store: Store) -> None:
    before = await store.read(lambda conn: conn.scalar(select(func.count()).select_from(audit)))
    assert await forward(store, [said(OLD)]) == Forwarded()
    assert await store.read(lambda conn: conn.scalar(select(func.count()).select_from(audit))) == before


async def test_the_last_word_of_the_log_counts(store: Store) -> None:
    done = await forward(store, [said(PENDING), GatewayUp(1, 2), said(NEWER, attributes={"depth": 2.0})])
    assert (done.devices, done.secretless, await area(store)) == (1, [], NEWER)


@pytest.mark.parametrize(
    ("log", "pending", "area_then", "left"),
    [
        ([said(PENDING)], (said(PENDING),), PENDING, 0),  # announced before history ended
        ([said(PENDING), said(NEWER)], (said(PENDING),), NEWER, 0),  # and changed again
        ([], (said(PENDING),), OLD, 1),  # not announced: the next start does it
        ([said(OLD)], (said(PENDING),), OLD, 1),  # operations are ahead of the log
        ([said(PENDING)], (said(PENDING), said(NEWER)), OLD, 1),
    ],
)
async def test_what_is_pending_and_not_in_the_log_is_newer(
    store: Store, log: list[Control], pending: tuple[Control, ...], area_then: str, left: int
) -> None:
    await forward(store, log, pending)
    assert (await area(store), await waiting(store)) == (area_then, left)


async def test_a_device_comes_back_under_its_index_and_without_a_secret(store: Store) -> None:
    row = said(NEWER, id="M9", index=9, lat=31.2, lon=121.4, parent="M1", link="north", retired=True)
    done = await forward(store, [row])
    assert done.secretless == ["M9"]
    found = await store.read(lambda conn: conn.execute(select(device).where(device.c.id == "M9")).one())
    assert (found.idx, found.digest, found.lat, found.parent, found.link, found.retired, found.interval) == (
        9,
        bytes(32),
        31.2,
        "M1",
        "north",
        True,
        0,
    )
    indexes = await store.read(lambda conn: set(conn.scalars(select(device_index.c.idx))))
    assert indexes == {0, 9}


async def test_a_device_that_moved_keeps_both_its_indexes(store: Store) -> None:
    moved = Devices("dust", [DeviceRow(3, "M1", "generic-dust", NEWER)])
    await forward(store, [said(OLD, retired=True), moved])
    places = await store.read(
        lambda conn: {(row.family, row.idx) for row in conn.execute(select(device_index))}
    )
    assert places == {("manhole", 0), ("dust", 3)}


async def test_rules_and_parameters_come_as_new_versions(store: Store) -> None:
    override = Parameter("cover-tilted", "limit", "", 25.0)
    log: list[Control] = [Rules([RULE]), override, override, Parameter("cover-open", "limit", "", None)]
    done = await forward(store, log)
    assert (done.rules, done.parameters) == (1, 1)
    assert await forward(store, log) == Forwarded()
    document = await store.read(lambda conn: conn.scalar(select(rule_version.c.document)))
    value = await store.read(lambda conn: conn.scalar(select(parameter.c.value)))
    assert (document, value) == (RULE, 25.0)
    await forward(store, [Parameter("cover-tilted", "limit", "", None)])
    versions = await store.read(lambda conn: list(conn.scalars(select(parameter.c.version))))
    assert versions == [1, 2]
