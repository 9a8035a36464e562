"""Commands: typed, limited, expiring; kept for a device that sleeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from drivers.dialogue import Order, decode_command
from drivers.telemetry import MINUTE
from gateway.errors import Conflict, Invalid, NotFound
from gateway.registry import commands as module
from gateway.registry.commands import Commands, State
from tests.gateway.registry.city import NOW, City, open_city


@dataclass
class Link:
    """The session of a device, when it has one."""

    open: bool = True
    sent: list[tuple[str, str, Order]] = field(default_factory=list)

    def deliver(self, family: str, device: str, payload: bytes, expires: int) -> bool:
        if self.open:
            order = decode_command(payload)
            assert order.expires == expires // 1000
            self.sent.append((family, device, order))
        return self.open


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[City]:
    async with open_city(tmp_path) as city:
        await city.add("A")
        yield city


async def states(commands: Commands) -> list[State]:
    return [one.state for one in reversed(await commands.listing("A", None, 100))]


async def test_a_command_reaches_the_session_and_is_answered(city: City) -> None:
    link = Link()
    commands = Commands(city.store, city.clock, city.directory, link.deliver)
    one = await commands.issue("A", "switch", {"state": "on"}, MINUTE, "token:ann")
    assert (one.state, one.expires, one.args) == (State.SENT, NOW + MINUTE, {"state": 1.0})
    assert [(family, device, order.name, order.args) for family, device, order in link.sent] == [
        ("streetlight", "A", "switch", {"state": 1.0})
    ]
    answers = [("A", "accepted"), ("B", "applied"), ("A", "applied"), ("A", "failed")]
    took = [
        await city.store.write(
            partial(module.answer, device=who, id=one.id, result=word, error="", now=NOW + 1)
        )
        for who, word in answers
    ]
    assert took == [True, False, True, False]
    assert await states(commands) == [State.APPLIED]


async def test_what_waits_is_offered_in_order_when_the_device_comes(city: City) -> None:
    link = Link(open=False)
    commands = Commands(city.store, city.clock, city.directory, link.deliver)
    for level in (10, 20):
        await commands.issue("A", "dim", {"level": level}, MINUTE * level, "token:ann")
    await commands.issue("A", "switch", {"state": 1}, MINUTE, "token:ann")
    city.clock.time += 2 * MINUTE
    link.open = True
    await commands.offer("A")
    await commands.offer("A")
    assert [order.args for _, _, order in link.sent] == [{"level": 10.0}, {"level": 20.0}]
    assert await city.store.write(lambda conn: module.expire(conn, city.clock.time)) == 1
    assert await states(commands) == [State.SENT, State.SENT, State.EXPIRED]


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("explode", {}),
        ("dim", {}),
        ("dim", {"level": 101}),
        ("dim", {"level": float("nan")}),
        ("dim", {"level": "bright"}),
        ("switch", {"state": 0.5}),
        ("switch", {"state": "on", "more": 1}),
    ],
)
async def test_a_command_is_typed(city: City, name: str, args: dict[str, float | str]) -> None:
    commands = Commands(city.store, city.clock, city.directory, Link().deliver)
    with pytest.raises(Invalid):
        await commands.issue("A", name, args, MINUTE, "token:ann")


async def test_a_command_has_bounds(city: City) -> None:
    commands = Commands(city.store, city.clock, city.directory, Link(open=False).deliver)
    for lifetime in (0, module.LONGEST + 1):
        with pytest.raises(Invalid):
            await commands.issue("A", "switch", {"state": 1}, lifetime, "token:ann")
    with pytest.raises(NotFound):
        await commands.issue("B", "switch", {"state": 1}, MINUTE, "token:ann")
    for _ in range(module.WAITING):
        await commands.issue("A", "switch", {"state": 1}, MINUTE, "token:ann")
    with pytest.raises(Conflict):
        await commands.issue("A", "switch", {"state": 1}, MINUTE, "token:ann")
