"""Commands to devices: typed, limited, expiring (law 7). Their states are a table; what it does not name cannot happen.

A command is kept until it is answered or expires, so a device that sleeps or a gateway that restarts loses none.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import asdict, replace
from sqlalchemy import Connection, and_, func, insert, select, update

from drivers.dialogue import encode_command
from drivers.families import FAMILIES
from drivers.telemetry import DAY, SECOND, Command, Point
from gateway.clock import Clock
from gateway.errors import Conflict, Invalid, NotFound
from gateway.registry.directory import Directory
from gateway.store import audit
from gateway.store.schema.registry import command as table
from gateway.store.store import Store

LONGEST: Final = 7 * DAY
WAITING: Final = 100  # open commands of one device


class State(StrEnum):
    QUEUED = "queued"
    SENT = "sent"
    ACCEPTED = "accepted"
    APPLIED = "applied"
    FAILED = "failed"
    EXPIRED = "expired"


class Event(StrEnum):
    SEND = "send"  # a session has it, and keeps it until the device acknowledged it
    ACCEPT = "accepted"  # the three words of a reply (design 3)
    APPLY = "applied"
    FAIL = "failed"
    EXPIRE = "expire"


_ANSWER: Final = {
    Event.ACCEPT: State.ACCEPTED,
    Event.APPLY: State.APPLIED,
    Event.FAIL: State.FAILED,
    Event.EXPIRE: State.EXPIRED,
}
TRANSITIONS: Final[Mapping[State, Mapping[Event, State]]] = {
    State.QUEUED: {Event.SEND: State.SENT, Event.EXPIRE: State.EXPIRED},
    State.SENT: _ANSWER,
    State.ACCEPTED: {Event.APPLY: State.APPLIED, Event.FAIL: State.FAILED, Event.EXPIRE: State.EXPIRED},
    State.APPLIED: {},
    State.FAILED: {},
    State.EXPIRED: {},
}
OPEN: Final = frozenset(state for state, ways in TRANSITIONS.items() if ways)


class Issued(Struct, frozen=True):
    """One command. Times µs UTC; args by name, enumerated ones as positions."""

    id: str
    seq: int
    device: str
    name: str
    args: dict[str, float]
    actor: str
    created: int
    expires: int
    state: State
    changed: int
    error: str = ""


Deliver = Callable[[str, str, bytes, int], bool]


class Commands:
    """`deliver` hands (family, device, payload, expires) to the device's session; False where it has none."""

    def __init__(self, store: Store, clock: Clock, directory: Directory, deliver: Deliver) -> None:
        self._store = store
        self._clock = clock
        self._directory = directory
        self._deliver = deliver
        self._turn = asyncio.Lock()  # nothing is sent twice

    async def issue(
        self, device: str, name: str, args: Mapping[str, float | str], lifetime: int, actor: str
    ) -> Issued:
        """Queue a command; it expires `lifetime` µs from now. Raises NotFound, Invalid, Conflict."""
        entry = self._directory.device(device)
        if entry is None or entry.retired:
            raise NotFound(f"no device {device!r:.80} in service")
        if not SECOND <= lifetime <= LONGEST:
            raise Invalid(f"a command lives 1 s to {LONGEST // DAY} days")
        numbers = _checked(entry.family, name, args)
        now = self._clock.now()

        def work(conn: Connection) -> Issued:
            still = and_(table.c.device == device, table.c.state.in_(OPEN), table.c.expires > now)
            if (conn.scalar(select(func.count()).where(still)) or 0) >= WAITING:
                raise Conflict(f"{device} has {WAITING} commands waiting already")
            seq = (conn.scalar(select(func.max(table.c.seq))) or 0) + 1
            one = Issued(
                secrets.token_hex(8),
                seq,
                device,
                name,
                numbers,
                actor,
                now,
                now + lifetime,
                State.QUEUED,
                now,
            )
            conn.execute(insert(table).values(asdict(one)))
            audit.record(conn, now, actor, "command issued", f"device:{device}", {"id": one.id, "name": name})
            return one

        async with self._turn:
            one = await self._store.write(work)
            return await self._send(entry.family, one)

    async def offer(self, device: str) -> None:
        """The device has a session now: hand over what waits for it."""
        entry = self._directory.device(device)
        if entry is None or entry.retired:
            return
        now = self._clock.now()
        async with self._turn:
            for one in await self._store.read(lambda conn: waiting(conn, device, now)):
                await self._send(entry.family, one)

    async def offer_waiting(self) -> None:
        """Whoever has a session now gets what waits; asked again and again, so no subscription is missed."""
        now = self._clock.now()
        queued = select(table.c.device).where(table.c.state == State.QUEUED, table.c.expires > now).distinct()
        for device in await self._store.read(lambda conn: list(conn.scalars(queued))):
            await self.offer(device)

    async def _send(self, family: str, one: Issued) -> Issued:
        payload = encode_command(one.id, one.name, one.args, one.expires)
        if not self._deliver(family, one.device, payload, one.expires):
            return one
        now = self._clock.now()
        await self._store.write(lambda conn: advance(conn, [one.id], Event.SEND, now))
        return replace(one, state=State.SENT, changed=now)

    async def listing(self, device: str, before: int | None, limit: int) -> list[Issued]:
        """A device's commands, newest first, from the one before seq `before`."""
        query = select(table).where(table.c.device == device)
        if before is not None:
            query = query.where(table.c.seq < before)
        query = query.order_by(table.c.seq.desc()).limit(limit)
        return await self._store.read(lambda conn: [_issued(row) for row in conn.execute(query)])


