from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from drivers.telemetry import DAY, HOUR, MINUTE, SECOND
from gateway.cases.record import Message
from gateway.errors import LinkError, StoreError
from gateway.notify import outbox
from gateway.notify.channels.channel import Channel
from gateway.notify.channels.log import LogChannel
from gateway.notify.channels.mail import MailChannel
from gateway.notify.channels.robot import RobotChannel
from gateway.notify.channels.webhook import WebhookChannel
from gateway.notify.flow import Flow, backoff, channels
from gateway.notify.outbox import Delivery, Outbox
from gateway.notify.settings import LogSettings, NotifySettings
from gateway.store.schema import cases as schema
from gateway.store.schema.metadata import metadata
from gateway.store.store import Store
from tests.gateway.notify.hand_clock import START, HandClock
from tests.gateway.notify.receiver import LOOPBACK, SECRET, Receiver

T = TypeVar("T")


class Ear:
    """A channel that refuses as often as it is told to."""

    def __init__(self, refusals: Callable[[Delivery], bool] = lambda _: False) -> None:
        self.refuses = refusals
        self.heard: list[str] = []
        self.tried: list[str] = []
        self.closed = False

    async def deliver(self, delivery: Delivery) -> None:
        self.tried.append(delivery.key)
        if self.refuses(delivery):
            raise LinkError("HTTP 500")
        self.heard.append(delivery.key)

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(f"sqlite:///{tmp_path}/operations.sqlite") as store:
        await store.write(lambda conn: metadata.create_all(conn, [schema.outbox]))
        yield store


def messages(n: int, subjects: int) -> list[Message]:
    return [
        Message(
            f"case:{i % subjects}:{i // subjects}",
            f"case:{i % subjects}",
            "case.file",
            "major",
            "dust",
            "",
            {},
        )
        for i in range(n)
    ]


async def post(store: Store, *found: Message) -> None:
    await store.write(lambda conn: Outbox([LogSettings(name="ear")]).post(conn, found, START))


async def tally(store: Store) -> dict[str, int]:
    counts = await store.read(outbox.counts)
    return counts.get("ear", {})


def flow(store: Store, ear: Channel, clock: HandClock, settings: NotifySettings | None = None) -> Flow:
    return Flow(store, {"ear": ear}, settings or NotifySettings(), clock, random.Random(7))


async def test_everything_is_delivered_in_the_order_of_its_subject(store: Store) -> None:
    ear, clock = Ear(), HandClock()
    await post(store, *messages(20, 4))
    carrier = flow(store, ear, clock)
    while (await carrier.deliver_due("ear")).attempts:
        pass
    assert await tally(store) == {"delivered": 20}
    for subject in range(4):
        of_subject = [key for key in ear.heard if key.startswith(f"case:{subject}:")]
        assert of_subject == [f"case:{subject}:{n}" for n in range(5)]


async def test_no_more_than_so_many_at_once(store: Store) -> None:
    ear = Ear()
    await post(store, *messages(20, 20))
    carrier = flow(store, ear, HandClock(), NotifySettings(concurrency=3))
    assert (await carrier.deliver_due("ear")).attempts == 3


async def test_a_failure_is_tried_again_later_and_ends_well(store: Store) -> None:
    failures = {"case:0:0": 3}

    def refuses(delivery: Delivery) -> bool:
        failures[delivery.key] = failures.get(delivery.key, 0) - 1
        return failures[delivery.key] >= 0

    ear, clock = Ear(refuses), HandClock()
    await post(store, *messages(2, 1))
    carrier = flow(store, ear, clock)
    for _ in range(10):
        await carrier.deliver_due("ear")
        clock.time += MINUTE
    assert ear.heard == ["case:0:0", "case:0:1"]
    assert ear.tried == ["case:0:0"] * 4 + ["case:0:1"]


async def test_what_fails_for_days_is_given_up_and_stays_visible(store: Store) -> None:
    ear, clock = Ear(lambda _: True), HandClock()
    await post(store, *messages(1, 1))
    carrier = flow(store, ear, clock)
    clock.time += 3 * DAY - 1
    await carrier.deliver_due("ear")
    assert await tally(store) == {"pending": 1}
    clock.time += HOUR
    await carrier.deliver_due("ear")
    assert await tally(store) == {"dead": 1}
    assert (await carrier.deliver_due("ear")).attempts == 0


async def test_pauses_are_real_time_when_the_city_runs_faster(store: Store) -> None:
    clock = HandClock(speed=60.0)
    await post(store, *messages(1, 1))
    settings = NotifySettings(backoff=10 * SECOND)
    await flow(store, Ear(lambda _: True), clock, settings).deliver_due("ear")

    def next_at(conn: Connection) -> int:
        return outbox.waiting(conn, outbox.OutboxState.PENDING)[0].next_at

    pause = await store.read(next_at) - START
    assert 10 * SECOND < pause <= 60 * 10 * SECOND


