"""One HJ 212 connection, of one logger or more: frames into the inbox, answers out of it. 9014 leaves after law 1.

What carries no right CRC, or comes from nobody we know, is quarantined and never answered (HJ 212-2017 6.1): the station
keeps it and sends it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import cast

from drivers.hj212.frame import Damage, Framer
from drivers.hj212.frame import Frame as StationFrame
from drivers.hj212.readings import CHANNEL, PULLED
from drivers.hj212.segment import Segment, decode, encode
from drivers.hj212.station import Heard, Said, State
from drivers.refusal import Reason, Refusal, Refused
from gateway.ingest.hj212_hub import Hub, Member
from gateway.ingest.hub import Why
from gateway.ingest.inbox import Frame


class Connection(asyncio.Protocol):
    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._framer = Framer()
        self._members: dict[str, Member] = {}
        self._transport: asyncio.Transport | None = None
        self._waiting: dict[int, bytes] = {}  # token -> its 9014
        self._token = 0
        self._why = Why.LOST
        self._where = ""
        self.last = 0
        self.paused = False

    @property
    def address(self) -> str:
        names = "+".join(list(self._members)[:3])
        return f"hj212:{names}@{self._where}"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        hub = self._hub
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        if len(hub.peers) >= hub.settings.connections:
            hub.counters.turned_away += 1
            self._transport.abort()
            return
        peer = transport.get_extra_info("peername")
        self._where = f"{peer[0]}:{peer[1]}" if peer else "?"
        self.last = hub.clock.now()
        hub.peers.add(self)
        hub.counters.accepted += 1
        if hub.inbox.paused:
            self.pause()

    def data_received(self, data: bytes) -> None:
        hub, now = self._hub, self._hub.clock.now()
        self.last = now
        answers = [self._take(found, now) for found in self._framer.feed(data)]
        hub.inbox.arrived()
        self._write(b"".join(answers) + self._due(now))
        if self.paused and self._transport is not None:
            self._transport.pause_reading()  # what `connection_made` stopped, the loop begins again

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._transport = None
        self._waiting.clear()
        self._hub.peers.discard(self)
        members, self._members = self._members, {}
        for member in members.values():
            self._hub.leave(member, self._why)

    def settle(self, tokens: Sequence[int], refused: Mapping[int, Refusal]) -> None:  # noqa: ARG002 - refused is counted
        """These uploads are durable, or refused and counted: each is answered (laws 1 and 4)."""
        answers = [self._waiting.pop(token, b"") for token in tokens]
        self._hub.counters.acknowledged += sum(map(bool, answers))
        self._write(b"".join(answers))

    def _take(self, found: StationFrame | Damage, now: int) -> bytes:
        """What is to be said at once to a frame."""
        counters = self._hub.counters
        if isinstance(found, Damage):
            counters.damages += 1
            self._refuse(found.reason, f"at byte {found.offset}: {found.detail}", found.raw, now)
            return b""
        counters.frames += 1
        try:
            segment, oddities = decode(found.data)
            member = self._member(segment, found, now)
        except Refused as refused:
            self._refuse(refused.reason, refused.detail, found.data, now, refused.who)
            return b""
        self._hub.tolerated.update((*found.oddities, *oddities))
        task = member.station.task
        asked = task is not None and task.state is State.SENT
        heard = member.station.hear(segment, now)
        if task is not None and asked and task.state is State.READY:
            self._hub.ready(member, task)
        if heard.said is Said.UPLOAD:
            counters.uploads += 1
            self._upload(
                member, found.data if heard.segment is segment else encode(heard.segment), heard, now
            )
        counters.answers += heard.said is Said.ANSWER
        counters.strays += heard.said is Said.STRAY
        if heard.ended:
            self._hub.ended(member, heard.ended)
        return heard.reply

    def _member(self, segment: Segment, frame: StationFrame, now: int) -> Member:
        hub = self._hub
        member = self._members.get(segment.mn)
        if member is None:
            if len(self._members) >= hub.settings.loggers:
                raise Refused(
                    Reason.TOO_MANY, f"{hub.settings.loggers} stations speak on this connection already"
                )
            member = self._members[segment.mn] = hub.recognise(segment, frame)
            hub.enter(member, now)
        else:
            hub.admit(member, segment, frame)
            hub.heard(member, now)
        return member

    def _upload(self, member: Member, payload: bytes, heard: Heard, now: int) -> None:
        entry, segment = member.entry, heard.segment
        token = 0
        if segment.wants_answer:
            token = self._token = self._token + 1
            self._waiting[token] = member.station.acknowledge(segment)
        lane = self._hub.lanes(entry.product, entry.family, PULLED if heard.historical else CHANNEL)
        topic = f"hj212/{segment.mn}/{segment.cn}"
        self._hub.inbox.frames.append(Frame(lane, entry.index, payload, now, self, token, topic))

    def _refuse(self, reason: Reason, detail: str, raw: bytes, now: int, who: str = "") -> None:
        self._hub.inbox.frames.append(Frame(None, -1, raw, now, self, 0, "hj212", reason, detail, who))

    def _due(self, now: int) -> bytes:
        parts = []
        for member in self._members.values():
            said, ended = member.station.due(now)
            parts.append(said)
            for task in ended:
                self._hub.ended(member, task)
        return b"".join(parts)

    def _write(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or not data:
            return
        transport.write(data)
        if transport.get_write_buffer_size() > self._hub.settings.write_limit:
            self._hub.counters.not_reading += 1
            self._why = Why.NOT_READING
            transport.abort()

    def look(self, now: int) -> None:
        """Time-outs of requests and of the connection itself."""
        settings = self._hub.settings
        silent = (now - self.last) / self._hub.second
        if silent > (settings.idle_timeout if self._members else settings.connect_timeout):
            self._hub.counters.timeouts += 1
            self._why = Why.KEEPALIVE
            self.close()
        else:
            self._write(self._due(now))

    def pause(self) -> None:
        if self._transport is not None and not self.paused:
            self.paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and self.paused:
            self.paused = False
            self._transport.resume_reading()

    def stop(self) -> None:
        """The gateway goes: that says nothing of the station."""
        self._why = Why.STOPPED
        self.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