def waiting(conn: Connection, device: str, now: int) -> list[Issued]:
    """What no session of the device has taken yet, in order of issue."""
    query = select(table).where(
        table.c.device == device, table.c.state == State.QUEUED, table.c.expires > now
    )
    return [_issued(row) for row in conn.execute(query.order_by(table.c.seq))]


def advance(conn: Connection, ids: Sequence[str], event: Event, now: int, error: str = "") -> int:
    """Let the event happen to those commands that it can happen to; returns how many."""
    done = 0
    for state, ways in TRANSITIONS.items():
        if event in ways:
            can = and_(table.c.id.in_(ids), table.c.state == state)
            values = {"state": ways[event], "changed": now, "error": error[:1000]}
            done += conn.execute(update(table).where(can).values(values)).rowcount
    return done


def answer(conn: Connection, device: str, id: str, result: str, error: str, now: int) -> bool:  # noqa: A002 - the wire's word
    """A device's reply; False where it has no open command of this id."""
    own = conn.scalar(select(table.c.id).where(table.c.id == id, table.c.device == device))
    return own is not None and advance(conn, [own], Event(result), now, error) > 0


def expire(conn: Connection, now: int) -> int:
    """End what nobody answered in time; returns how many."""
    late = and_(table.c.state.in_(OPEN), table.c.expires <= now)
    return conn.execute(update(table).where(late).values(state=State.EXPIRED, changed=now)).rowcount


def _issued(row: Any) -> Issued:
    return Issued(
        row.id,
        row.seq,
        row.device,
        row.name,
        row.args,
        row.actor,
        row.created,
        row.expires,
        State(row.state),
        row.changed,
        row.error,
    )


def _checked(family: str, name: str, args: Mapping[str, float | str]) -> dict[str, float]:
    commands = {command.name: command for command in FAMILIES[family].commands}
    command = commands.get(name)
    if command is None:
        raise Invalid(f"a {family} knows no command {name!r:.80}; it knows: {', '.join(commands) or 'none'}")
    wanted = {point.name: point for point in command.args}
    if set(args) != set(wanted):
        raise Invalid(f"command {name} takes {_signature(command)}")
    return {point.name: _argument(point, args[point.name]) for point in command.args}


def _signature(command: Command) -> str:
    return ", ".join(point.name for point in command.args) or "no arguments"


def _argument(point: Point, value: float | str) -> float:
    if isinstance(value, str):
        if value not in point.labels:
            raise Invalid(f"{point.name} is one of {', '.join(point.labels) or 'a range of numbers'}")
        return float(point.labels.index(value))
    if not point.low <= value <= point.high or (point.labels and value != int(value)):
        raise Invalid(
            f"{point.name} = {value:g} is outside {point.low:g} to {point.high:g} {point.unit}".rstrip()
        )
    return float(value)
