"""Carries the outbox to its channels: in order a subject, each channel on its own, until taken or given up.

A message is delivered at least once: one whose verdict was not yet written when the gateway died goes out again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from drivers.telemetry import SECOND
from gateway.clock import Clock
from gateway.errors import LinkError, StoreError
from gateway.notify import outbox
from gateway.notify.channels.channel import Channel, UndeliverableError
from gateway.notify.channels.dingtalk import DINGTALK
from gateway.notify.channels.feishu import FEISHU
from gateway.notify.channels.log import LogChannel
from gateway.notify.channels.mail import MailChannel
from gateway.notify.channels.paced import PacedChannel
from gateway.notify.channels.robot import RobotChannel
from gateway.notify.channels.webhook import WebhookChannel
from gateway.notify.channels.wecom import WECOM
from gateway.notify.cloudevents import Events
from gateway.notify.labels import Labels
from gateway.notify.links import Links
from gateway.notify.outbox import Delivery, Verdict
from gateway.notify.settings import NotifySettings
from gateway.notify.text import OURS, worst

log = logging.getLogger(__name__)

T = TypeVar("T")

STEEPEST: Final = 40  # doublings after which the cap holds in any case
LONGEST_REST: Final = 30 * SECOND  # of a channel that takes nothing, until it is tried again
DIGEST: Final = 200  # subjects that are looked at for one digest
TIDY: Final = 3_600.0  # seconds between two removals of what was delivered long ago


class Round(NamedTuple):
    attempts: int
    failures: int


class Operations(Protocol):
    """The part of the store that the flow needs."""

    async def write(self, work: Callable[[Connection], T]) -> T: ...

    async def read(self, work: Callable[[Connection], T]) -> T: ...


class Flow:
    """Times in the outbox are city time; pauses are real time, so the clock's speed converts them."""

    def __init__(
        self,
        store: Operations,
        channels: Mapping[str, Channel],
        settings: NotifySettings,
        clock: Clock,
        chance: random.Random,
    ) -> None:
        self._store = store
        self._channels = dict(channels)
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._tidy_at = clock.monotonic()
        self._at_once: dict[str, int] = {}  # where it is not the settings' concurrency
        self._woken = {name: asyncio.Event() for name in channels}

    @property
    def names(self) -> list[str]:
        """Of its channels."""
        return list(self._channels)

    def join(self, name: str, channel: Channel, at_once: int = 64) -> None:
        """One more channel, before it runs: a broker, which takes many deliveries at once."""
        self._channels[name] = channel
        self._at_once[name] = at_once
        self._woken[name] = asyncio.Event()

    def wake(self) -> None:
        """There may be new messages: look now, not at the next poll."""
        for event in self._woken.values():
            event.set()

    async def run(self) -> None:
        """Deliver until cancelled; closes the channels then."""
        try:
            async with asyncio.TaskGroup() as group:
                for name in self._channels:
                    group.create_task(self._carry(name), name=f"notify {name}")
        finally:
            for channel in self._channels.values():
                await channel.close()

    async def deliver_due(self, name: str) -> Round:
        """One round of a channel: what is due, at once; to people, at the channel's pace."""
        channel = self._channels[name]
        if isinstance(channel, PacedChannel):
            return await self._at_its_pace(name, channel)
        now, limit = self._clock.now(), self._at_once.get(name, self._settings.concurrency)
        deliveries = await self._store.read(lambda conn: outbox.due(conn, name, now, limit))
        verdicts = await asyncio.gather(*(self._attempt(name, delivery) for delivery in deliveries))
        return await self._settle(verdicts)

    async def _settle(self, verdicts: Sequence[Verdict]) -> Round:
        if verdicts:
            await self._store.write(lambda conn: outbox.settle(conn, verdicts, self._clock.now()))
        return Round(len(verdicts), sum(1 for verdict in verdicts if verdict.error))

    async def _at_its_pace(self, name: str, paced: PacedChannel) -> Round:
        """One message each while few subjects wait; all of them in one where that would be too often."""
        now, free = self._clock.now(), paced.pace.free()
        if not free:
            return Round(0, 0)
        due = await self._store.read(lambda conn: outbox.due(conn, name, now, DIGEST))
        if len(due) >= free and due:
            return await self._together(name, paced, [delivery.subject for delivery in due])
        verdicts: list[Verdict] = []
        for delivery in due:
            verdicts.append(await self._attempt(name, delivery))
            if verdicts[-1].next_at is not None:  # it is away: the others would only wait for it in turn
                break
        return await self._settle(verdicts)

    async def _together(self, name: str, paced: PacedChannel, subjects: Sequence[str]) -> Round:
        """The newest of each subject speaks for all before it."""
        waiting = await self._store.read(lambda conn: outbox.pending(conn, name, subjects))
        newest = sorted({delivery.subject: delivery for delivery in waiting}.values(), key=worst)
        digest = paced.compose(newest)
        told = {delivery.subject for delivery in newest[: digest.subjects]}
        settled = [delivery for delivery in waiting if delivery.subject in told]
        try:
            await paced.send(digest.text)
        except UndeliverableError as error:
            if paced.narrow(digest.subjects):  # fewer at a time, until the one to blame stands alone
                log.warning("channel %s takes no digest of %d subjects: %s", name, digest.subjects, error)
                return Round(1, 1)
            return await self._settle([self._given_up(delivery, error) for delivery in settled])
        except LinkError as error:
            return await self._settle([self._failed(delivery, str(error)) for delivery in settled])
        paced.widen()
        return await self._settle([Verdict(delivery.id) for delivery in settled])

    async def _carry(self, name: str) -> None:
        failed = 0  # rounds in a row in which nothing was taken: the other side is away
        while True:
            self._woken[name].clear()
            done = await self._round(name)
            failed = failed + 1 if done.attempts and done.attempts == done.failures else 0
            if failed:
                pause = min(backoff(failed - 1, self._settings, self._chance), LONGEST_REST)
                await self._clock.sleep(pause / SECOND)
            elif not done.attempts:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken[name].wait(), self._settings.poll / SECOND)

    async def _round(self, name: str) -> Round:
        """A round that outlives operations that cannot be read or written: nothing is lost by waiting."""
        try:
            done = await self.deliver_due(name)
            if not done.attempts:
                await self._forget()
        except StoreError as error:
            log.warning("channel %s waits for operations: %s", name, error)
            return Round(1, 1)
        return done

    async def _attempt(self, name: str, delivery: Delivery) -> Verdict:
        try:
            await self._channels[name].deliver(delivery)
        except UndeliverableError as error:
            return self._given_up(delivery, error)
        except LinkError as error:
            return self._failed(delivery, str(error) or "failed")
        return Verdict(delivery.id)

    def _failed(self, delivery: Delivery, error: str) -> Verdict:
        now, speed = self._clock.now(), self._clock.speed
        if now - delivery.created >= self._settings.give_up * speed:
            return self._given_up(delivery, error)
        pause = backoff(delivery.attempts, self._settings, self._chance)
        return Verdict(delivery.id, error, now + round(pause * speed))

    def _given_up(self, delivery: Delivery, error: object) -> Verdict:
        log.error("message %s to %s is given up: %s", delivery.key, delivery.channel, error)
        return Verdict(delivery.id, str(error))

    async def _forget(self) -> None:
        if self._clock.monotonic() < self._tidy_at:
            return
        self._tidy_at = self._clock.monotonic() + TIDY
        before = self._clock.now() - round(self._settings.keep * self._clock.speed)
        await self._store.write(lambda conn: outbox.forget(conn, before))


