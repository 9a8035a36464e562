"""Cases for another city platform, and what it says of them: a note in the case's timeline, never a proof.

A case is sent once: what was taken stands in the table `open311_forward`, whatever the outbox brings again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection, Row, insert, select, update

from drivers.telemetry import DAY, SECOND
from gateway.cases import intake
from gateway.cases.desk import Desk
from gateway.cases.ledger import Ledger
from gateway.cases.lifecycle import Entry
from gateway.cases.open311 import masked
from gateway.cases.record import GATEWAY, Change
from gateway.clock import Clock
from gateway.errors import LinkError, StoreError
from gateway.notify.channels.channel import UndeliverableError
from gateway.notify.channels.georeport import GeoReportClient, Standing
from gateway.notify.open311_settings import ForwardSettings
from gateway.notify.outbox import Delivery
from gateway.store.schema.open311 import forward as table

log = logging.getLogger(__name__)

T = TypeVar("T")

FOLLOWED: Final = 90 * DAY  # after this nobody asks any more: no request is listed for longer
AT_ONCE: Final = 100  # requests that one look asks for
LONGEST: Final = 4000  # characters of a description


class Operations(Protocol):
    async def write(self, work: Callable[[Connection], T]) -> T: ...

    async def read(self, work: Callable[[Connection], T]) -> T: ...


class Home(NamedTuple):
    """What a forward needs of the city it is of."""

    store: Operations
    desk: Desk
    clock: Clock
    publish: Callable[[Sequence[Change]], None]


class Forward:
    """One other platform: what is sent there, and what became of it."""

    def __init__(self, settings: ForwardSettings, home: Home) -> None:
        self.settings = settings
        self._home = home

    async def known(self, case: int) -> bool:
        c = table.c
        query = select(c.case).where(c.channel == self.settings.name, c.case == case)
        return await self._home.store.read(lambda conn: conn.execute(query).first()) is not None

    async def words(self, case: int) -> str:
        """Of whoever reported it first, without what identifies people; "" where telemetry did."""
        reports = await self._home.store.read(lambda conn: intake.of_case(conn, case))
        return masked(reports[0].text) if reports else ""

    async def sent(self, case: int, number: str | None, token: str | None) -> None:
        now = self._home.clock.now()
        row = {"channel": self.settings.name, "case": case, "sent": now, "request": number, "token": token}
        detail = {"channel": self.settings.name, "request": number, "token": token}

        def write(conn: Connection) -> list[Change]:
            conn.execute(insert(table).values(**row, status="", notes="", next_at=now))
            return self._note(conn, case, f"sent to {self.settings.name}: {number or token}", detail, now)

        self._home.publish(await self._home.store.write(write))

    async def due(self) -> Sequence[Row[Any]]:
        c, now = table.c, self._home.clock.now()
        query = select(table).where(c.channel == self.settings.name, c.next_at <= now).order_by(c.next_at)
        return await self._home.store.read(lambda conn: conn.execute(query.limit(AT_ONCE)).all())

    async def numbered(self, row: Row[Any], number: str) -> None:
        """Its token became a number, which is asked for next."""
        now = self._home.clock.now()
        detail = {"channel": self.settings.name, "request": number}
        await self._change(
            row, {"request": number, "next_at": now}, f"{self.settings.name}: {number}", detail
        )

    async def stands(self, row: Row[Any], said: Standing) -> None:
        """In the timeline only where it is news."""
        values = {"status": said.status, "notes": said.notes}
        again = None if said.status == "closed" else self._again(row)
        if (row.status, row.notes) == (said.status, said.notes):
            await self._change(row, {"next_at": again})
            return
        detail = {"channel": self.settings.name, "request": row.request, **values}
        note = f"{self.settings.name}: {row.request} {said.status} {said.notes}".strip()
        await self._change(row, {**values, "next_at": again}, note, detail)

    async def later(self, row: Row[Any]) -> None:
        await self._change(row, {"next_at": self._again(row)})

    def _again(self, row: Row[Any]) -> int | None:
        """When to ask next; None where it is too old."""
        clock = self._home.clock
        again = clock.now() + round(self.settings.poll * clock.speed)
        return again if again - row.sent < FOLLOWED else None

    async def _change(
        self, row: Row[Any], values: Mapping[str, Any], note: str = "", detail: dict[str, Any] | None = None
    ) -> None:
        now, c = self._home.clock.now(), table.c
        where = (c.channel == row.channel, c.case == row.case)

        def write(conn: Connection) -> list[Change]:
            conn.execute(update(table).where(*where).values(dict(values)))
            return self._note(conn, row.case, note, detail, now) if note else []

        self._home.publish(await self._home.store.write(write))

    def _note(
        self, conn: Connection, number: int, note: str, detail: dict[str, Any] | None, now: int
    ) -> list[Change]:
        def work(ledger: Ledger) -> None:
            ledger.note_case(
                ledger.case(number), Entry.FORWARDED, GATEWAY, note=note, detail=detail, tell=False
            )

        return self._home.desk.work(conn, now, work)[1]


class Open311Channel:
    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._client = GeoReportClient(forward.settings)

    async def deliver(self, delivery: Delivery) -> None:
        case = delivery.payload["case"]
        service = self._forward.settings.services.get(case["template"])
        if service is None:  # it was, when the message was written
            raise UndeliverableError(f"no service stands for {case['template']} any more")
        if await self._forward.known(case["id"]):
            return
        words = await self._forward.words(case["id"])
        form = {"service_code": service, **told(case, self._forward.settings, words)}
        number, token = await self._client.report(form, delivery.key)
        await self._forward.sent(case["id"], number, token)

    async def close(self) -> None:
        await self._client.close()


class Follow:
    """Asks for what was sent until the other side has closed it."""

    def __init__(self, forward: Forward, clock: Clock) -> None:
        self._forward = forward
        self._clock = clock
        self.client = GeoReportClient(forward.settings)

    async def run(self) -> None:
        """Until cancelled; a look is due at every poll, and soon after something was sent."""
        pause = min(self._forward.settings.poll, 10 * SECOND) / SECOND
        try:
            while True:
                await self._clock.sleep(pause)
                await self.look()
        finally:
            await self.close()

    async def close(self) -> None:
        await self.client.close()

    async def look(self) -> None:
        """One round; what cannot be asked now is asked at the next poll."""
        try:
            for row in await self._forward.due():
                await self._ask(row)
        except StoreError as error:
            log.warning("forward %s waits for operations: %s", self._forward.settings.name, error)

    async def _ask(self, row: Row[Any]) -> None:
        try:
            if row.request is None:
                number = await self.client.redeem(row.token)
                await (self._forward.numbered(row, number) if number else self._forward.later(row))
            else:
                await self._forward.stands(row, await self.client.look(row.request))
        except LinkError as error:
            log.warning(
                "forward %s does not say how %s stands: %s", row.channel, row.request or row.token, error
            )
            await self._forward.later(row)


def told(case: Mapping[str, Any], settings: ForwardSettings, words: str) -> dict[str, str]:
    """What of a case leaves: what it is and where; no person, no crew."""
    thing = " ".join(text for text in (case["device"], case["device_name"]) if text)
    lines = [case[settings.language], thing, words, f"citygate {case['id']}"]
    form = {"description": "\n".join(line for line in lines if line)[:LONGEST]}
    place = " ".join(text for text in (case["area"], case["device_name"] or case["device"]) if text)
    form["address_string"] = place[:256]
    if case["lat"] is not None and case["lon"] is not None:
        form |= {"lat": repr(case["lat"]), "long": repr(case["lon"])}
    form |= {f"attribute[{name}]": case[name] for name in ("grid", "part") if case[name]}
    return {name: value for name, value in form.items() if value}
