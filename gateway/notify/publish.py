"""Alarms, cases and devices for other platforms, retained at the brokers of links that publish them.

All goes through the outbox: an outage costs lag, and the last word of each topic is the truth. What is over is emptied
after a while; a broker that has lost what it kept is told everything anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct, convert
from pydantic import Field
from sqlalchemy import Connection, Row, TextClause, delete, func, insert, select, tuple_

from gateway.cases.lifecycle import AlarmState, CaseState
from gateway.cases.record import Alarm, Case, Message, message, plain
from gateway.clock import SECOND
from gateway.ingest.link_settings import LinkSettings
from gateway.notify import home
from gateway.notify.channels.link import FORGET
from gateway.notify.outbox import Outbox, OutboxState
from gateway.notify.settings import ChannelSettings
from gateway.store.schema import cases as schema
from gateway.store.schema.publishing import publication
from gateway.store.schema.registry import device, meta

KINDS: Final = {
    "alarms": ("alarm",),
    "cases": ("case",),
    "devices": ("device",),
    "homeassistant": home.KINDS,
}
SCANNED: Final = frozenset(("device", home.CONFIG))  # kinds that follow the registry
OVER: Final = frozenset((AlarmState.CLEARED, CaseState.CLOSED, CaseState.VOID))
PORTION: Final = 500  # devices or topics in one transaction, and devices that wait in the outbox at most
OVERLAP: Final = 60 * SECOND  # by which a change may be written later than one that began after it
SUBJECT: Final = 64  # characters of the outbox's column; longer ones only share their turn
UNTOLD: Final = {"digest", "idx"}  # columns of a device that are nobody else's


class PublishSettings(ChannelSettings):
    """Not an operator's to name."""

    name: str = Field(max_length=64)
    each: bool = True  # what stands at the broker is the truth of each


class State(Struct, frozen=True):
    """What a link has been told of. era: how often it was told everything. updated, device: of the last device."""

    kinds: tuple[str, ...] = ()
    era: int = 0
    updated: int = 0
    device: str = ""


class Seen(NamedTuple):
    """What this process has looked at; of use once the transaction that brought it is committed.

    generation: of the directory. lost: sessions that brokers had lost, by link. scans: where looks at devices stand.
    """

    generation: int = -1
    lost: Mapping[str, int] = MappingProxyType({})
    scans: Mapping[str, State] = MappingProxyType({})


class Channel(NamedTuple):
    name: str
    kinds: tuple[str, ...]  # alarm, case, device
    keep: int  # µs
    outbox: Outbox


class Publishing:
    """Owner of the table `publication`; works within the transactions of others. Every link has a channel, so that what
    it publishes no longer can be taken back.
    """

    def __init__(self, links: Iterable[LinkSettings], others: Outbox) -> None:
        self.channels = {link.name: _channel(link) for link in links}  # by link
        self._others = others

    def post(self, conn: Connection, messages: Sequence[Message], now: int) -> None:
        """What the desk calls: the messages of every channel."""
        self._others.post(conn, messages, now)
        for channel in self.channels.values():
            _tell(conn, channel, messages, now)
            if home.STATE in channel.kinds and (devices := home.changed(messages)):
                _tell(conn, channel, home.states(conn, devices), now)

    def begin(self, conn: Connection, now: int) -> None:
        """Once, at the start: kinds that are new are told, kinds that are published no more are taken back."""
        for channel in self.channels.values():
            state = _load(conn, channel)
            for kind in set(state.kinds) - set(channel.kinds):
                c = publication.c
                mine = select(c.subject).where(c.channel == channel.name, c.subject.startswith(f"{kind}:"))
                _forget(conn, channel, conn.scalars(mine).all(), now)
            fresh = [kind for kind in channel.kinds if kind not in state.kinds]
            _tell_all(conn, channel, fresh, now)

    def round(self, conn: Connection, now: int, seen: Seen, generation: int, lost: Mapping[str, int]) -> Seen:
        """What time, the registry and brokers bring since `seen`."""
        scans = dict(seen.scans)
        for link, channel in self.channels.items():
            if lost.get(link, 0) > seen.lost.get(link, 0):
                _tell_all(conn, channel, channel.kinds, now)
            if SCANNED & set(channel.kinds) and (generation, lost) != (seen.generation, seen.lost):
                scans[link] = _from_the_overlap(_load(conn, channel))
            if link in scans:
                _discover(conn, channel, link, scans, now)
            c = publication.c
            over = select(c.subject).where(c.channel == channel.name, c.ended <= now - channel.keep)
            _forget(conn, channel, conn.scalars(over.limit(PORTION)).all(), now)
        return Seen(generation, lost, scans)


def _tell_all(conn: Connection, channel: Channel, kinds: Sequence[str], now: int) -> None:
    """Everything of these kinds that stands, as if never told; devices follow from the first one on."""
    state = _load(conn, channel)
    state = msgspec.structs.replace(state, kinds=channel.kinds, era=state.era + bool(kinds))
    told = [
        *(_standing(conn, schema.alarm, schema.UNCLEARED, Alarm, now) if "alarm" in kinds else ()),
        *(_standing(conn, schema.case, schema.OPEN, Case, now) if "case" in kinds else ()),
    ]
    _tell(conn, channel, [_in_era(one, state.era) for one in told], now)
    if SCANNED & set(kinds):
        state = msgspec.structs.replace(state, updated=0, device="")
    _save(conn, channel, state)


def _from_the_overlap(state: State) -> State:
    return msgspec.structs.replace(state, updated=max(0, state.updated - OVERLAP), device="")


