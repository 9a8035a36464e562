"""The directory as columns: what was put is what is found, on either database, however it was loaded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, select, text

from drivers.products import catalog
from gateway.clock import CityClock
from gateway.errors import StoreError
from gateway.registry.devices import Devices
from gateway.registry.directory import Directory, Entry
from gateway.registry.members import DIGEST, Members, portions
from gateway.store.bulk import stream
from gateway.store.schema.registry import device
from gateway.store.store import Store
from rules.control import Control

NOBODY = bytes(DIGEST)
ENTRIES = st.lists(
    st.builds(
        Entry,
        id=st.sampled_from(["A", "B", "C", "D"]),
        family=st.just("dust"),
        index=st.integers(0, 200),
        product=st.sampled_from(["generic-dust", "hj212-dust"]),
        area=st.sampled_from(["", "xuhui/tianping"]),
        retired=st.booleans(),
        digest=st.binary(min_size=DIGEST, max_size=DIGEST),
        link=st.sampled_from(["", "broker"]),
    ),
    max_size=8,
    unique_by=lambda entry: entry.index,
)


@given(st.lists(ENTRIES, max_size=4))
def test_an_index_gives_back_what_was_put_there_last(puts: list[list[Entry]]) -> None:
    members, known = Members("dust"), dict[int, Entry]()
    for entries in puts:
        for portion in portions(entries):
            members.load(portion)
        known.update({entry.index: entry for entry in entries})
    assert {index: members.entry(index) for index in range(-1, len(members) + 1)} == {
        index: known.get(index) for index in range(-1, len(members) + 1)
    }
    assert members.alive == sum(not entry.retired for entry in known.values())


def test_who_leaves_a_family_keeps_no_secret_there() -> None:
    directory = Directory()
    directory.put([Entry("A", "dust", 0, "generic-dust", "", retired=False, digest=b"x" * DIGEST)])
    directory.put([Entry("A", "fume", 3, "generic-fume", "", retired=False, digest=b"x" * DIGEST)])
    left = directory.by_index("dust", 0)
    assert left is not None
    assert (left.id, left.retired, left.digest) == ("A", True, NOBODY)
    assert directory.counts() == {"dust": 0, "fume": 1}
    assert directory.ids("fume") == [None, None, None, "A"]
    assert directory.ids("manhole") == []


async def _heard(controls: list[Control]) -> None:
    del controls


async def test_a_restart_knows_everyone_again(operations_url: str) -> None:
    async with Store(operations_url) as store:
        await store.migrate()
        live, clock = Directory(), CityClock()
        devices = Devices(store, clock, catalog(), live, _heard)
        for number, product in enumerate(["dust", "fume", "dust", "dust"]):
            area = "xuhui/tianping" if number % 2 else ""
            await devices.create({"id": f"D{number}", "product": f"generic-{product}", "area": area}, "test")
        await devices.change("D0", {"product": "generic-fume"}, "test")
        await devices.change("D2", {"retired": True}, "test")
        again = Directory()
        await Devices(store, clock, catalog(), again, _heard).load()
    assert len(again) == len(live) == 4
    assert again.counts() == live.counts()
    for family in live.counts():
        assert again.ids(family) == live.ids(family)
        for index in range(4):
            assert _plain(again, family, index) == _plain(live, family, index)
    assert again.device("D0") == live.device("D0")


def _plain(directory: Directory, family: str, index: int) -> tuple[str, bool, bytes] | None:
    """Without product and area, which a device that has left a family takes along."""
    entry = directory.by_index(family, index)
    return (entry.id, entry.retired, entry.digest) if entry else None


async def test_a_table_that_is_not_there_is_a_store_that_cannot_be_used(operations_url: str) -> None:
    def read(conn: Connection) -> Iterator[object]:
        return iter(list(stream(conn, select(device.c.id))))

    async with Store(operations_url) as store:
        await store.write(lambda conn: conn.execute(text("SELECT 1")))
        with pytest.raises(StoreError, match="device"):
            await store.read(read)
