"""A morning on which the other side is down for an hour, in the end it knows all, and how things stand."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection

from drivers.telemetry import MINUTE
from gateway.notify import outbox
from gateway.notify.channels.webhook import WebhookChannel
from gateway.notify.flow import Flow
from gateway.notify.outbox import Outbox
from gateway.notify.settings import NotifySettings
from gateway.store.schema import cases as schema
from gateway.store.schema.metadata import metadata
from tests.gateway.cases.city import City, moment
from tests.gateway.notify.hand_clock import HandClock
from tests.gateway.notify.receiver import LOOPBACK, SECRET, Receiver

T = TypeVar("T")


class Operations:
    def __init__(self, city: City) -> None:
        self._city = city

    async def write(self, work: Callable[[Connection], T]) -> T:
        with self._city.engine.begin() as conn:
            return work(conn)

    read = write


class Morning:
    """The city, its outbox and its flow, at one time."""

    def __init__(self, city: City, settings: NotifySettings) -> None:
        self.city, self.clock = city, HandClock()
        self.operations = Operations(city)
        self.channel = WebhookChannel(settings.webhook[0], self.clock)
        self.flow = Flow(
            self.operations, {"centre": self.channel}, settings, self.clock, random.Random(20250303)
        )
        self.outbox = Outbox(settings.channels)
        self._known = 0

    async def until(self, time: str) -> None:
        while True:
            fresh, self._known = self.city.told[self._known :], len(self.city.told)
            with self.city.transaction() as conn:
                self.outbox.post(conn, fresh, self.city.now)
            self.clock.time = self.city.now
            await self.flow.deliver_due("centre")
            if self.city.now >= moment(time):
                return
            self.city.advance(min(3 * MINUTE, moment(time) - self.city.now))

    def waiting(self) -> int:
        with self.city.engine.connect() as conn:
            return sum(line.n for line in outbox.backlog(conn))


async def test_down_for_an_hour_and_all_is_known_after() -> None:
    down = False
    with City() as city:
        metadata.create_all(city.engine, [schema.outbox])
        try:
            async with Receiver(lambda _: "503 Busy" if down else "204 No Content") as centre:
                hook = {"name": "centre", "url": centre.url, "secret": SECRET, "allow": LOOPBACK}
                settings = NotifySettings.model_validate({"log": [], "webhook": [hook]})
                morning = Morning(city, settings)
                await morning.until("Mon 09:00")
                city.raises("tilt", "MH-0042")
                await morning.until("Mon 10:00")
                assert morning.waiting() == 0
                down, before = True, len(centre.requests)
                city.act(city.case("cover-danger"), "accept")
                await morning.until("Mon 10:20")
                city.clears("tilt", "MH-0042")
                await morning.until("Mon 10:40")
                city.raises("lamp", "LP-3")
                city.raises("tilt", "MH-0043")
                await morning.until("Mon 11:00")
                held = morning.waiting()
                tried = len(centre.requests) - before
                down, refused = False, len(centre.requests)
                await morning.until("Mon 12:00")
                await morning.channel.close()
            assert held >= 6
            assert tried < 20 * 6, "who is away is asked ever less often"
            assert morning.waiting() == 0
            taken = [*centre.requests[:before], *centre.requests[refused:]]
            assert all(request.genuine for request in taken)
            keys = [request.headers["citygate-delivery"] for request in taken]
            assert sorted(keys) == sorted({message.key for message in city.told})
            last: dict[str, Any] = {}
            for request in taken:
                kind = request.headers["citygate-event"].partition(".")[0]
                record = request.message[kind]
                name = f"{kind}:{record['id']}"
                assert last.get(name, {"revision": -1})["revision"] < record["revision"], "in its order"
                last[name] = record
            states = {name: record["state"] for name, record in last.items()}
            stand = {f"case:{case.id}": str(case.state) for case in city.cases()}
            stand |= {f"alarm:{alarm.id}": str(alarm.state) for alarm in city.alarms()}
            assert states == stand
        finally:
            metadata.drop_all(city.engine, [schema.outbox])
