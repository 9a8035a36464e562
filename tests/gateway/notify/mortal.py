"""A gateway's way from alarm to message, life after life, each in a process that kills itself with -9 at a named point.

Arguments: folder, port of the receiver, lives as JSON: (point or "", the passage that is the last, alarms in all).
Prints how each life ended. A life is forked off before anything was opened.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from msgspec import json
from sqlalchemy import Connection, func, select

from drivers.telemetry import MINUTE
from gateway.cases.desk import Desk
from gateway.cases.record import DeviceFacts, Message, Pulse
from gateway.cases.settings import DeskSettings
from gateway.cases.template import shipped
from gateway.clock import CityClock
from gateway.notify import outbox
from gateway.notify.channels.webhook import WebhookChannel
from gateway.notify.flow import Flow
from gateway.notify.outbox import Delivery, Outbox
from gateway.notify.settings import NotifySettings, WebhookSettings
from gateway.store.schema import cases as schema
from gateway.store.store import Store
from rules.transition import Transition, transition_id
from tests.gateway.notify.receiver import LOOPBACK, SECRET

T = TypeVar("T")
NOW: Final = 1_741_000_000_000_000
POINTS: Final = ("alarm", "posted", "committed", "read", "sending", "sent", "settling", "settled")


class Death:
    def __init__(self, point: str, passages: int) -> None:
        self._point, self._left = point, passages

    def passes(self, point: str) -> None:
        self._left -= point == self._point
        if point == self._point and self._left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


class MortalStore:
    """What the flow reads and writes, with death before and after."""

    def __init__(self, store: Store, death: Death) -> None:
        self._store, self._death = store, death

    async def read(self, work: Callable[[Connection], T]) -> T:
        found = await self._store.read(work)
        if found:
            self._death.passes("read")
        return found

    async def write(self, work: Callable[[Connection], T]) -> T:
        def mortally(conn: Connection) -> T:
            done = work(conn)
            self._death.passes("settling")
            return done

        done = await self._store.write(mortally)
        self._death.passes("settled")
        return done


class MortalChannel:
    def __init__(self, channel: WebhookChannel, death: Death) -> None:
        self._channel, self._death = channel, death

    async def deliver(self, delivery: Delivery) -> None:
        self._death.passes("sending")
        await self._channel.deliver(delivery)
        self._death.passes("sent")

    async def close(self) -> None:
        await self._channel.close()


async def live(folder: Path, url: str, death: Death, alarms: int) -> None:
    """Raises the alarms that are not yet on record, each in a transaction, while messages go out; ends when all is told."""
    hook = WebhookSettings.model_validate(
        {"name": "hook", "url": url, "secret": SECRET, "allow": LOOPBACK, "each": True}
    )
    settings = NotifySettings(log=(), webhook=(hook,), concurrency=4)
    clock, box = CityClock(), Outbox(settings.channels)

    def post(conn: Connection, messages: Sequence[Message], now: int) -> None:
        death.passes("alarm")
        box.post(conn, messages, now)
        death.passes("posted")

    desk = Desk(
        shipped(),
        DeskSettings(),
        describe=lambda _, index: DeviceFacts(f"MH-{index}"),
        listen=lambda _, _index: Pulse(None, MINUTE),
        post=post,
    )
    desk.bind([{"id": "tilt", "case": "cover-danger"}])
    async with Store(f"sqlite:///{folder}/operations.sqlite") as store:
        await store.migrate()
        channel = MortalChannel(WebhookChannel(hook, clock), death)
        flow = Flow(MortalStore(store, death), {"hook": channel}, settings, clock, random.Random(7))
        known = (
            await store.read(lambda conn: conn.scalar(select(func.count()).select_from(schema.alarm))) or 0
        )
        for index in range(known, alarms):
            await store.write(lambda conn, index=index: desk.apply(conn, [raised(index)], clock.now()))  # type: ignore[misc]
            death.passes("committed")
            await flow.deliver_due("hook")
        while await store.read(outbox.backlog):
            await flow.deliver_due("hook")
        await channel.close()


def raised(index: int) -> Transition:
    time = NOW + index
    key = transition_id("tilt", "manhole", index, time, True)
    return Transition(
        key,
        "tilt",
        1,
        "tiltAlarm",
        "major",
        "manhole",
        index,
        f"MH-{index}",
        True,
        time,
        time,
        {"value": 31.0},
    )


def fork(folder: Path, url: str, death: Death, alarms: int) -> int:
    """One life; gives how it ended, negative by a signal."""
    child = os.fork()
    if not child:
        asyncio.run(live(folder, url, death, alarms))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    where, port, lives = Path(sys.argv[1]), sys.argv[2], json.decode(sys.argv[3])
    for number, (point, passages, count) in enumerate(lives):
        url = f"http://127.0.0.1:{port}/{number}"
        print(fork(where, url, Death(point, passages), count), flush=True)
