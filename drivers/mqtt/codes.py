"""MQTT reason codes (5.0 §2.4) and the two errors of the codec: whose fault it is, is the type."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from drivers.mqtt.packets import Packet


class ReasonCode(IntEnum):
    """What an MQTT 5 packet says of an outcome; 0x80 and above are failures."""

    SUCCESS = 0x00
    GRANTED_QOS_1 = 0x01
    GRANTED_QOS_2 = 0x02
    DISCONNECT_WITH_WILL = 0x04
    NO_MATCHING_SUBSCRIBERS = 0x10
    NO_SUBSCRIPTION_EXISTED = 0x11
    CONTINUE_AUTHENTICATION = 0x18
    RE_AUTHENTICATE = 0x19
    UNSPECIFIED_ERROR = 0x80
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83
    UNSUPPORTED_PROTOCOL_VERSION = 0x84
    CLIENT_IDENTIFIER_NOT_VALID = 0x85
    BAD_USER_NAME_OR_PASSWORD = 0x86
    NOT_AUTHORIZED = 0x87
    SERVER_UNAVAILABLE = 0x88
    SERVER_BUSY = 0x89
    BANNED = 0x8A
    SERVER_SHUTTING_DOWN = 0x8B
    BAD_AUTHENTICATION_METHOD = 0x8C
    KEEP_ALIVE_TIMEOUT = 0x8D
    SESSION_TAKEN_OVER = 0x8E
    TOPIC_FILTER_INVALID = 0x8F
    TOPIC_NAME_INVALID = 0x90
    PACKET_IDENTIFIER_IN_USE = 0x91
    PACKET_IDENTIFIER_NOT_FOUND = 0x92
    RECEIVE_MAXIMUM_EXCEEDED = 0x93
    TOPIC_ALIAS_INVALID = 0x94
    PACKET_TOO_LARGE = 0x95
    MESSAGE_RATE_TOO_HIGH = 0x96
    QUOTA_EXCEEDED = 0x97
    ADMINISTRATIVE_ACTION = 0x98
    PAYLOAD_FORMAT_INVALID = 0x99
    RETAIN_NOT_SUPPORTED = 0x9A
    QOS_NOT_SUPPORTED = 0x9B
    USE_ANOTHER_SERVER = 0x9C
    SERVER_MOVED = 0x9D
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E
    CONNECTION_RATE_EXCEEDED = 0x9F
    MAXIMUM_CONNECT_TIME = 0xA0
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2


def _codes(text: str) -> frozenset[int]:
    return frozenset(int(word, 16) for word in text.split())


# Which codes a packet may carry (5.0 §3.2.2.2, §3.4.2.1 … §3.15.2.1); for DISCONNECT and AUTH it depends on the sender.
CONNACK_CODES: Final = _codes("00 80 81 82 83 84 85 86 87 88 89 8A 8C 90 95 97 99 9A 9B 9C 9D 9F")
PUBLISH_CODES: Final = _codes("00 10 80 83 87 90 91 97 99")
RELEASE_CODES: Final = _codes("00 92")
SUBACK_CODES: Final = _codes("00 01 02 80 83 87 8F 91 97 9E A1 A2")
UNSUBACK_CODES: Final = _codes("00 11 80 83 87 8F 91")
CLIENT_DISCONNECT_CODES: Final = _codes("00 04 80 81 82 83 90 93 94 95 96 97 98 99")
SERVER_DISCONNECT_CODES: Final = _codes(
    "00 80 81 82 83 87 89 8B 8D 8E 8F 90 93 94 95 96 97 98 99 9A 9B 9C 9D 9E 9F A0 A1 A2"
)
CLIENT_AUTH_CODES: Final = _codes("18 19")
SERVER_AUTH_CODES: Final = _codes("00 18")

# 3.1.1 §3.2.2.3 and §3.9.3: the few codes that version knows.
CONNACK_CODES_311: Final = frozenset(range(6))
SUBACK_CODES_311: Final = frozenset((0, 1, 2, 0x80))

_RETURN_CODES: Final = {
    ReasonCode.SUCCESS: 0,
    ReasonCode.UNSUPPORTED_PROTOCOL_VERSION: 1,
    ReasonCode.CLIENT_IDENTIFIER_NOT_VALID: 2,
    ReasonCode.BAD_USER_NAME_OR_PASSWORD: 4,
    ReasonCode.NOT_AUTHORIZED: 5,
    ReasonCode.BANNED: 5,
    ReasonCode.BAD_AUTHENTICATION_METHOD: 5,
}


def return_code(code: ReasonCode) -> int:
    """The 3.1.1 CONNACK return code nearest to `code` (3 = server unavailable where it has none)."""
    return _RETURN_CODES.get(code, 3)


class MqttError(Exception):
    """Any error of this codec."""


class ProtocolError(MqttError):
    """The peer broke MQTT: close, in MQTT 5 with DISCONNECT `code`. `before`: packets understood before the fault."""

    def __init__(self, code: ReasonCode, text: str) -> None:
        super().__init__(f"{text} (0x{code:02x})")
        self.code = code
        self.text = text
        self.before: list[Packet] = []


class EncodeError(MqttError, ValueError):
    """We asked for a packet that MQTT does not allow: our fault, nothing was sent."""


def malformed(text: str) -> ProtocolError:
    return ProtocolError(ReasonCode.MALFORMED_PACKET, text)


def violation(text: str) -> ProtocolError:
    return ProtocolError(ReasonCode.PROTOCOL_ERROR, text)