async def test_it_runs_until_it_is_stopped_and_closes_its_channels(store: Store) -> None:
    heard = asyncio.Event()

    class Announcing(Ear):
        async def deliver(self, delivery: Delivery) -> None:
            await super().deliver(delivery)
            heard.set()

    ear = Announcing()
    carrier = flow(store, ear, HandClock(), NotifySettings(poll=HOUR))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(carrier.run())
        await post(store, *messages(1, 1))
        carrier.wake()
        await asyncio.wait_for(heard.wait(), 5)
        running.cancel()
    assert ear.closed


async def test_a_channel_that_takes_nothing_is_left_alone_for_longer_and_longer(store: Store) -> None:
    clock, tries = HandClock(), 0
    enough = asyncio.Event()

    def refuses(_: Delivery) -> bool:
        nonlocal tries
        tries += 1
        if tries >= 40:
            enough.set()
        return True

    await post(store, *messages(200, 200))
    carrier = flow(store, Ear(refuses), clock, NotifySettings(concurrency=4))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(carrier.run())
        await asyncio.wait_for(enough.wait(), 10)
        running.cancel()
    assert len(clock.slept) >= 9
    assert max(clock.slept) <= 30
    assert sum(clock.slept[5:]) > sum(clock.slept[:4])


class Faltering:
    """Operations that cannot be written the first times."""

    def __init__(self, store: Store, times: int) -> None:
        self.store = store
        self.times = times

    async def write(self, work: Callable[[Connection], T]) -> T:
        self.times -= 1
        if self.times >= 0:
            raise StoreError("the disk is full")
        return await self.store.write(work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        return await self.store.read(work)


async def test_operations_that_cannot_be_written_cost_a_duplicate_and_no_message(store: Store) -> None:
    ear, clock = Ear(), HandClock()
    await post(store, *messages(1, 1))
    carrier = Flow(Faltering(store, 2), {"ear": ear}, NotifySettings(), clock, random.Random(7))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(carrier.run())
        while await tally(store) != {"delivered": 1}:
            await clock.sleep(0)
        running.cancel()
    assert ear.heard == ["case:0:0"] * 3


async def test_an_hour_of_outage_costs_no_message(store: Store) -> None:
    up = False
    async with Receiver(lambda _: "204 No Content" if up else "503 Busy") as receiver:
        settings = NotifySettings.model_validate(
            {
                "webhook": [{"name": "ear", "url": receiver.url, "secret": SECRET, "allow": LOOPBACK}],
                "log": [],
            }
        )
        clock = HandClock()
        await post(store, *messages(6, 2))
        hooks = channels(settings, clock, "Asia/Shanghai")
        carrier = Flow(store, hooks, settings, clock, random.Random(7))
        for _ in range(12):
            await carrier.deliver_due("ear")
            clock.time += 5 * MINUTE
        up = True
        for _ in range(6):
            await carrier.deliver_due("ear")
            clock.time += 10 * MINUTE
        await hooks["ear"].close()
    assert await tally(store) == {"delivered": 6}
    assert all(request.genuine for request in receiver.requests)


def test_backoff_has_full_jitter_under_a_doubling_capped_bound() -> None:
    settings, chance = NotifySettings(backoff=2 * SECOND, longest_backoff=MINUTE), random.Random(1)
    for attempts, bound in ((0, 2), (1, 4), (4, 32), (5, 60), (500, 60)):
        drawn = [backoff(attempts, settings, chance) for _ in range(300)]
        assert 0 <= min(drawn) < bound * SECOND // 10
        assert bound * SECOND * 9 // 10 < max(drawn) <= bound * SECOND


async def test_the_configured_channels() -> None:
    settings = NotifySettings.model_validate(
        {
            "webhook": [{"name": "hook", "url": "http://127.0.0.1:9/", "secret": SECRET}],
            "wecom": [{"name": "crews", "key": "k"}],
            "dingtalk": [{"name": "duty", "key": "k", "secret": SECRET}],
            "feishu": [{"name": "bureau", "key": "k", "secret": SECRET}],
            "mail": [{"name": "mail", "host": "h", "sender": "a@b.example", "to": ["c@d.example"]}],
        }
    )
    built = channels(settings, HandClock(), "Asia/Shanghai")
    assert {name: type(channel) for name, channel in built.items()} == {
        "log": LogChannel,
        "hook": WebhookChannel,
        "crews": RobotChannel,
        "duty": RobotChannel,
        "bureau": RobotChannel,
        "mail": MailChannel,
    }
    assert sorted(built) == sorted(channel.name for channel in settings.channels)
    for channel in built.values():
        await channel.close()


async def test_the_log_channel_writes_a_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    await LogChannel().deliver(Delivery(1, "k", "log", "case:1", "case.file", {"zh": "路灯"}, 0, 0, 0))
    assert caplog.messages == ['case.file case:1 {"zh":"路灯"}']