def _discover(conn: Connection, channel: Channel, link: str, scans: dict[str, State], now: int) -> None:
    """The next devices, oldest change first, once the last ones have gone."""
    if _pending(conn, channel) >= PORTION:
        return
    c, scan = device.c, scans[link]
    beyond = tuple_(c.updated, c.id) > tuple_(scan.updated, scan.device)
    found = conn.execute(select(device).where(beyond).order_by(c.updated, c.id).limit(PORTION)).all()
    _tell(conn, channel, [_discovered(row, scan.era) for row in found], now)
    if found and home.CONFIG in channel.kinds:
        _show_at_home(conn, channel, link, found, scan.era, now)
    if found:
        scan = msgspec.structs.replace(scan, updated=found[-1].updated, device=found[-1].id)
        if scan.updated >= _load(conn, channel).updated:
            _save(conn, channel, scan)
    if len(found) < PORTION:
        del scans[link]
    else:
        scans[link] = scan


def _show_at_home(
    conn: Connection, channel: Channel, link: str, found: Sequence[Row[Any]], era: int, now: int
) -> None:
    """Devices and how they stand, for Home Assistant; retired ones go at once."""
    living = [row for row in found if not row.retired]
    _tell(conn, channel, [home.config(row._mapping, link, era) for row in living], now)  # noqa: SLF001 - its public name
    _tell(conn, channel, home.states(conn, {row.id: f"{row.updated}:{era}" for row in living}), now)
    gone = [f"{kind}:{row.id}" for row in found if row.retired for kind in home.KINDS]
    c = publication.c
    shown = select(c.subject).where(c.channel == channel.name, c.subject.in_(gone))
    _forget(conn, channel, conn.scalars(shown).all(), now)


def _channel(link: LinkSettings) -> Channel:
    name = f"link:{link.name}"
    kinds = tuple(kind for word in dict.fromkeys(link.publish) for kind in KINDS[word])
    return Channel(name, kinds, link.publish_keep * SECOND, Outbox([PublishSettings(name=name)]))


def _tell(conn: Connection, channel: Channel, messages: Sequence[Message], now: int) -> None:
    """Into the outbox, and into the table of what stands at the broker."""
    mine = [one for one in messages if one.event.partition(".")[0] in channel.kinds]
    if not mine:
        return
    channel.outbox.post(conn, [_queued(one) for one in mine], now)
    ended = {one.subject: now if _over(one) else None for one in mine}
    _erase(conn, channel, list(ended))
    rows = [{"channel": channel.name, "subject": subject, "ended": end} for subject, end in ended.items()]
    conn.execute(insert(publication), rows)


def _forget(conn: Connection, channel: Channel, subjects: Sequence[str], now: int) -> None:
    """Empty these topics."""
    told = []
    for subject in subjects:
        kind, _, name = subject.partition(":")
        payload: dict[str, Any] = {"event": f"{kind}.{FORGET}", "time": now, kind: {"id": name}}
        told.append(
            Message(f"{subject}:{FORGET}:{now}", subject, f"{kind}.{FORGET}", "info", "", "", payload)
        )
    channel.outbox.post(conn, [_queued(one) for one in told], now)
    _erase(conn, channel, subjects)


def _erase(conn: Connection, channel: Channel, subjects: Sequence[str]) -> None:
    for start in range(0, len(subjects), PORTION):
        some = subjects[start : start + PORTION]
        conn.execute(
            delete(publication).where(publication.c.channel == channel.name, publication.c.subject.in_(some))
        )


def _standing(
    conn: Connection, table: Any, open_: TextClause, kind: type[Alarm | Case], now: int
) -> list[Message]:
    records = convert(plain(conn.execute(select(table).where(open_))), list[kind])  # type: ignore[valid-type]
    return [message(record, "stands", now, "gateway", "") for record in records]


def _discovered(row: Row[Any], era: int) -> Message:
    said = {name: value for name, value in row._mapping.items() if name not in UNTOLD}  # noqa: SLF001 - its public name
    event = "device.retired" if row.retired else "device.changed"
    payload = {"event": event, "time": row.updated, "device": said}
    key = f"device:{row.id}:{row.updated}:{era}"
    return Message(key, f"device:{row.id}", event, "info", row.family, row.area, payload)


def _in_era(told: Message, era: int) -> Message:
    return msgspec.structs.replace(told, key=f"{told.key}:{era}")


def _queued(told: Message) -> Message:
    return msgspec.structs.replace(told, subject=told.subject[:SUBJECT])


def _over(told: Message) -> bool:
    kind = told.event.partition(".")[0]
    if kind in home.KINDS:
        return False
    record = told.payload[kind]
    return bool(record["retired"]) if kind == "device" else record["state"] in OVER


def _pending(conn: Connection, channel: Channel) -> int:
    c = schema.outbox.c
    query = select(func.count()).where(c.channel == channel.name, c.state == OutboxState.PENDING)
    return int(conn.scalar(query) or 0)


def _load(conn: Connection, channel: Channel) -> State:
    text = conn.scalar(select(meta.c.value).where(meta.c.key == f"publish.{channel.name}"))
    return State() if text is None else msgspec.json.decode(text, type=State)


def _save(conn: Connection, channel: Channel, state: State) -> None:
    key = f"publish.{channel.name}"
    conn.execute(delete(meta).where(meta.c.key == key))
    conn.execute(insert(meta).values(key=key, value=msgspec.json.encode(state).decode()))
