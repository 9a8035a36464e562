"""The broker link against a broker that says what a test tells it to say."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import pytest

from drivers.mqtt.codes import ReasonCode
from drivers.mqtt.packets import (
    V5,
    V311,
    Connack,
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
)
from drivers.refusal import Reason
from gateway.errors import ConfigError
from gateway.ingest.backoff import Backoff
from gateway.ingest.link_settings import LinkSettings
from rules.control import LinkDown, LinkUp
from tests.gateway.ingest.link_town import Broker, Scripted, Town, linked, town
from tests.gateway.ingest.mqtt_city import PATIENCE

TELEMETRY = "city/dust/DU-1/telemetry"
PRESENT = Connack(session_present=True)


def message(packet_id: int, payload: bytes = b"{}", **more: Any) -> Publish:
    return Publish(TELEMETRY, payload, **{"qos": 1, "packet_id": packet_id} | more)


async def granted(broker: Scripted, *codes: int) -> Subscribe:
    """The link's SUBSCRIBE, granted as asked for."""
    wanted: Subscribe = await broker.expect(Subscribe)
    codes = codes or tuple(each.qos for each in wanted.subscriptions)
    broker.say(Suback(wanted.packet_id, codes))
    return wanted


async def joined(broker: Scripted, it: Town, answer: Connack | None = None) -> None:
    await broker.accept(answer or Connack())
    await granted(broker)
    await it.until(lambda: it.link.up)


def quiet(broker: Scripted, **more: Any) -> LinkSettings:
    return linked(broker.port, **{"watch": False, "reconnect_cap": 1.0} | more)


async def test_it_asks_for_a_session_that_lasts_and_for_nothing_it_published_itself() -> None:
    async with (
        Scripted() as broker,
        town(linked(broker.port, username="gate", password="word", filters=["a/+", "$share/g/b/#"])) as it,
    ):
        asked = await broker.accept(Connack())
        assert (asked.client_id, asked.version, asked.clean_start) == ("citygate-broker", V5, False)
        assert (asked.username, asked.password, asked.keepalive) == ("gate", b"word", 30)
        assert asked.properties == Properties(
            session_expiry=604_800, receive_maximum=10_000, maximum_packet_size=4_194_304
        )
        wanted = await granted(broker)
        assert wanted.subscriptions == (
            Subscription("a/+", 1, no_local=True, retain_handling=2),
            Subscription("$share/g/b/#", 1, retain_handling=2),
        )
        assert [each.filter[:5] for each in (await granted(broker)).subscriptions] == ["$SYS/", "$SYS/"]
        await it.until(lambda: it.link.up)
        assert it.controls == [LinkUp("broker", it.controls[0].time)]  # type: ignore[union-attr]


async def test_a_session_that_is_there_needs_no_second_subscription() -> None:
    async with Scripted() as broker, town(quiet(broker)) as it:
        await joined(broker, it)
        await broker.hang_up()
        await broker.accept(PRESENT, message(7, dup=True))
        (frame,) = await it.frames(1)
        it.settle([frame])
        assert await broker.expect(Puback) == Puback(7)
        assert [type(each) for each in it.controls] == [LinkUp, LinkDown, LinkUp]


async def test_acknowledgements_never_leave_by_another_connection() -> None:
    async with Scripted() as broker, town(quiet(broker)) as it:
        await joined(broker, it)
        broker.say(message(1, b"old"), message(2, b"older"))
        old = await it.frames(2)
        await broker.hang_up()
        await broker.accept(PRESENT, message(1, b"new"))
        new = await it.frames(1)
        it.settle(old)
        it.settle(new)
        assert await broker.expect(Puback) == Puback(1)
        broker.say(message(3))
        await it.settled(1)
        assert await broker.expect(Puback) == Puback(3)


async def test_qos_2_is_taken_once_while_both_sides_remember() -> None:
    async with Scripted() as broker, town(quiet(broker, qos=2)) as it:
        await joined(broker, it)
        broker.say(message(5, b"one", qos=2), message(6, b"two", qos=2))
        await it.settled(2)
        assert [await broker.expect(Pubrec) for _ in "12"] == [Pubrec(5), Pubrec(6)]
        await broker.hang_up()
        await broker.accept(PRESENT, message(5, b"one", qos=2, dup=True), Pubrel(6), Pubrel(9))
        answers = [await broker.next() for _ in "123"]
        assert answers == [Pubrec(5), Pubcomp(6), Pubcomp(9, ReasonCode.PACKET_IDENTIFIER_NOT_FOUND)]
        broker.say(message(5, b"three", qos=2))  # not DUP: the broker has begun anew
        (frame,) = await it.frames(1)
        assert frame.payload == b"three"
        it.settle([frame])
        assert await broker.expect(Pubrec) == Pubrec(5)


