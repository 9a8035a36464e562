"""CONNECT: who it is and what was agreed. Pure: decides, never acts."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Protocol
from uuid import uuid4

from drivers.lorawan import topics as network
from drivers.mqtt.codes import ReasonCode
from drivers.mqtt.packets import V5, Connect, Properties, Subscription
from drivers.mqtt.topics import COMMAND, ROOT
from drivers.refusal import Refused
from gateway.ingest.endpoint_settings import EndpointSettings
from gateway.ingest.session import Principal

MAX_CLIENT_ID: Final = 256  # characters
GRACE: Final = 1.5  # keepalive intervals until a silent client counts as gone (5.0 §3.1.2.10)


class Placed(Protocol):
    """A device as far as its topics go."""

    @property
    def family(self) -> str: ...


class Directory(Protocol):
    """Who may connect and speak for which device. A principal is passed back as it was given."""

    @property
    def generation(self) -> int:
        """Rises at every change; routes found before are void then."""

    def authenticate(self, username: str, secret: bytes) -> Principal | None: ...

    def vouched(self, name: str) -> Principal | None:
        """Whose name it is, where something else than a secret has proved it."""

    def resolve(self, principal: Any, topic: str) -> tuple[str, str, int, str]:
        """Product id, family, device index, channel; raises Refused."""

    def spoken_for(self, principal: Any, device: str) -> Placed:
        """The device, if the principal may speak for it; raises Refused."""


class Agreement(NamedTuple):
    """keepalive: seconds of silence after which the client is gone, 0 = never. answer: properties of CONNACK."""

    principal: Principal
    client_id: str
    expiry: int
    keepalive: float
    window: int  # publishes that the client takes unacknowledged
    packet_limit: int  # bytes that the client takes, 0 = any
    answer: Properties


def agree(
    packet: Connect, settings: EndpointSettings, directory: Directory, certified: str | None = None
) -> Agreement | ReasonCode:
    """What is agreed with this client, or why it is refused. certified: the name that its certificate proves."""
    asked = packet.properties
    if asked.authentication_method is not None:
        return ReasonCode.BAD_AUTHENTICATION_METHOD
    if packet.username is None and certified is None and not settings.anonymous:
        return ReasonCode.NOT_AUTHORIZED
    if len(packet.client_id) > MAX_CLIENT_ID or not (
        packet.client_id or packet.version == V5 or packet.clean_start
    ):
        return ReasonCode.CLIENT_IDENTIFIER_NOT_VALID
    principal = _who(packet, settings, directory, certified)
    if principal is None:
        return ReasonCode.BAD_USER_NAME_OR_PASSWORD
    keepalive, told = _keepalive(packet, settings)
    expiry = _expiry(packet, settings)
    client_id = packet.client_id or f"auto-{uuid4().hex}"
    answer = Properties(
        session_expiry=None if expiry == (asked.session_expiry or 0) else expiry,
        assigned_client_id=None if packet.client_id else client_id,
        server_keepalive=told,
        receive_maximum=settings.receive_maximum,
        topic_alias_maximum=settings.topic_aliases,
        maximum_packet_size=settings.packet_limit,
        subscription_identifiers=False,
        shared_subscriptions=False,
    )
    window = asked.receive_maximum or 0xFFFF
    return Agreement(
        principal, client_id, expiry, keepalive * GRACE, window, asked.maximum_packet_size or 0, answer
    )


def _who(
    packet: Connect, settings: EndpointSettings, directory: Directory, certified: str | None
) -> Principal | None:
    """A certificate goes before a password; a user name beside it says the same or nothing."""
    username = packet.username or ""
    if certified is not None:
        return directory.vouched(certified) if username in {"", certified} else None
    if settings.anonymous and packet.password is None:
        return directory.vouched(username or packet.client_id)
    return directory.authenticate(username, packet.password or b"")


def _keepalive(packet: Connect, settings: EndpointSettings) -> tuple[int, int | None]:
    """Seconds in force, and what MQTT 5 must tell the client where it is not what it asked for."""
    most = settings.max_keepalive
    if packet.version == V5 and most and not 0 < packet.keepalive <= most:
        return most, most
    return packet.keepalive, None


def _expiry(packet: Connect, settings: EndpointSettings) -> int:
    """Seconds the session outlives the connection; before MQTT 5 only the clean session flag says it."""
    if packet.version != V5:
        return 0 if packet.clean_start else settings.session_expiry
    return min(packet.properties.session_expiry or 0, settings.session_expiry)


def grant(wanted: Subscription, principal: Principal, directory: Directory) -> int:
    """The QoS granted (0, 1) or the reason code of a refusal: commands only, of devices that are its own."""
    if wanted.filter.startswith("$share/"):
        return ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
    if principal.kind == "source" and network.queues(wanted.filter):
        return min(wanted.qos, 1)  # each delivery asks again which devices it may speak for
    levels = wanted.filter.split("/")
    if len(levels) != 4 or levels[0] != ROOT or levels[3] != COMMAND:
        return ReasonCode.NOT_AUTHORIZED
    qos = min(wanted.qos, 1)
    if "+" in levels:  # of a source: each delivery asks again which devices it may speak for
        return qos if principal.kind == "source" else ReasonCode.NOT_AUTHORIZED
    try:
        device = directory.spoken_for(principal, levels[2])
    except Refused:
        return ReasonCode.NOT_AUTHORIZED
    return qos if device.family == levels[1] else ReasonCode.NOT_AUTHORIZED
