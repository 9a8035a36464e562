"""Windows and adoption on a real store: who is let in, what is told, and what a crash or a full disk leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from drivers.refusal import Reason, Refused
from drivers.telemetry import MINUTE
from gateway.errors import Conflict, Invalid, NotFound
from gateway.registry.directory import NEWCOMER, Principal
from gateway.registry.joining import Joining
from gateway.registry.joining_settings import JoiningSettings
from gateway.store.schema.registry import audit
from tests.gateway.registry.city import NOW, PRODUCTS, City, open_city

SAID = b'{"v": {"tilt": 3}}'
TOPIC = "city/manhole/MH-1/telemetry"


@dataclass
class Hall:
    city: City
    joining: Joining
    expelled: list[str] = field(default_factory=list)

    def enter(self, name: str, secret: str = "any") -> Principal | None:
        return self.city.directory.authenticate(name, secret.encode())

    def says(self, name: str, payload: bytes = SAID, topic: str = TOPIC) -> None:
        """As the endpoint and the pipeline do between them."""
        with pytest.raises(Refused) as refused:
            self.city.directory.resolve(Principal(NEWCOMER, name), topic)
        assert (refused.value.reason, refused.value.who) == (Reason.UNKNOWN_DEVICE, name)
        self.joining.refused(name, f"mqtt:{name}@10.0.0.7:1", topic, payload, self.city.clock.now())

    async def audit(self) -> list[tuple[str, str, str]]:
        query = select(audit.c.actor, audit.c.action, audit.c.object).order_by(audit.c.id)
        rows = await self.city.store.read(lambda conn: conn.execute(query).all())
        return [(row.actor, row.action, row.object) for row in rows]


async def joining_of(city: City, **settings: Any) -> Joining:
    joining = Joining(
        JoiningSettings(**settings), city.store, city.clock, PRODUCTS, city.devices, city.directory
    )
    await joining.load()
    return joining


@asynccontextmanager
async def hall(path: Path, **settings: Any) -> AsyncIterator[Hall]:
    async with open_city(path) as city:
        it = Hall(city, await joining_of(city, **settings))
        it.joining.watch(it.expelled.append)
        yield it


async def test_without_a_window_nobody_comes_in(tmp_path: Path) -> None:
    async with hall(tmp_path) as it:
        assert it.enter("MH-1") is None
        it.joining.turned_away("MH-1", "mqtt:10.0.0.7:1")
        (one,) = it.joining.strangers
        assert (one.id, one.transport, one.address, one.area) == ("MH-1", "mqtt", "10.0.0.7:1", "")


async def test_a_window_lets_in_who_is_nobody_and_nobody_else(tmp_path: Path) -> None:
    async with hall(tmp_path) as it:
        await it.city.add("LP-1", "LP-2")
        await it.city.devices.change("LP-2", {"retired": True}, "test")
        await it.joining.open("xuhui", 15, "", "test")
        assert it.enter("MH-1") == Principal(NEWCOMER, "MH-1")
        for name in ("LP-1", "LP-2", "", "a/b", "x" * 65, "*"):
            assert it.enter(name) is None, name
            it.joining.turned_away(name, "mqtt:10.0.0.7:1")
        known = {one.id for one in it.joining.strangers}
        assert known.isdisjoint({"LP-1", "LP-2", ""}), "whose secret was wrong is not unknown"


async def test_a_window_closes_when_its_time_is_over(tmp_path: Path) -> None:
    async with hall(tmp_path) as it:
        window, secret = await it.joining.open("xuhui", 15, "", "token:desk")
        assert (secret, window.closes) == (None, NOW + 15 * MINUTE)
        it.enter("MH-1")
        it.city.clock.time += 15 * MINUTE
        assert it.enter("MH-2") is None
        assert it.joining.windows() == []
        await it.joining.look()
        assert it.expelled == ["MH-1"]
        assert await it.audit() == [
            ("token:desk", "opened", f"join_window:{window.id}"),
            ("gateway", "closed", f"join_window:{window.id}"),
        ]


async def test_the_window_with_the_secret_goes_first(tmp_path: Path) -> None:
    async with hall(tmp_path) as it:
        await it.joining.open("xuhui", 15, "", "test")
        _, secret = await it.joining.open("pudong", 15, "", "test", secret=True)
        assert secret is not None
        it.enter("A", secret)
        it.enter("B", "any")
        assert {one.id: one.area for one in it.joining.strangers} == {"A": "pudong", "B": "xuhui"}


@pytest.mark.parametrize(
    ("form", "field_"),
    [
        (("xuhui//x", 15, ""), "area"),
        (("xuhui", 0, ""), "minutes"),
        (("xuhui", 241, ""), "minutes"),
        (("xuhui", 15, "nothing"), "product"),
    ],
)
async def test_a_window_that_cannot_be_is_refused(
    tmp_path: Path, form: tuple[str, float, str], field_: str
) -> None:
    async with hall(tmp_path) as it:
        with pytest.raises(Invalid) as invalid:
            await it.joining.open(*form, actor="test")
        assert invalid.value.members["field"] == field_


async def test_windows_are_bounded(tmp_path: Path) -> None:
    async with hall(tmp_path, windows=1) as it:
        window, _ = await it.joining.open("xuhui", 15, "", "test")
        with pytest.raises(Conflict):
            await it.joining.open("pudong", 15, "", "test")
        await it.joining.close(window.id, "test")
        await it.joining.open("pudong", 15, "", "test")
        with pytest.raises(NotFound):
            await it.joining.close(window.id, "test")


async def test_adoption_makes_a_device_with_a_secret_of_its_own(tmp_path: Path) -> None:
    async with hall(tmp_path) as it:
        await it.joining.open("xuhui/tianping", 15, "", "test")
        it.enter("MH-1", "factory")
        it.says("MH-1")
        await it.joining.look()
        device, secret = await it.joining.adopt("MH-1", {"lat": 31.2, "lon": 121.4}, "token:desk")
        assert (device.product, device.area, device.lat) == ("generic-manhole", "xuhui/tianping", 31.2)
        assert it.expelled == ["MH-1"]
        assert it.enter("MH-1", "factory") is None
        assert it.enter("MH-1", secret) == Principal("device", "MH-1")
        assert list(it.joining.strangers) == []
        assert (await it.audit())[-2:] == [
            ("token:desk", "created", "device:MH-1"),
            ("token:desk", "adopted", "device:MH-1"),
        ]
        assert [row.id for _, row in it.city.history.rows()] == ["MH-1"], "history heard of it first"


async def test_what_cannot_be_guessed_must_be_said(tmp_path: Path) -> None:
    async with hall(tmp_path) as it:
        await it.joining.open("xuhui", 15, "", "test")
        it.enter("X")
        it.says("X", b'{"v": {"rssi": -70}}', "some/topic")
        await it.joining.look()
        (one,) = it.joining.strangers
        assert len(one.products) > 1
        with pytest.raises(Invalid):
            await it.joining.adopt("X", {}, "test")
        assert it.joining.strangers.find("X") is not None
        device, _ = await it.joining.adopt("X", {"product": "generic-dust"}, "test")
        assert device.family == "dust"
        with pytest.raises(NotFound):
            await it.joining.adopt("X", {}, "test")


async def test_a_registered_device_is_unknown_no_more(tmp_path: Path) -> None:
    """Registered by another way, or by an adoption that a crash cut short."""
    async with hall(tmp_path) as it:
        it.joining.refused("LP-1", "link:yard@h:1", "t", SAID, NOW)
        it.joining.refused("LP-2", "link:yard@h:1", "t", SAID, NOW)
        await it.joining.save()
        await it.city.add("LP-1")
        it.joining.refused("LP-1", "link:yard@h:1", "t", SAID, NOW)
        again = await joining_of(it.city)
        assert [one.id for one in again.strangers] == ["LP-2"]
        await again.save()
        assert [one.id for one in (await joining_of(it.city)).strangers] == ["LP-2"]


async def test_forgetting_is_told(tmp_path: Path) -> None:
    async with hall(tmp_path) as it:
        it.joining.refused("X", "http:yard@h", "", SAID, NOW)
        await it.joining.forget("X", "token:desk")
        with pytest.raises(NotFound):
            await it.joining.forget("X", "token:desk")
        assert await it.audit() == [("token:desk", "forgotten", "unknown_device:X")]