async def test_without_its_session_the_link_forgets_its_own_side_too() -> None:
    async with Scripted() as broker, town(quiet(broker, qos=2), known=True) as it:
        await joined(broker, it)
        assert it.link.counters.sessions_lost == 1  # history had heard of this link
        broker.say(message(5, qos=2))
        await it.settled(1)
        await broker.expect(Pubrec)
        await broker.hang_up()
        await broker.accept(Connack())
        await granted(broker)
        broker.say(message(5, qos=2, dup=True))
        assert len(await it.settled(1)) == 1
        assert it.link.counters.sessions_lost == 2


@pytest.mark.parametrize(
    "answer",
    [b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00"],
    ids=["3.1.1 says return code 1", "5 says unsupported protocol version"],
)
async def test_3_1_1_where_the_broker_has_no_more(answer: bytes) -> None:
    async with Scripted(V311) as broker, town(quiet(broker)) as it:
        asked = await broker.accept()
        assert asked.version == V5
        broker.raw(answer)
        asked = await broker.accept(Connack())
        assert (asked.version, asked.clean_start) == (V311, False)
        wanted = await granted(broker)
        assert wanted.subscriptions[0] == Subscription("city/+/+/telemetry", 1)
        await it.until(lambda: it.link.up)
        assert "version" in it.link.broker.notes
        broker.say(Publish("elsewhere", b"", 1, 4))
        await it.settled(1)
        assert await broker.expect(Puback) == Puback(4)  # it has no reason codes
        assert it.refused[0][0] is Reason.UNKNOWN_TOPIC


@pytest.mark.parametrize(
    ("packets", "kind"),
    [
        ([message(1)], "before CONNACK"),
        ([Connack(), Connack()], "CONNACK twice"),
        ([Connack(ReasonCode.NOT_AUTHORIZED)], "refused"),
        ([Connack(ReasonCode.SERVER_MOVED, False, Properties(server_reference="b:1"))], "moved"),
        ([Connack(), Disconnect(ReasonCode.SESSION_TAKEN_OVER)], "taken over"),
    ],
)
async def test_it_leaves_a_broker_that_does_not_want_it_or_breaks_mqtt(
    packets: list[Packet], kind: str
) -> None:
    async with Scripted() as broker, town(quiet(broker)) as it:
        await broker.accept(*packets)
        while await broker.next() is not None:
            assert not it.link.up
        await it.until(lambda: it.link.counters.failures == 1)
        assert not it.inbox.frames, kind
        await joined(broker, it)  # and comes back


async def test_refused_and_lessened_subscriptions_are_told() -> None:
    async with Scripted() as broker, town(quiet(broker, filters=["a", "b"], session_expiry=600)) as it:
        await broker.accept(Connack(properties=Properties(session_expiry=60)))
        await granted(broker, 0x87, 0x87)
        assert await broker.expect(Disconnect) == Disconnect()
        await broker.accept(Connack())
        await granted(broker, 0x87, 0)
        await it.until(lambda: it.link.up)
        notes = it.link.broker.notes
        assert "0x87" in notes["filter a"]
        assert "QoS 0" in notes["filter b"]
        assert "60 s, not 600" in notes["session_expiry"]
        await broker.hang_up()
        await broker.accept(PRESENT)
        await granted(broker)  # asked for again, since one was refused


async def test_a_silent_broker_is_pinged_and_then_given_up() -> None:
    async with Scripted() as broker, town(quiet(broker)) as it:
        await joined(broker, it, Connack(properties=Properties(server_keepalive=1)))
        assert await broker.expect(Pingreq) == Pingreq()
        broker.say(Pingresp())
        began = it.clock.monotonic()
        while await broker.next() is not None:
            assert it.link.up
        assert 0.9 < it.clock.monotonic() - began < PATIENCE
        await it.until(lambda: isinstance(it.controls[-1], LinkDown))


async def test_a_broker_that_never_answers_costs_one_timeout() -> None:
    async with Scripted() as broker, town(quiet(broker, connect_timeout=0.05)) as it:
        await broker.accept()
        assert await broker.next() is None
        await joined(broker, it)
        assert it.link.counters.failures >= 1


async def test_open_commands_go_again_with_dup_unless_their_time_is_over() -> None:
    async with Scripted() as broker, town(quiet(broker)) as it:
        await joined(broker, it, Connack(properties=Properties(receive_maximum=2, maximum_packet_size=100)))
        now = it.clock.now()
        assert not it.link.deliver("city/dust/DU-1/command", bytes(200), now + 60_000_000)
        assert it.link.deliver("city/dust/DU-1/command", b"one", now + 60_000_000)
        assert it.link.deliver("city/dust/DU-1/command", b"two", now + 50_000)
        assert not it.link.deliver("city/dust/DU-1/command", b"three", now + 60_000_000)
        one, two = await broker.expect(Publish), await broker.expect(Publish)
        assert (one.payload, one.dup, one.properties.message_expiry) == (b"one", False, 60)
        await broker.hang_up()
        await it.until(lambda: it.clock.now() > now + 50_000)
        await broker.accept(PRESENT)
        again = await broker.expect(Publish)
        assert (again.packet_id, again.payload, again.dup) == (one.packet_id, b"one", True)
        broker.say(Puback(again.packet_id, ReasonCode.NO_MATCHING_SUBSCRIBERS), Puback(two.packet_id))
        counters = it.link.counters
        await it.until(lambda: counters.downlinks_acked == 1)
        assert (counters.downlinks_unheard, counters.downlinks_sent, counters.downlinks_refused) == (1, 3, 1)


async def test_after_the_kill_switch_no_open_command_goes_again() -> None:
    async with Scripted() as broker, town(quiet(broker)) as it:
        await joined(broker, it)
        assert it.link.deliver("city/dust/DU-1/command", b"one", it.clock.now() + 60_000_000)
        await broker.expect(Publish)
        it.links.halt()
        await broker.hang_up()
        await broker.accept(PRESENT)
        assert it.link.counts()["inflight"] == 0


async def test_when_the_gateway_leaves_it_acknowledges_what_is_being_committed() -> None:
    async with Scripted() as broker:
        async with town(quiet(broker)) as it:
            await joined(broker, it)
            broker.say(message(1))
            frames = await it.frames(1)
            asyncio.get_running_loop().call_later(0.05, it.settle, frames)
        assert await broker.expect(Puback) == Puback(1)
        assert await broker.expect(Disconnect) == Disconnect()


async def test_oversize_is_refused_and_the_rest_is_read() -> None:
    async with Scripted() as broker, town(quiet(broker, payload_limit=256)) as it:
        await joined(broker, it)
        broker.say(message(1), message(2, bytes(257)), message(3))
        frames = await it.frames(3)
        assert [frame.verdict for frame in frames] == [None, Reason.OVERSIZE, None]
        it.settle(frames)
        codes = [(await broker.expect(Puback)).code for _ in frames]
        assert codes == [0, ReasonCode.QUOTA_EXCEEDED, 0]


def test_pauses_are_drawn_up_to_a_bound_that_doubles() -> None:
    backoff = Backoff(60.0, Random(1))
    bounds = []
    for _ in range(10):
        bounds.append(backoff.bound)
        assert 0 <= backoff.pause() <= bounds[-1]
    assert bounds == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    backoff.reset()
    assert backoff.bound == 1
    backoff.exhaust()
    assert backoff.bound == 60
    draws = [Backoff(60.0, Random(seed)).pause() for seed in range(200)]
    assert min(draws) < 0.1
    assert max(draws) > 0.9


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"name": "mqtt"}, "without a broker"),
        ({"name": "A b"}, "pattern"),
        ({"filters": ["a/#/b"]}, "last level"),
        ({"filters": []}, "nothing to subscribe"),
        ({"products": {"a/x{device}": "p"}}, "whole level"),
        ({"products": {"$share/g/a": "p"}}, "share"),
        ({"tls_cert": "c.pem"}, "tls_key"),
        ({"password": "p"}, "username"),
        ({"version": 3}, "4 or 5"),
    ],
)
def test_faults_of_the_settings(more: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        linked(1883, **more)


def certify(folder: Path, name: str) -> None:
    """<name>.pem and <name>.key for localhost, signed by ca.pem, which signs itself."""
    signed = [] if name == "ca" else ["-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key"]
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost", *signed),
            *("-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem"),
        ],
        check=True,
        capture_output=True,
    )


