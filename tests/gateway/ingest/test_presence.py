"""A cloned identity is told and ended in the gateway's own words, over a restart too, and no word of the device's is touched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from drivers.telemetry import HOUR, SECOND
from gateway.ingest.inbox import Inbox, Lane
from gateway.ingest.presence import QUIET, Presence
from tests.gateway.ingest.mqtt_city import HandClock
from tests.scenarios.city import City, city, moment

ROUNDS = 3_000  # of 10 ms: how long the gateway's next look is waited for


class Who(NamedTuple):
    kind: str
    name: str


@dataclass(frozen=True)
class Lamp:
    family: str = "streetlight"
    product: str = "generic-streetlight"
    index: int = 0
    retired: bool = False


class Roll:
    def device(self, id: str, /) -> Lamp | None:  # noqa: A002 - the field's word
        return Lamp() if id == "SL-1" else None


class Post:
    """A presence on a clock that a test sets ahead, and what it said."""

    def __init__(self) -> None:
        self.inbox, self.clock = Inbox(100), HandClock()
        lanes = {
            name: Lane("generic-streetlight", "streetlight", name)
            for name in ("telemetry", "event", "status")
        }
        self.presence = Presence(self.inbox, Roll(), lambda _, __, channel: lanes[channel], self.clock)

    def said(self) -> list[bytes]:
        self.presence.settle()
        frames, self.inbox.frames = self.inbox.frames, []
        return [frame.payload for frame in frames]


async def test_a_clone_ends_with_a_word_of_its_own_an_hour_after_the_last_takeover() -> None:
    post = Post()
    post.presence.cloned(Who("device", "SL-1"))
    assert post.said() == [b'{"event":"identityCloned"}']
    post.clock.ahead = QUIET / SECOND - 60
    assert post.said() == []
    post.presence.cloned(Who("device", "SL-1"))
    post.clock.ahead = QUIET / SECOND + 60
    assert post.said() == [b'{"event":"identityCloned"}']
    post.clock.ahead = 2 * QUIET / SECOND
    assert post.said() == [b'{"event":"identityRestored"}']
    assert post.said() == []


async def test_a_source_that_is_named_like_a_device_says_nothing_of_it() -> None:
    post = Post()
    post.presence.cloned(Who("source", "SL-1"))
    post.clock.ahead = 2 * QUIET / SECOND
    assert post.said() == []


async def test_a_clone_told_before_the_restart_is_ended_after_it() -> None:
    post = Post()
    post.presence.recall(["SL-1", "SL-GONE"])
    assert post.said() == []
    post.clock.ahead = QUIET / SECOND + 60
    assert post.said() == [b'{"event":"identityRestored"}']


async def standing(town: City, wanted: set[str]) -> None:
    """Waits until exactly these alarms stand on the lamp."""
    found: list[dict[str, Any]] = []
    for _ in range(ROUNDS):
        found = await town.alarms("SL-1")
        if {one["name"] for one in found if one["state"] != "cleared"} == wanted:
            return
        await town.clock.sleep(0.01)
    raise AssertionError(f"{wanted} is wanted; there are {[(one['name'], one['state']) for one in found]}")


async def test_the_alarm_ends_after_a_restart_and_the_device_s_own_stands(tmp_path: Path) -> None:
    async with city(tmp_path, "20:00") as town:
        await town.device("SL-1", "generic-streetlight")
        await town.says("SL-1", "lampFailure", voltage=229)
        town.gateway.core.presence.cloned(Who("device", "SL-1"))
        await standing(town, {"lampFailure", "identityCloned"})
    async with city(tmp_path, "20:10") as town:
        await town.clock.sleep(0.6)  # the first look after the start
        town.clock.move(moment("20:11") + HOUR)
        await town.says("SL-1", voltage=229)
        await standing(town, {"lampFailure"})
        town.clock.move(moment("20:12") + HOUR)
        await town.says("SL-1", "normal", voltage=229)
        await standing(town, set())
