"""Messages on their way out. A row is written with the change it tells of, in one transaction, once a channel.

It leaves the state `pending` only when the other side has taken it, or when it is given up where everyone can see it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct, convert
from sqlalchemy import (
    Connection,
    Insert,
    Select,
    String,
    bindparam,
    cast,
    delete,
    func,
    literal,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from gateway.cases.record import Message, plain
from gateway.errors import Conflict, NotFound
from gateway.notify import escalation
from gateway.notify.answered import UNREAD
from gateway.notify.settings import ChannelSettings
from gateway.store.schema.cases import OPEN, UNCLEARED, UNDELIVERED, alarm, case, outbox

DETAIL: Final = 500  # characters kept of an error
PORTION: Final = 500  # subjects in one statement
ENDS: Final = {  # what ends, and what began it
    "alarm.clear": "alarm.raise",
    "case.close": "case.file",
    "case.void": "case.file",
}


class OutboxState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"  # given up


class Delivery(Struct, frozen=True):
    """One message for one channel, as a channel gets it. created, next_at: µs UTC."""

    id: int
    key: str
    channel: str
    subject: str
    event: str
    payload: dict[str, Any]
    attempts: int
    created: int
    next_at: int


class Verdict(Struct, frozen=True):
    """What became of an attempt. next_at: when to try again; None after a success, or to give up."""

    id: int
    error: str = ""
    next_at: int | None = None

    @property
    def state(self) -> OutboxState:
        if not self.error:
            return OutboxState.DELIVERED
        return OutboxState.DEAD if self.next_at is None else OutboxState.PENDING


class Outbox:
    """Knows who wants what; `post` is what the desk calls."""

    def __init__(self, channels: Sequence[ChannelSettings], zone: str = "UTC") -> None:
        self.channels = channels
        self._zone = ZoneInfo(zone)  # whose wall clock quiet hours go by

    def post(self, conn: Connection, messages: Sequence[Message], now: int) -> None:
        """One row for each message and channel that wants it; one that stands already stays as it is.

        In quiet hours a row counts from their end on, unless its message is urgent: then nothing held of its subject
        keeps it back. What another message speaks for is taken back, where nobody has tried to send it yet; an end is
        told wherever a beginning was, whoever else speaks for it, and nowhere else.
        """
        hushed = {each.subject for each in messages if each.hushed}
        for channel in self.channels:
            wanted = [message for message in messages if channel.wants(message)]
            if not channel.each:
                _take_back(conn, channel.name, hushed)
                wanted = _spoken(conn, channel, wanted, hushed)
            rows = [_row(channel.name, each, channel.due(each, now, self._zone)) for each in wanted]
            if rows:
                conn.execute(_insert_if_new(conn), rows)
                escalation.watch(conn, channel, wanted, {row["key"]: row["next_at"] for row in rows})
            if rows and channel.quiet is not None:
                soon = now + channel.wait
                urgent = {row["subject"] for row in rows if row["next_at"] == soon}
                _bring_forward(conn, channel.name, urgent, soon)

    def escalate(self, conn: Connection, now: int) -> int:
        """What nobody has answered in time goes to the next channel, at any hour; gives how many do."""
        named = {channel.name: channel for channel in self.channels}
        gone = 0
        for name, told in escalation.overdue(conn, now):
            here = named.get(name)
            after = named.get(here.escalate_to) if here else None
            if here is None or after is None:  # the configuration knows that chain no more
                continue
            row = _row(after.name, told, now) | {"key": f"{told.key}:{UNREAD}:{name}"}
            conn.execute(_insert_if_new(conn), [row])
            escalation.wait(conn, after, told.subject, now)
            gone += 1
        return gone


def due(conn: Connection, channel: str, now: int, limit: int) -> list[Delivery]:
    """The oldest messages whose time has come, at most one a subject: what follows waits for what came before."""
    earlier = outbox.alias("earlier")
    waits = select(earlier.c.id).where(
        earlier.c.channel == channel,
        earlier.c.subject == outbox.c.subject,
        earlier.c.state == OutboxState.PENDING,
        earlier.c.id < outbox.c.id,
    )
    query = (
        select(outbox)
        .where(outbox.c.channel == channel, outbox.c.state == OutboxState.PENDING)
        .where(outbox.c.next_at <= now, ~waits.exists())
        .order_by(outbox.c.id)
        .limit(limit)
    )
    return _deliveries(conn, query)


def pending(conn: Connection, channel: str, subjects: Sequence[str]) -> list[Delivery]:
    """Everything that waits for this channel about these subjects, oldest first."""
    query = select(outbox).where(outbox.c.channel == channel, outbox.c.state == OutboxState.PENDING)
    return _deliveries(conn, query.where(outbox.c.subject.in_(subjects)).order_by(outbox.c.id))


def settle(conn: Connection, verdicts: Sequence[Verdict], now: int) -> None:
    """Write down what became of these attempts."""
    if not verdicts:
        return
    statement = (
        update(outbox)
        .where(outbox.c.id == bindparam("row"), outbox.c.state == OutboxState.PENDING)
        .values(
            state=bindparam("now_state"),
            attempts=outbox.c.attempts + 1,
            delivered=bindparam("done"),
            next_at=func.coalesce(bindparam("again"), outbox.c.next_at),
            error=bindparam("why"),
        )
    )
    rows = [
        {
            "row": verdict.id,
            "now_state": str(verdict.state),
            "done": None if verdict.error else now,
            "again": verdict.next_at,
            "why": verdict.error[:DETAIL],
        }
        for verdict in verdicts
    ]
    conn.execute(statement, rows)


def forget(conn: Connection, before: int) -> None:
    """Delivered messages from before this time go, once what they tell of is over; dead ones stay until a person has seen
    to them.
    """
    c = outbox.c
    open_ = union_all(
        select(literal("alarm:", String) + alarm.c.id).where(UNCLEARED),
        select(literal("case:", String) + cast(case.c.id, String)).where(OPEN),
    )
    over = c.subject.not_in(open_)
    conn.execute(delete(outbox).where(c.state == OutboxState.DELIVERED, c.delivered < before, over))


def revive(conn: Connection, message: int, now: int) -> None:
    """Try a dead message again, from now on, as if it were new."""
    state = conn.scalar(select(outbox.c.state).where(outbox.c.id == message))
    if state is None:
        raise NotFound(f"there is no message {message}")
    if state != OutboxState.DEAD:
        raise Conflict(f"message {message} is {state}; only a dead one can be revived")
    values = {"state": str(OutboxState.PENDING), "attempts": 0, "created": now, "next_at": now}
    conn.execute(update(outbox).where(outbox.c.id == message).values(values))


def waiting(conn: Connection, state: OutboxState, limit: int = 100) -> list[Delivery]:
    """The oldest messages in this state, over all channels."""
    return _deliveries(conn, select(outbox).where(outbox.c.state == state).order_by(outbox.c.id).limit(limit))


def counts(conn: Connection) -> dict[str, dict[str, int]]:
    """How many messages there are, by channel and state."""
    tally: dict[str, dict[str, int]] = {}
    query = select(outbox.c.channel, outbox.c.state, func.count()).group_by(outbox.c.channel, outbox.c.state)
    for channel, state, n in conn.execute(query):
        tally.setdefault(channel, {})[state] = n
    return tally


class Backlog(NamedTuple):
    """Messages of a channel that are not delivered. oldest: µs UTC."""

    channel: str
    state: str
    n: int
    oldest: int


def backlog(conn: Connection) -> list[Backlog]:
    """What is pending or dead, by channel; costs what waits, not what was ever sent."""
    c = outbox.c
    query = select(c.channel, c.state, func.count(), func.min(c.created)).where(UNDELIVERED)
    return [Backlog(*row) for row in conn.execute(query.group_by(c.channel, c.state))]


def _row(channel: str, message: Message, due: int) -> dict[str, Any]:
    return {
        "key": message.key,
        "channel": channel,
        "subject": message.subject,
        "event": message.event,
        "payload": message.payload,
        "state": str(OutboxState.PENDING),
        "attempts": 0,
        "created": due,
        "next_at": due,
        "error": "",
    }


def _bring_forward(conn: Connection, channel: str, subjects: Collection[str], soon: int) -> None:
    c = outbox.c
    held = (c.channel == channel, c.subject.in_(subjects), c.state == OutboxState.PENDING, c.next_at > soon)
    if subjects:
        conn.execute(update(outbox).where(*held).values(next_at=soon))


def _take_back(conn: Connection, channel: str, subjects: Collection[str]) -> None:
    c, named = outbox.c, sorted(subjects)
    for start in range(0, len(named), PORTION):
        mine = (c.channel == channel, c.subject.in_(named[start : start + PORTION]))
        conn.execute(delete(outbox).where(*mine, c.state == OutboxState.PENDING, c.attempts == 0))


def _spoken(
    conn: Connection, channel: ChannelSettings, wanted: Sequence[Message], hushed: Collection[str]
) -> list[Message]:
    """What this channel is to say: no beginning that another speaks for, and the end of each that it has told."""
    said = {each.subject for each in wanted if each.event not in ENDS and each.subject not in hushed}
    ends = {each.subject for each in wanted if each.event in ENDS}
    told = said | _known(conn, channel.name, ends - said)

    def speaks(each: Message) -> bool:
        beginning = ENDS.get(each.event)
        if beginning is None:
            return each.subject in said
        return each.subject in told if channel.hears(beginning) else not each.hushed

    return list(filter(speaks, wanted))


def _known(conn: Connection, channel: str, subjects: Collection[str]) -> set[str]:
    """Those of which the channel has been told, or is about to be."""
    c, named, found = outbox.c, sorted(subjects), set[str]()
    for start in range(0, len(named), PORTION):
        query = select(c.subject).where(c.channel == channel, c.subject.in_(named[start : start + PORTION]))
        found.update(conn.scalars(query.distinct()))
    return found


def _insert_if_new(conn: Connection) -> Insert:
    if conn.dialect.name == "postgresql":
        return postgresql.insert(outbox).on_conflict_do_nothing()
    return sqlite.insert(outbox).on_conflict_do_nothing()


def _deliveries(conn: Connection, query: Select[Any]) -> list[Delivery]:
    return convert(plain(conn.execute(query)), list[Delivery])
