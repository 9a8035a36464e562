"""The fifteen packets of MQTT 3.1.1 and 5.0 as values. Frozen; equality is field by field.

Defaults are what the shortest form on the wire means. Codes are the byte on the wire in the version spoken.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

V311: Final = 4  # protocol level in CONNECT
V5: Final = 5

MAX_REMAINING: Final = 268_435_455  # four bytes of seven bits
MAX_PACKET_ID: Final = 65_535


class Properties(Struct, frozen=True, gc=False, omit_defaults=True):
    """MQTT 5 properties (§2.2.2.2); None = absent. Intervals are seconds."""

    payload_format: bool | None = None
    message_expiry: int | None = None
    content_type: str | None = None
    response_topic: str | None = None
    correlation: bytes | None = None
    subscription_ids: tuple[int, ...] = ()
    session_expiry: int | None = None
    assigned_client_id: str | None = None
    server_keepalive: int | None = None
    authentication_method: str | None = None
    authentication_data: bytes | None = None
    request_problem_information: bool | None = None
    will_delay: int | None = None
    request_response_information: bool | None = None
    response_information: str | None = None
    server_reference: str | None = None
    reason_string: str | None = None
    receive_maximum: int | None = None
    topic_alias_maximum: int | None = None
    topic_alias: int | None = None
    maximum_qos: bool | None = None  # False: 0, True: 1
    retain_available: bool | None = None
    user: tuple[tuple[str, str], ...] = ()
    maximum_packet_size: int | None = None
    wildcard_subscriptions: bool | None = None
    subscription_identifiers: bool | None = None
    shared_subscriptions: bool | None = None


NONE: Final = Properties()


class Will(Struct, frozen=True, gc=False):
    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Properties = NONE


class Connect(Struct, frozen=True, gc=False):
    client_id: str = ""
    version: int = V311
    clean_start: bool = True  # 3.1.1: clean session
    keepalive: int = 0  # seconds; 0 = none
    username: str | None = None
    password: bytes | None = None
    will: Will | None = None
    properties: Properties = NONE


class Connack(Struct, frozen=True, gc=False):
    code: int = 0  # MQTT 5: reason code; 3.1.1: return code
    session_present: bool = False
    properties: Properties = NONE


class Publish(Struct, frozen=True, gc=False):
    """An empty topic means: the one that `properties.topic_alias` stands for (MQTT 5)."""

    topic: str
    payload: bytes = b""
    qos: int = 0
    packet_id: int = 0
    dup: bool = False
    retain: bool = False
    properties: Properties = NONE


class Puback(Struct, frozen=True, gc=False):
    packet_id: int
    code: int = 0
    properties: Properties = NONE


class Pubrec(Struct, frozen=True, gc=False):
    packet_id: int
    code: int = 0
    properties: Properties = NONE


class Pubrel(Struct, frozen=True, gc=False):
    packet_id: int
    code: int = 0
    properties: Properties = NONE


class Pubcomp(Struct, frozen=True, gc=False):
    packet_id: int
    code: int = 0
    properties: Properties = NONE


class Subscription(Struct, frozen=True, gc=False):
    """A topic filter and what is asked for it; all but qos is MQTT 5."""

    filter: str
    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0


class Subscribe(Struct, frozen=True, gc=False):
    packet_id: int
    subscriptions: tuple[Subscription, ...]
    properties: Properties = NONE


class Suback(Struct, frozen=True, gc=False):
    packet_id: int
    codes: tuple[int, ...]
    properties: Properties = NONE


class Unsubscribe(Struct, frozen=True, gc=False):
    packet_id: int
    filters: tuple[str, ...]
    properties: Properties = NONE


class Unsuback(Struct, frozen=True, gc=False):
    packet_id: int
    codes: tuple[int, ...] = ()  # 3.1.1 has none
    properties: Properties = NONE


class Pingreq(Struct, frozen=True, gc=False):
    pass


class Pingresp(Struct, frozen=True, gc=False):
    pass


class Disconnect(Struct, frozen=True, gc=False):
    code: int = 0
    properties: Properties = NONE


class Auth(Struct, frozen=True, gc=False):
    code: int = 0
    properties: Properties = NONE


Packet = (
    Connect
    | Connack
    | Publish
    | Puback
    | Pubrec
    | Pubrel
    | Pubcomp
    | Subscribe
    | Suback
    | Unsubscribe
    | Unsuback
    | Pingreq
    | Pingresp
    | Disconnect
    | Auth
)