@pytest.mark.peer("mosquitto")
@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
async def test_tls_with_a_client_certificate(tmp_path: Path) -> None:
    for name in ("ca", "server", "client"):
        certify(tmp_path, name)
    listener = (
        f"cafile {tmp_path}/ca.pem\ncertfile {tmp_path}/server.pem\nkeyfile {tmp_path}/server.key\n"
        "require_certificate true\nuse_identity_as_username true\n"
    )
    trusted = {"tls_ca": tmp_path / "ca.pem", "host": "localhost"}
    known = {"tls_cert": tmp_path / "client.pem", "tls_key": tmp_path / "client.key"}
    async with Broker(tmp_path, listener=listener) as broker:
        async with town(linked(broker.port, **trusted, **known)) as it:
            await it.until(lambda: it.link.up)
        async with town(linked(broker.port, **trusted)) as it:
            await it.until(lambda: it.link.counters.failures)
        async with town(linked(broker.port, tls=True, host="localhost")) as it:
            await it.until(lambda: it.link.counters.failures)  # nobody has signed it
    with pytest.raises(ConfigError, match="link broker: certificates"):
        Town().join(linked(1, tls_ca=tmp_path / "none.pem"))


def test_tls_is_1_2_or_later() -> None:
    it = Town()
    it.join(linked(8883, tls=True))
    context = it.link._context
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
