"""Commands to one client: within its window, never after their time, again with DUP when it comes back (5.0 §4.4)."""

from __future__ import annotations

from collections.abc import Callable

from drivers.lorawan import topics as network
from drivers.mqtt.packets import NONE, V5, Properties, Publish
from drivers.mqtt.writer import encode
from gateway.clock import SECOND
from gateway.ingest.handshake import Agreement
from gateway.ingest.hub import Hub
from gateway.ingest.session import Command, Session


class Sender:
    """Window and packet limit are the client's own, as agreed."""

    __slots__ = ("_agreed", "_hub", "_session", "_version", "_write")

    def __init__(
        self, hub: Hub, session: Session, agreed: Agreement, version: int, write: Callable[[bytes], None]
    ) -> None:
        self._hub = hub
        self._session = session
        self._agreed = agreed
        self._version = version
        self._write = write

    def send(self) -> None:
        """As many of the waiting commands as the window admits."""
        session = self._session
        if not session.waiting:
            return
        out = []
        now = self._hub.clock.now()
        while session.waiting and len(session.inflight) < self._agreed.window:
            command = session.waiting.popleft()
            packet_id = session.next_id() if command.qos else 0
            data = self._encode(command, packet_id, now, dup=False)
            if data and packet_id:
                session.inflight[packet_id] = command
            out.append(data)
        self._hub.sessions.changed(session)
        self._write(b"".join(out))

    def send_again(self) -> None:
        """What the client left unacknowledged. A command whose time is over is dangerous and stays here."""
        session = self._session
        out = []
        now = self._hub.clock.now()
        for packet_id, command in list(session.inflight.items()):
            data = self._encode(command, packet_id, now, dup=True)
            if not data:
                del session.inflight[packet_id]
            out.append(data)
        self._write(b"".join(out))

    def acknowledged(self, packet_id: int) -> None:
        command = self._session.inflight.pop(packet_id, None)
        if command is not None:
            self._hub.counters.commands_acked += 1
            if not network.foreign(command.topic):  # else it is queued, and the device may yet miss it
                self._hub.delivered(command.payload)
            self._hub.sessions.changed(self._session)
            self.send()

    def _encode(self, command: Command, packet_id: int, now: int, *, dup: bool) -> bytes:
        """The PUBLISH of a command; b"" where it has expired or is larger than the client takes."""
        counters = self._hub.counters
        if command.expires <= now:
            counters.commands_expired += 1
            return b""
        found = NONE
        if self._version == V5:
            left = (command.expires - now) / (SECOND * self._hub.clock.speed)
            found = Properties(message_expiry=min(int(left) + 1, 0xFFFF_FFFF))
        qos = 1 if packet_id else 0
        packet = Publish(command.topic, command.payload, qos, packet_id, dup=dup, properties=found)
        data = encode(packet, self._version)
        if 0 < self._agreed.packet_limit < len(data):
            counters.commands_too_large += 1
            return b""
        counters.commands_sent += 1
        return data
