"""Devices: indexes are dense, never reused and known to history first; what is wrong is said with its remedy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import select

from drivers.telemetry import MINUTE
from gateway.errors import Conflict, Invalid, NotFound, StoreError, Unavailable
from gateway.registry.devices import Devices
from gateway.registry.directory import Directory
from gateway.registry.rows import Selection
from gateway.store.schema.registry import audit
from rules.control import DeviceRow
from tests.gateway.registry.city import NOW, City, open_city


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[City]:
    async with open_city(tmp_path) as city:
        yield city


async def test_a_device_is_created_with_a_secret_that_opens_its_door(city: City) -> None:
    device, secret = await city.devices.create(
        {
            "id": "LP-0001",
            "product": "generic-streetlight",
            "name": "天平路 1 号灯",
            "lat": 31.2,
            "lon": 121.44,
            "grid": "310104110152102",
            "area": "xuhui/tianping",
            "interval": "15m",
            "attributes": {"rated_power": 120},
        },
        "token:ann",
    )
    assert (device.family, device.index, device.link, device.interval) == (
        "streetlight",
        0,
        "mqtt",
        15 * MINUTE,
    )
    assert await city.devices.get("LP-0001") == device
    assert len(secret) * 6 >= 128
    assert city.directory.authenticate("LP-0001", secret.encode()) is not None
    assert city.directory.authenticate("LP-0001", secret.encode()[:-1]) is None
    assert city.history.rows() == [
        (
            "streetlight",
            DeviceRow(
                0,
                "LP-0001",
                "generic-streetlight",
                "xuhui/tianping",
                31.2,
                121.44,
                15 * MINUTE,
                0,
                "",
                {"rated_power": 120},
                link="mqtt",
            ),
        )
    ]
    trail = await city.store.read(lambda conn: conn.execute(select(audit)).one())
    assert (trail.time, trail.actor, trail.action, trail.object) == (
        NOW,
        "token:ann",
        "created",
        "device:LP-0001",
    )


async def test_history_hears_of_a_device_before_the_directory_knows_it(city: City) -> None:
    await city.add("A", "B")
    assert city.history.known == [0, 1]


async def test_what_history_could_not_hear_it_hears_at_the_next_start(city: City) -> None:
    city.history.broken = True
    with pytest.raises(StoreError):
        await city.add("A")
    assert city.directory.device("A") is None
    city.history.broken = False
    await city.devices.announcer.flush()
    assert [row.id for _, row in city.history.rows()] == ["A"]
    assert city.directory.device("A") is not None
    await city.devices.announcer.flush()
    assert len(city.history.heard) == 1


async def test_while_history_is_known_to_be_stalled_nothing_is_changed(city: City) -> None:
    await city.add("A")
    city.history.known_stuck = True
    with pytest.raises(Unavailable, match="the disk is full"):
        await city.add("B")
    with pytest.raises(Unavailable):
        await city.devices.change("A", {"name": "new"}, "token:test")
    with pytest.raises(Unavailable):
        await city.devices.import_csv(BytesIO(b"id,product\nC,generic-dust\n"), "token:test")
    assert [one.id for one in await city.devices.listing(Selection(), "", 10)] == ["A"]
    assert (await city.devices.get("A")).name == ""


async def test_a_history_that_stalls_meanwhile_delays_only_the_use(city: City) -> None:
    city.devices.announcer.patience = 0.01
    city.history.stuck = True
    secret = (await city.add("A"))["A"]
    with pytest.raises(Unavailable, match="takes effect once history has heard of it"):
        await city.devices.change("A", {"name": "new"}, "token:test")
    assert city.directory.device("A") is None
    city.history.known_stuck = True
    await city.devices.announcer.again()
    assert city.directory.device("A") is None
    city.history.stuck = city.history.known_stuck = False
    await city.devices.announcer.again()
    assert [row.id for _, row in city.history.rows()] == ["A", "A"]
    assert city.directory.authenticate("A", secret.encode()) is not None
    await city.devices.announcer.again()
    assert len(city.history.rows()) == 2


async def test_every_wrong_field_is_named_with_its_remedy(city: City) -> None:
    form = {
        "id": "a/b",
        "product": "nothing",
        "lat": 200,
        "grid": "12",
        "area": "a//b",
        "interval": "soon",
        "attributes": {"x": "y"},
    }
    with pytest.raises(Invalid) as caught:
        await city.devices.create(form, "token:test")
    errors = caught.value.members["errors"]
    assert isinstance(errors, list)
    assert [error["at"] for error in errors] == ["id", "lat", "grid", "area", "interval", "attributes"]
    assert all(error["remedy"] for error in errors)


@pytest.mark.parametrize("id", ["", ".a", "a b", "a+b", "a#", "灯", "a" * 65, 7, None])
async def test_an_id_must_be_safe_in_a_topic(city: City, id: object) -> None:  # noqa: A002
    with pytest.raises(Invalid):
        await city.devices.create({"id": id, "product": "generic-streetlight"}, "token:test")


@pytest.mark.parametrize(
    "fields",
    [
        {"product": "nothing"},
        {"product": "generic-streetlight", "family": "manhole"},
        {"product": "generic-streetlight", "lat": 31.2},
        {"product": "generic-streetlight", "lat": float("nan"), "lon": 1},
        {"product": "generic-streetlight", "parent": "A"},
        {"product": "generic-streetlight", "parent": "nobody"},
        {"product": "generic-streetlight", "interval": 0.1},
        {"product": "generic-streetlight", "attributes": {"x": True}},
        {"product": "generic-streetlight", "name": "a\nb"},
    ],
)
async def test_fields_must_fit_together(city: City, fields: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        await city.devices.create({"id": "A", **fields}, "token:test")


async def test_an_id_is_given_once(city: City) -> None:
    await city.add("A")
    with pytest.raises(Conflict):
        await city.add("A")


async def test_a_new_product_keeps_the_index_and_a_new_family_gives_another(city: City) -> None:
    await city.add("A", "B", "C")
    await city.devices.create({"id": "M", "product": "generic-manhole"}, "token:test")
    same = await city.devices.change("B", {"product": "acme-lamp"}, "token:test")
    assert (same.family, same.index) == ("streetlight", 1)
    assert city.history.rows()[-1][1].lateness == MINUTE
    moved = await city.devices.change("B", {"product": "generic-manhole"}, "token:test")
    assert (moved.family, moved.index) == ("manhole", 1)
    assert [(family, row.index, row.retired) for family, row in city.history.rows()[-2:]] == [
        ("streetlight", 1, True),
        ("manhole", 1, False),
    ]
    await city.add("D")
    assert (await city.devices.get("D")).index == 3
    back = await city.devices.change("B", {"product": "generic-streetlight"}, "token:test")
    assert back.index == 4
    for directory in (city.directory, await reloaded(city)):
        former = directory.by_index("streetlight", 1)
        assert former is not None
        assert (former.id, former.retired) == ("B", True)
        now = directory.by_index("streetlight", 4)
        assert now == directory.device("B")
        assert now is not None
        assert not now.retired


async def reloaded(city: City) -> Directory:
    """The directory after a restart."""
    directory = Directory()
    await Devices(city.store, city.clock, {}, directory, city.history.announce).load()
    return directory


async def test_a_retired_device_is_locked_out_and_keeps_its_index(city: City) -> None:
    secrets = await city.add("A")
    await city.devices.change("A", {"retired": True}, "token:test")
    assert city.directory.authenticate("A", secrets["A"].encode()) is None
    assert city.history.rows()[-1][1].retired
    await city.add("B")
    assert (await city.devices.get("B")).index == 1
    await city.devices.change("A", {"retired": False}, "token:test")
    assert city.directory.authenticate("A", secrets["A"].encode()) is not None


async def test_a_rotated_secret_replaces_the_old_one(city: City) -> None:
    old = (await city.add("A"))["A"]
    new = await city.devices.rotate("A", "token:test")
    assert city.directory.authenticate("A", old.encode()) is None
    assert city.directory.authenticate("A", new.encode()) is not None
    await city.devices.load()
    assert city.directory.authenticate("A", new.encode()) is not None


async def test_a_device_cannot_stand_below_itself(city: City) -> None:
    await city.add("cabinet", product="generic-cabinet")
    await city.add("loop", parent="cabinet", product="generic-cabinet")
    await city.add("lamp", parent="loop")
    with pytest.raises(Invalid, match="below"):
        await city.devices.change("cabinet", {"parent": "lamp"}, "token:test")


async def test_changes_and_rotations_of_nobody_are_not_found(city: City) -> None:
    with pytest.raises(NotFound):
        await city.devices.change("A", {"name": "x"}, "token:test")
    with pytest.raises(NotFound):
        await city.devices.rotate("A", "token:test")
    with pytest.raises(NotFound):
        await city.devices.get("A")


async def test_the_list_is_narrowed_and_paged(city: City) -> None:
    await city.add("A", "B", area="xuhui/tianping")
    await city.add("C", area="xuhui_1/tianping")
    await city.add("D", product="generic-manhole", area="xuhui")
    await city.devices.change("B", {"retired": True, "name": "50% lamp"}, "token:test")

    async def ids(selection: Selection, after: str = "", limit: int = 10) -> list[str]:
        return [one.id for one in await city.devices.listing(selection, after, limit)]

    assert await ids(Selection()) == ["A", "B", "C", "D"]
    assert await ids(Selection(), after="A", limit=2) == ["B", "C"]
    assert await ids(Selection(area="xuhui")) == ["A", "B", "D"]
    assert await ids(Selection(family="manhole")) == ["D"]
    assert await ids(Selection(retired=False, area="xuhui")) == ["A", "D"]
    assert await ids(Selection(text="50%")) == ["B"]
    assert await ids(Selection(text="%")) == []


async def test_a_history_that_knows_nothing_can_be_told_everything(city: City) -> None:
    await city.add("A", "B")
    await city.add("M", product="generic-manhole")
    controls = await city.devices.controls()
    assert [
        (one.family, [row.id for row in one.rows])
        for one in controls
        if hasattr(one, "family") and hasattr(one, "rows")
    ] == [
        ("manhole", ["M"]),
        ("streetlight", ["A", "B"]),
    ]
