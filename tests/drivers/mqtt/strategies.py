"""Every packet MQTT allows, by version and by who sends it."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from drivers.mqtt import codes, properties
from drivers.mqtt.packets import (
    NONE,
    V5,
    V311,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Properties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from drivers.mqtt.writer import encode

VERSIONS: Final = st.sampled_from((V311, V5))

text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
level = st.text(st.characters(codec="utf-8", exclude_characters="\0/+#$"), max_size=5)
name = st.lists(level, min_size=1, max_size=4).map("/".join).filter(bool)
binary = st.binary(max_size=20)
packet_id = st.integers(1, 65_535)
qos = st.integers(0, 2)
u16 = st.integers(0, 65_535)
u32 = st.integers(0, 2**32 - 1)


@st.composite
def filters(draw: st.DrawFn) -> str:
    levels = draw(st.lists(level | st.just("+"), min_size=1, max_size=4))
    if draw(st.booleans()):
        levels.append("#")
    return "/".join(levels) or "a"


_VALUES: Final[dict[properties.Type, st.SearchStrategy[Any]]] = {
    properties.FLAG: st.booleans(),
    properties.TWO: u16,
    properties.TWO_NOT_ZERO: st.integers(1, 65_535),
    properties.FOUR: u32,
    properties.FOUR_NOT_ZERO: st.integers(1, 2**32 - 1),
    properties.VARINT_NOT_ZERO: st.integers(1, 268_435_455),
    properties.TEXT: text,
    properties.TOPIC: name,
    properties.BINARY: binary,
    properties.PAIR: st.tuples(text, text),
}


def _properties(found: dict[str, Any]) -> Properties:
    return Properties(**found)


def props(packet: str) -> st.SearchStrategy[Properties]:
    """Properties that `packet` may carry."""
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for row in properties.TABLE.values():
        if packet in row.packets:
            value = _VALUES[row.type]
            most = 1 if packet == "subscribe" and row.field == "subscription_ids" else 3
            fields[row.field] = st.lists(value, max_size=most).map(tuple) if row.many else value
    return st.just(NONE) | st.fixed_dictionaries({}, optional=fields).map(_properties)


def _props(version: int, packet: str) -> st.SearchStrategy[Properties]:
    return props(packet) if version == V5 else st.just(NONE)


def wills(version: int) -> st.SearchStrategy[Will]:
    return st.builds(Will, name, binary, qos, st.booleans(), _props(version, "will"))


@st.composite
def connects(draw: st.DrawFn, version: int) -> Connect:
    username = draw(st.none() | text)
    password = draw(st.none() | binary) if username is not None or version == V5 else None
    found = draw(_props(version, "connect"))
    if found.authentication_method is None and found.authentication_data is not None:
        found = NONE
    will = draw(st.none() | wills(version))
    return Connect(draw(text), version, draw(st.booleans()), draw(u16), username, password, will, found)


@st.composite
def publishes(draw: st.DrawFn, version: int, server: bool) -> Publish:
    found = draw(_props(version, "publish_server" if server else "publish"))
    topic = draw(st.just("") | name) if found.topic_alias is not None else draw(name)
    quality = draw(qos)
    number = draw(packet_id) if quality else 0
    dup = bool(quality) and draw(st.booleans())
    return Publish(topic, draw(binary), quality, number, dup, draw(st.booleans()), found)


def _codes(
    version: int, known: frozenset[int], old: frozenset[int] = frozenset((0,))
) -> st.SearchStrategy[int]:
    return st.sampled_from(sorted(known if version == V5 else old))


def subscriptions(version: int) -> st.SearchStrategy[Subscription]:
    if version == V311:
        return st.builds(Subscription, filters(), qos)
    return st.builds(Subscription, filters(), qos, st.booleans(), st.booleans(), qos)


def _answers(version: int) -> list[st.SearchStrategy[Packet]]:
    kinds = (
        (Puback, "puback", codes.PUBLISH_CODES),
        (Pubrec, "pubrec", codes.PUBLISH_CODES),
        (Pubrel, "pubrel", codes.RELEASE_CODES),
        (Pubcomp, "pubcomp", codes.RELEASE_CODES),
    )
    return [
        st.builds(kind, packet_id, _codes(version, known), _props(version, word))
        for kind, word, known in kinds
    ]


def _auths(known: frozenset[int]) -> st.SearchStrategy[Auth]:
    full = props("auth").filter(lambda found: found.authentication_method is not None)
    return st.builds(Auth, st.sampled_from(sorted(known)), full)


def from_client(version: int) -> st.SearchStrategy[Packet]:
    """Any packet but CONNECT."""
    kinds: list[st.SearchStrategy[Packet]] = [
        publishes(version, server=False),
        *_answers(version),
        st.builds(
            Subscribe,
            packet_id,
            st.lists(subscriptions(version), min_size=1, max_size=3).map(tuple),
            _props(version, "subscribe"),
        ),
        st.builds(
            Unsubscribe,
            packet_id,
            st.lists(filters(), min_size=1, max_size=3).map(tuple),
            _props(version, "unsubscribe"),
        ),
        st.just(Pingreq()),
        st.builds(Disconnect, _codes(version, codes.CLIENT_DISCONNECT_CODES), _props(version, "disconnect")),
    ]
    if version == V5:
        kinds.append(_auths(codes.CLIENT_AUTH_CODES))
    return st.one_of(kinds)


@st.composite
def connacks(draw: st.DrawFn, version: int) -> Connack:
    code = draw(_codes(version, codes.CONNACK_CODES, codes.CONNACK_CODES_311))
    return Connack(code, not code and draw(st.booleans()), draw(_props(version, "connack")))


def _lists(version: int, known: frozenset[int], old: frozenset[int]) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(_codes(version, known, old), min_size=1, max_size=4).map(tuple)


def from_server(version: int) -> st.SearchStrategy[Packet]:
    kinds: list[st.SearchStrategy[Packet]] = [
        connacks(version),
        publishes(version, server=True),
        *_answers(version),
        st.builds(
            Suback,
            packet_id,
            _lists(version, codes.SUBACK_CODES, codes.SUBACK_CODES_311),
            _props(version, "suback"),
        ),
        st.just(Pingresp()),
    ]
    if version == V311:
        kinds.append(st.builds(Unsuback, packet_id))
    else:
        kinds += [
            st.builds(
                Unsuback,
                packet_id,
                _lists(V5, codes.UNSUBACK_CODES, frozenset()),
                props("unsuback"),
            ),
            st.builds(Disconnect, _codes(V5, codes.SERVER_DISCONNECT_CODES), props("disconnect_server")),
            st.just(Auth()) | _auths(codes.SERVER_AUTH_CODES),
        ]
    return st.one_of(kinds)


@st.composite
def dialogues(draw: st.DrawFn) -> tuple[int, list[Packet], bytes]:
    """What one client says: (version, CONNECT and up to eight more packets, their bytes)."""
    version = draw(VERSIONS)
    packets: list[Packet] = [
        draw(connects(version)),
        *draw(st.lists(from_client(version), max_size=8)),
    ]
    return version, packets, b"".join(encode(packet, version, server=False) for packet in packets)