def backoff(attempts: int, settings: NotifySettings, chance: random.Random) -> int:
    """µs to wait after this many earlier failures: full jitter under a doubling, capped bound."""
    bound = min(settings.longest_backoff, settings.backoff * 2 ** min(attempts, STEEPEST))
    return chance.randint(0, bound)


def channels(
    settings: NotifySettings,
    clock: Clock,
    zone: str,
    links: Links | None = None,
    events: Events | None = None,
    labels: Labels = OURS,
) -> dict[str, Channel]:
    """The channels that the configuration names. zone: the city's, for what people read; links: to answer by; labels: the city's words."""
    named: dict[str, Channel] = {each.name: LogChannel() for each in settings.log}
    told = events or Events(settings.source, settings.base_url)
    named |= {each.name: WebhookChannel(each, clock, told) for each in settings.webhook}
    robots = (
        *((WECOM, each) for each in settings.wecom),
        *((DINGTALK, each) for each in settings.dingtalk),
        *((FEISHU, each) for each in settings.feishu),
    )
    here = ZoneInfo(zone)
    named |= {each.name: MailChannel(each, clock, here, links=links, labels=labels) for each in settings.mail}
    if settings.apprise:
        from gateway.notify.channels.apprise import (  # noqa: PLC0415 - slow to load, and most cities have none
            AppriseChannel,
        )

        named |= {each.name: AppriseChannel(each, clock, here, links, labels) for each in settings.apprise}
    return named | {
        each.name: RobotChannel(platform, each, clock, here, links, labels) for platform, each in robots
    }
