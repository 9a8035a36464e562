"""CSV import: every faulty line is reported with number, column and remedy; nothing is guessed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from gateway.errors import StoreError
from gateway.registry import roll
from gateway.registry.device import Checker
from gateway.registry.devices import SLICE, Devices, Imported
from gateway.registry.rows import Selection
from gateway.store.store import Store
from tests.gateway.registry.city import PRODUCTS, City, csv, open_city

T = TypeVar("T")
HEADER = "id,product,name,area,lat,lon,parent,interval,attr.rated_power"


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[City]:
    async with open_city(tmp_path) as city:
        yield city


async def load(city: City, *lines: str, partial: bool = False) -> Imported:
    return await city.devices.import_csv(BytesIO(csv(lines)), "token:test", partial=partial)


def faults(imported: Imported) -> list[tuple[int, str]]:
    assert all(fault.problem and fault.remedy for fault in imported.faults)
    return [(fault.line, fault.column) for fault in imported.faults]


async def stored(city: City) -> list[str]:
    return [one.id for one in await city.devices.listing(Selection(), "", 100)]


async def test_good_lines_become_devices_with_secrets(city: City) -> None:
    imported = await load(
        city,
        HEADER,
        'L1,generic-streetlight,"天平路, 1",xuhui/tianping,31.2,121.4,C1,5m,120',
        "",
        "C1,generic-cabinet,,,,,,,",
        "L2,acme-lamp,,,,,C1,,",
    )
    assert faults(imported) == []
    assert (imported.lines, [(one.line, one.id) for one in imported.created]) == (
        3,
        [(2, "L1"), (4, "C1"), (5, "L2")],
    )
    lamp = await city.devices.get("L1")
    assert (lamp.name, lamp.family, lamp.index, lamp.attributes) == (
        "天平路, 1",
        "streetlight",
        0,
        {"rated_power": 120},
    )
    assert (await city.devices.get("L2")).index == 1
    for one in imported.created:
        assert city.directory.authenticate(one.id, one.secret.encode()) is not None
    assert {(family, row.id) for family, row in city.history.rows()} == {
        ("streetlight", "L1"),
        ("streetlight", "L2"),
        ("cabinet", "C1"),
    }


async def test_every_faulty_line_is_reported_and_nothing_is_created(city: City) -> None:
    await city.add("OLD")
    imported = await load(
        city,
        HEADER,
        "L1,generic-streetlight,,,,,,,",
        "bad id,generic-streetlight,,,,,,,",
        "L2,nothing,,,,,,,",
        "L3,generic-streetlight,,a//b,91,121.4,,soon,many",
        "L1,generic-streetlight,,,,,,,",
        "L4,generic-streetlight,,,31.2,,,,",
        "OLD,generic-streetlight,,,,,,,",
        "L5,generic-streetlight,,,,,nobody,,",
        "L6,generic-streetlight,,",
        "L7,generic-streetlight,,,,,L8,,",
        "L8,generic-streetlight,,,,,L7,,",
        "L9,generic-streetlight,,,,,L2,,",
    )
    assert faults(imported) == [
        (3, "id"),
        (4, "product"),
        (5, "area"),
        (5, "attributes"),
        (5, "interval"),
        (5, "lat"),
        (6, "id"),
        (7, "lat"),
        (8, "id"),
        (9, "parent"),
        (10, ""),
        (11, "parent"),
        (12, "parent"),
    ]
    assert imported.created == []
    assert await stored(city) == ["OLD"]


async def test_partial_creates_what_is_good_and_stands_on_good_lines(city: City) -> None:
    imported = await load(
        city,
        HEADER,
        "C1,generic-cabinet,,,,,,,",
        "C2,nothing,,,,,,,",
        "L1,generic-streetlight,,,,,C1,,",
        "L2,generic-streetlight,,,,,C2,,",
        "L3,generic-streetlight,,,,,L2,,",
        partial=True,
    )
    assert faults(imported) == [(3, "product"), (5, "parent"), (6, "parent")]
    assert await stored(city) == ["C1", "L1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [(1, "id"), (1, "product")]),
        ("id,name\nL1,x", [(1, "product")]),
        ("id,product,colour,id", [(1, "colour"), (1, "id")]),
        ("id,product,attr.Rated Power", [(1, "attr.Rated Power")]),
        ('id,product\n"L1,generic-streetlight', [(2, "")]),
        ("id,product\nL1,generic-streetlight\x00", [(2, "product")]),
    ],
)
async def test_a_file_that_is_no_roll_is_refused(
    city: City, text: str, expected: list[tuple[int, str]]
) -> None:
    imported = await city.devices.import_csv(BytesIO(text.encode()), "token:test")
    assert faults(imported) == expected
    assert await stored(city) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
async def test_spreadsheets_encodings_are_read(city: City, encoding: str) -> None:
    text = "id,product,name\r\nL1,generic-streetlight,天平路\r\n"
    await city.devices.import_csv(BytesIO(text.encode(encoding)), "token:test")
    assert (await city.devices.get("L1")).name == "天平路"


async def test_other_encodings_are_said_to_be_wrong(city: City) -> None:
    imported = await city.devices.import_csv(BytesIO(b"id,product\nL1,\xff\xff\xff"), "token:test")
    assert [(fault.line, fault.remedy) for fault in imported.faults] == [(1, "save it as CSV UTF-8")]


async def test_a_line_number_is_the_editors_even_after_a_cell_of_two_lines(city: City) -> None:
    imported = await load(city, "id,product,name", 'L1,generic-streetlight,"a\nb"', "L2,nothing,")
    assert faults(imported) == [(2, "name"), (4, "product")]


async def test_a_long_chain_of_orphans_is_refused_in_one_go(city: City) -> None:
    chain = [f"L{n},generic-streetlight,L{n + 1}" for n in range(3000)]
    imported = await load(city, "id,product,parent", *chain, partial=True)
    assert len(imported.faults) == 3000


class FullDisk(Store):
    """Another store, until so many writes are done."""

    def __init__(self, inner: Store, writes: int) -> None:
        self.inner, self.left = inner, writes

    async def write(self, work: Callable[[Connection], T]) -> T:
        if not self.left:
            raise StoreError("database or disk is full")
        self.left -= 1
        return await self.inner.write(work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await self.inner.read(work)


async def test_a_long_roll_is_written_in_whole_slices_and_what_is_left_is_a_fault(city: City) -> None:
    lines = [f"L{n},generic-dust" for n in range(SLICE + 2)]
    disk = FullDisk(city.store, writes=1)
    devices = Devices(disk, city.clock, PRODUCTS, city.directory, city.history.announce)
    imported = await devices.import_csv(BytesIO(csv(["id,product", *lines])), "token:test")
    assert len(imported.created) == SLICE
    assert faults(imported) == [(SLICE + 2, "")]
    assert "database or disk is full" in imported.faults[0].problem
    disk.left = 10
    rest = await devices.import_csv(BytesIO(csv(["id,product", *lines[SLICE:]])), "token:test")
    assert [one.id for one in rest.created] == [f"L{SLICE}", f"L{SLICE + 1}"]
    assert (await devices.get(f"L{SLICE + 1}")).index == SLICE + 1
    assert len(city.directory) == SLICE + 2


def test_a_header_with_an_open_quote_is_a_fault() -> None:
    found = roll.read(BytesIO(b'a,"b'), Checker(PRODUCTS))
    assert [fault.line for fault in found.faults][:1] == [1]


@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(st.lists(st.text(alphabet='aL1,"\n\r.灯\0 ', max_size=6), max_size=4), max_size=6)
        .map(lambda rows: "id,product,parent\n" + "\n".join(",".join(row) for row in rows))
        .map(str.encode),
    )
)
def test_any_file_gives_devices_or_faults(file: bytes) -> None:
    found = roll.read(BytesIO(file), Checker(PRODUCTS))
    roll.drop_orphans(found, set())
    assert all(fault.problem and fault.remedy and fault.line > 0 for fault in found.faults)
    assert len({entrant.line for entrant in found.entrants}) == len(found.entrants)
    assert found.lines <= len(found.entrants) + len({fault.line for fault in found.faults})
