"""A secret is changed without an outage: both open for a while, and everyone knows who has not changed yet."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.telemetry import HOUR
from gateway.registry import secret as secrets
from gateway.registry.devices import Devices
from gateway.registry.directory import Directory, Principal
from gateway.registry.rotation import Use
from gateway.registry.sources import Source, Sources
from tests.gateway.registry.city import City, open_city


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[City]:
    async with open_city(tmp_path) as city:
        yield city


def opens(city: City, name: str, word: str) -> bool:
    return city.directory.authenticate(name, word.encode()) is not None


def use(city: City, name: str) -> Use | None:
    one = city.directory.rotations.get(name)
    return one.use if one else None


async def test_both_secrets_open_until_the_former_ones_time_is_over(city: City) -> None:
    old = (await city.add("A"))["A"]
    new = await city.devices.rotate("A", "token:test", HOUR)
    assert opens(city, "A", old)
    assert opens(city, "A", new)
    assert not opens(city, "A", old + "x")
    city.clock.time += HOUR
    assert not opens(city, "A", old)
    assert opens(city, "A", new)


async def test_it_is_known_who_still_uses_the_former_one(city: City) -> None:
    words = await city.add("A", "B", "C")
    new = {name: await city.devices.rotate(name, "token:test", HOUR) for name in words}
    assert opens(city, "A", words["A"])
    assert opens(city, "B", new["B"])
    assert [use(city, name) for name in "ABC"] == [Use.FORMER, Use.NEW, Use.UNKNOWN]
    assert opens(city, "A", new["A"])
    assert use(city, "A") is Use.NEW


async def test_nobody_is_cut_off_before_the_end_and_who_has_not_changed_is_then(city: City) -> None:
    words, void = await city.add("A", "B"), list[str]()
    city.directory.watch(void.append)
    new = {name: await city.devices.rotate(name, "token:test", HOUR) for name in words}
    assert void == []
    assert opens(city, "B", new["B"])
    city.directory.expire()
    assert void == []
    city.clock.time += HOUR
    city.directory.expire()
    assert void == ["A"]
    assert list(city.directory.rotations) == []


async def test_without_an_overlap_the_former_one_is_void_at_once(city: City) -> None:
    old, void = (await city.add("A"))["A"], list[str]()
    city.directory.watch(void.append)
    await city.devices.rotate("A", "token:test", HOUR)
    assert void == []
    newest = await city.devices.rotate("A", "token:test")
    assert void == ["A"]
    assert not opens(city, "A", old)
    assert opens(city, "A", newest)
    assert use(city, "A") is None


async def test_rotated_again_the_secret_that_is_in_use_stays(city: City) -> None:
    old = (await city.add("A"))["A"]
    lost = await city.devices.rotate("A", "token:test", HOUR)
    newest = await city.devices.rotate("A", "token:test", HOUR)
    assert opens(city, "A", old), "it was never seen with the one that got lost"
    assert not opens(city, "A", lost)
    assert opens(city, "A", newest)
    last = await city.devices.rotate("A", "token:test", HOUR)
    assert opens(city, "A", newest)
    assert opens(city, "A", last)
    assert not opens(city, "A", old)


async def test_a_restart_forgets_no_overlap(city: City) -> None:
    old = (await city.add("A"))["A"]
    await city.sources.create(Source("lns", ["city/#"], None, ""), "token:test")
    await city.devices.rotate("A", "token:test", HOUR)
    await city.sources.rotate("lns", "token:test", HOUR)
    directory = Directory(city.clock)
    await Devices(city.store, city.clock, {}, directory, city.history.announce).load()
    await Sources(city.store, city.clock, directory).load()
    assert directory.authenticate("A", old.encode()) == Principal("device", "A")
    assert {one.name: (one.kind, one.use) for one in directory.rotations} == {
        "A": ("device", Use.FORMER),
        "lns": ("source", Use.UNKNOWN),
    }
    city.clock.time += HOUR
    assert directory.authenticate("A", old.encode()) is None


async def test_a_source_changes_its_secret_over_mqtt_http_and_signatures(city: City) -> None:
    _, old = await city.sources.create(Source("lns", ["city/#"], None, ""), "token:test")
    new = await city.sources.rotate("lns", "token:test", HOUR)
    source = Principal("source", "lns")
    for word in (old, new):
        signature = hmac.digest(secrets.digest(word), b"body", "sha256")
        assert city.directory.authenticate("lns", word.encode()) == source
        assert city.directory.voice(word.encode()) == source
        assert city.directory.signed("lns", b"body", signature) == source
    assert use(city, "lns") is Use.NEW
    city.clock.time += HOUR
    signature = hmac.digest(secrets.digest(old), b"body", "sha256")
    assert city.directory.authenticate("lns", old.encode()) is None
    assert city.directory.voice(old.encode()) is None
    assert city.directory.signed("lns", b"body", signature) is None


async def test_a_removed_source_takes_its_former_secret_with_it(city: City) -> None:
    _, old = await city.sources.create(Source("lns", ["city/#"], None, ""), "token:test")
    await city.sources.rotate("lns", "token:test", HOUR)
    await city.sources.remove("lns", "token:test")
    assert not opens(city, "lns", old)
    assert city.directory.voice(old.encode()) is None


@pytest.mark.parametrize("name", ["A", "lns"])
async def test_a_certificate_vouches_for_who_is_registered(city: City, name: str) -> None:
    await city.add("A")
    await city.sources.create(Source("lns", ["city/#"], None, ""), "token:test")
    found = city.directory.vouched(name)
    assert found is not None
    assert found.name == name
    assert city.directory.vouched("nobody") is None
    await city.devices.change("A", {"retired": True}, "token:test")
    assert city.directory.vouched("A") is None
