"""What an accepted client says besides PUBLISH, and what it is answered. Raises ProtocolError where it breaks MQTT."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from drivers.mqtt.codes import ProtocolError, ReasonCode, violation
from drivers.mqtt.packets import (
    V5,
    Auth,
    Disconnect,
    Packet,
    Pingreq,
    Puback,
    Pubcomp,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
)
from drivers.mqtt.writer import PINGRESP
from gateway.ingest.handshake import Agreement, grant
from gateway.ingest.hub import Hub
from gateway.ingest.sender import Sender
from gateway.ingest.session import Session
from gateway.ingest.uplink import Uplink

FAILURE: Final = 0x80


class Mouth(Protocol):
    """The connection, as far as it speaks for a dialogue."""

    def write(self, data: bytes) -> None: ...

    def send(self, packet: Packet) -> None: ...

    def disconnected(self, code: int) -> None:
        """The client said so."""


class Dialogue:
    """One client's; `uplink` takes what it publishes, `sender` has the commands for it."""

    __slots__ = ("_five", "_hub", "_line", "agreed", "sender", "session", "uplink")

    def __init__(
        self,
        hub: Hub,
        line: Mouth,
        agreed: Agreement,
        session: Session,
        uplink: Uplink,
        sender: Sender,
        version: int,
    ) -> None:
        self._hub = hub
        self._line = line
        self._five = version == V5
        self.agreed = agreed
        self.session = session
        self.uplink = uplink
        self.sender = sender

    def handle(self, packet: Packet) -> None:
        _HANDLE[type(packet)](self, packet)

    def _ping(self, _packet: Pingreq) -> None:
        self._line.write(PINGRESP)

    def _acknowledged(self, packet: Puback) -> None:
        self.sender.acknowledged(packet.packet_id)

    def _received(self, packet: Pubrec) -> None:
        """Of a publish at QoS 2, which we never send."""
        code = ReasonCode.PACKET_IDENTIFIER_NOT_FOUND if self._five else 0
        self._line.send(Pubrel(packet.packet_id, code))

    def _released(self, packet: Pubrel) -> None:
        found = self.uplink.release(packet.packet_id)
        code = 0 if found or not self._five else ReasonCode.PACKET_IDENTIFIER_NOT_FOUND
        self._line.send(Pubcomp(packet.packet_id, code))

    def _completed(self, _packet: Pubcomp) -> None:
        """Ends an exchange that we did not begin."""

    def _subscribe(self, packet: Subscribe) -> None:
        if packet.properties.subscription_ids:
            raise ProtocolError(
                ReasonCode.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED, "a subscription identifier"
            )
        codes = tuple(self._granted(wanted) for wanted in packet.subscriptions)
        if not self._five:
            codes = tuple(min(code, FAILURE) for code in codes)
        self._line.send(Suback(packet.packet_id, codes))

    def _granted(self, wanted: Subscription) -> int:
        if self._hub.topic_fault(wanted.filter):
            self._hub.counters.topics_too_long += 1
            return ReasonCode.TOPIC_FILTER_INVALID
        code = grant(wanted, self.agreed.principal, self._hub.directory)
        if code >= FAILURE:
            return code
        known = self.session.subscriptions
        if wanted.filter not in known and len(known) >= self._hub.settings.subscriptions:
            return ReasonCode.QUOTA_EXCEEDED
        self._hub.sessions.subscribe(self.session, wanted.filter, code)
        return code

    def _unsubscribe(self, packet: Unsubscribe) -> None:
        codes = tuple(
            0 if self._hub.sessions.unsubscribe(self.session, pattern) else ReasonCode.NO_SUBSCRIPTION_EXISTED
            for pattern in packet.filters
        )
        self._line.send(Unsuback(packet.packet_id, codes if self._five else ()))

    def _disconnect(self, packet: Disconnect) -> None:
        expiry = packet.properties.session_expiry
        if expiry is not None:
            if expiry and not self.session.expiry:
                raise violation("a session expiry that CONNECT did not ask for")
            self.session.expiry = min(expiry, self._hub.settings.session_expiry)
        self._line.disconnected(packet.code)

    def _authenticate(self, _packet: Auth) -> None:
        raise violation("AUTH, and no method was agreed")


_HANDLE: Final[dict[type, Callable[[Dialogue, Any], None]]] = {
    Pingreq: Dialogue._ping,  # noqa: SLF001 - the class's own table
    Puback: Dialogue._acknowledged,  # noqa: SLF001
    Pubrec: Dialogue._received,  # noqa: SLF001
    Pubrel: Dialogue._released,  # noqa: SLF001
    Pubcomp: Dialogue._completed,  # noqa: SLF001
    Subscribe: Dialogue._subscribe,  # noqa: SLF001
    Unsubscribe: Dialogue._unsubscribe,  # noqa: SLF001
    Disconnect: Dialogue._disconnect,  # noqa: SLF001
    Auth: Dialogue._authenticate,  # noqa: SLF001
}
