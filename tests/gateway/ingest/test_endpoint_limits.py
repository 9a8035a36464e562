"""What one device, one connection and one address may use of the endpoint: each limit counts for itself (law 5)."""

from __future__ import annotations

from drivers.mqtt.codes import ReasonCode
from drivers.mqtt.packets import (
    V5,
    V311,
    Connack,
    Connect,
    Disconnect,
    Pingreq,
    Pingresp,
    Puback,
    Suback,
    Subscribe,
    Subscription,
    Will,
)
from drivers.mqtt.writer import encode
from drivers.refusal import Reason
from tests.gateway.ingest.mqtt_city import SECRET, city, telemetry

SLOW = {"device_messages": 100.0, "burst": 0.1}  # ten at once, then one in 10 ms
STRICT = {"device_messages": 0.1, "burst": 200.0}  # twenty at once, then one in 10 s; CONNECT is one


async def test_a_device_that_sends_too_much_is_read_later_and_loses_nothing() -> None:
    async with city(limits=SLOW) as it:
        client = await it.connect()
        client.send(*(telemetry(number) for number in range(1, 21)))
        it.settle(await it.frames(20))
        assert it.endpoint.counters.slowed == 1
        client.send(*(telemetry(number) for number in range(21, 26)))
        assert [await client.next() for _ in range(20)] == [Puback(number) for number in range(1, 21)]
        assert it.inbox.frames == [], "not read for the 100 ms that ten messages too many are worth"
        it.settle(await it.frames(5))
        assert [await client.next() for _ in range(5)] == [Puback(number) for number in range(21, 26)]


async def test_bytes_count_as_messages_do() -> None:
    async with city(limits={"device_bytes": 1000.0, "burst": 1.0, "hard": 100.0}) as it:
        client = await it.connect()
        client.send(telemetry(1))
        await it.frames(1)
        assert it.endpoint.counters.slowed == 0
        client.send(*(telemetry(number) for number in range(2, 30)))
        await it.until(lambda: it.endpoint.counters.slowed == 1)


async def test_two_connections_of_a_device_share_its_rate() -> None:
    async with city(limits=STRICT) as it:
        one, two = await it.connect(client_id="a"), await it.connect(client_id="b")
        one.send(*(telemetry(number) for number in range(1, 11)))
        await it.frames(10)
        assert it.endpoint.counters.slowed == 0
        two.send(*(telemetry(number) for number in range(1, 11)))
        await it.frames(10)
        assert it.endpoint.counters.slowed == 1


async def test_who_comes_back_still_owes_what_was_sent_before() -> None:
    async with city(limits=STRICT) as it:
        client = await it.connect()
        client.send(*(telemetry(number) for number in range(1, 11)))
        await it.frames(10)
        await client.drop()
        await it.until(lambda: not it.endpoint.connections)
        again = await it.connect()
        again.send(*(telemetry(number) for number in range(1, 11)))
        await it.frames(10)
        assert it.endpoint.counters.slowed == 1


async def test_a_source_speaks_for_many_and_is_held_to_its_connection_alone() -> None:
    async with city(limits={**STRICT, "connection_messages": 0.3}) as it:
        it.source("lns", "DU-1", "LP-1")
        client = await it.connect("lns")
        client.send(*(telemetry(number) for number in range(1, 51)))
        await it.frames(50)
        assert it.endpoint.counters.slowed == 0
        client.send(*(telemetry(number) for number in range(51, 71)))
        await it.frames(20)
        assert it.endpoint.counters.slowed == 1


async def test_far_too_much_at_once_ends_the_connection() -> None:
    async with city(limits=SLOW) as it:
        client = await it.connect()
        client.raw(encode(Pingreq(), V5, server=False) * 1000)
        packets = [await client.next()]
        while packets[-1] is not None:
            packets.append(await client.next())
        assert Disconnect(ReasonCode.MESSAGE_RATE_TOO_HIGH) in packets
        assert (it.endpoint.counters.too_fast, it.presence.heard) == (1, ["+DU-1", "-DU-1 too_fast"])


async def test_a_packet_that_never_ends_ends_the_connection() -> None:
    async with city(limits={"packet_timeout": 5.0}) as it:
        client = await it.connect()
        whole = encode(telemetry(1), V5, server=False)
        client.raw(whole[:20])
        await it.until(lambda: any(peer.begun for peer in it.hub.peers))
        for step in range(1, 7):
            it.clock.ahead = step
            client.raw(whole[20:21])
            whole = whole[:20] + whole[21:]
            it.endpoint.sweep()
        goodbye = await client.next()
        assert isinstance(goodbye, Disconnect)
        assert (it.endpoint.counters.slow_packets, it.inbox.frames) == (1, [])


async def test_a_byte_now_and_then_is_slow_and_no_fault() -> None:
    async with city(limits={"packet_timeout": 5.0}) as it:
        client = await it.connect()
        for step, byte in enumerate(encode(Pingreq(), V5, server=False) * 4):
            it.clock.ahead = 3 * step
            client.raw(bytes((byte,)))
            await it.clock.sleep(0.01)
            it.endpoint.sweep()
        assert [await client.next() for _ in range(4)] == [Pingresp()] * 4
        assert it.endpoint.counters.slow_packets == 0


async def test_who_proves_nothing_makes_room_for_who_comes_after() -> None:
    async with city(connections=8, limits={"pending_per_address": 3}) as it:
        silent = [await it.open() for _ in range(3)]
        await it.until(lambda: it.endpoint.connections == 3)
        good = await it.connect("DU-1")
        assert await silent[0].closed()
        assert it.endpoint.counters.pending_evicted == 1
        good.send(Pingreq())
        assert await good.next() == Pingresp()


async def test_one_address_never_holds_half_of_all_connections_without_a_password() -> None:
    async with city(connections=6) as it:
        for _ in range(12):
            await it.open()
        await it.until(lambda: it.endpoint.counters.accepted == 12)
        await it.until(lambda: it.endpoint.connections == 3)
        assert it.endpoint.counters.pending_evicted == 9


async def test_pending_connections_of_all_addresses_have_a_bound_of_their_own() -> None:
    async with city(limits={"pending": 2}) as it:
        silent = [await it.open() for _ in range(3)]
        assert await silent[0].closed()
        await it.connect("DU-1")
        assert await silent[1].closed()
        assert it.endpoint.counters.pending_evicted == 2


async def test_an_address_may_be_given_a_share() -> None:
    async with city(limits={"connections_per_address": 2}) as it:
        await it.connect("DU-1")
        await it.connect("DU-2")
        third = await it.open()
        assert await third.closed()
        assert it.endpoint.counters.address_crowded == 1


async def test_attempts_that_come_to_nothing_close_the_door_to_their_address() -> None:
    async with city(limits={"attempts": 0.5, "attempts_burst": 5}) as it:
        for _ in range(20):  # whoever gets in may come back as often as they like
            client = await it.connect("DU-1", client_id=f"c{_}")
            await client.drop()
        for _ in range(5):
            stranger = await it.open()
            stranger.raw(b"GET / HTTP/1.1\r\n\r\n")
            assert await stranger.closed()
        shut = await it.open()
        shut.send(Connect("c", V5, username="DU-1", password=SECRET.encode()))
        assert await shut.closed()
        assert it.endpoint.counters.address_hasty == 1
        assert it.presence.heard.count("+DU-1") == 20


async def test_who_breaks_mqtt_at_once_is_not_read_for_a_while_before_the_end() -> None:
    async with city(limits={"penalty": 0.2}) as it:
        stranger = await it.open()
        stranger.raw(b"GET / HTTP/1.1\r\n\r\n")
        await it.until(lambda: it.endpoint.counters.violations == 1)
        stranger.raw(b"and on")
        await it.clock.sleep(0.05)
        assert it.endpoint.connections == 1
        assert await stranger.closed()
        await it.until(lambda: not it.endpoint.connections)


async def test_a_device_has_so_many_connections_and_no_more() -> None:
    async with city(limits={"clients": 2}) as it:
        await it.connect(client_id="a")
        await it.connect(client_id="b")
        _, refused = await it.ask(client_id="c")
        assert refused.code == ReasonCode.QUOTA_EXCEEDED
        await it.connect(client_id="b")  # takes its own place over
        assert it.endpoint.counters.too_many_clients == 1


async def test_a_reconnect_loop_of_a_known_device_is_slowed_to_its_rate() -> None:
    async with city(limits={"logins": 3.0}) as it:
        for _ in range(3):
            await (await it.connect()).drop()
            await it.until(lambda: not it.endpoint.connections)
        for _ in range(5):
            _, refused = await it.ask()
            assert refused.code == ReasonCode.CONNECTION_RATE_EXCEEDED
        it.clock.ahead = 20.5  # a third of a minute: one more, whatever was refused meanwhile
        await it.connect()
        assert it.endpoint.counters.too_many_logins == 5


async def test_wrong_passwords_are_answered_late_and_right_ones_at_once() -> None:
    async with city(logins={"failures_per_user": 2, "delay": 0.2}) as it:
        for _ in range(2):
            _, refused = await it.ask(password=b"guess")
            assert refused.code == ReasonCode.BAD_USER_NAME_OR_PASSWORD
        late = await it.open()
        late.send(Connect("c", V5, username="DU-1", password=b"guess"))
        await it.until(lambda: it.endpoint.counters.late_refusals == 1)
        assert it.endpoint.counters.refused == 2, "its answer waits"
        await it.connect("DU-1")
        assert await late.expect(Connack) == Connack(ReasonCode.BAD_USER_NAME_OR_PASSWORD)
        assert await late.closed()


async def test_guesses_at_many_names_from_one_address_count_together() -> None:
    async with city(logins={"failures_per_address": 3, "delay": 0.05}) as it:
        for number in range(5):
            await it.ask(f"nobody-{number}", V311, password=b"guess")
        assert it.endpoint.counters.late_refusals == 2


async def test_who_hangs_up_while_the_answer_waits_leaves_nothing_behind() -> None:
    async with city(logins={"failures_per_user": 1, "delay": 60.0}) as it:
        await it.ask(password=b"guess")
        late = await it.open()
        late.send(Connect("c", V5, username="DU-1", password=b"guess"))
        await it.until(lambda: it.endpoint.counters.late_refusals == 1)
        it.clock.ahead = 11
        it.endpoint.sweep()
        await it.until(lambda: not it.endpoint.connections)
        assert it.endpoint.counters.timeouts == 1


async def test_topics_have_a_length_and_a_depth() -> None:
    async with city(limits={"topic_bytes": 64, "topic_levels": 5}) as it:
        client = await it.connect()
        long, deep = "city/dust/DU-1/" + "x" * 50, "city/dust/DU-1/a/b/c"
        client.send(telemetry(1), telemetry(2, topic=long), telemetry(3, topic=deep))
        frames = await it.frames(3)
        assert [frame.verdict for frame in frames] == [None, Reason.TOPIC_TOO_LONG, Reason.TOPIC_TOO_LONG]
        it.settle(frames)
        answers = [await client.expect(Puback) for _ in range(3)]
        assert [one.code for one in answers] == [0, *[ReasonCode.TOPIC_NAME_INVALID] * 2]
        client.send(Subscribe(4, (Subscription(long), Subscription("city/dust/DU-1/command"))))
        suback = await client.expect(Suback)
        assert suback.codes == (ReasonCode.TOPIC_FILTER_INVALID, 0)
        _, refused = await it.ask("DU-2", will=Will(long, b""))
        assert refused.code == ReasonCode.TOPIC_NAME_INVALID
        assert it.endpoint.counters.topics_too_long == 2


async def test_what_is_read_while_the_inbox_is_full_has_a_bound_of_its_own() -> None:
    async with city(bound=1, aside=1000) as it:
        busy, other, third = [await it.connect(name) for name in ("DU-1", "DU-2", "LP-1")]
        busy.send(telemetry(1))
        await it.until(lambda: it.inbox.paused)
        other.send(telemetry(2, "DU-2", payload=bytes(2000)))
        await it.until(lambda: it.hub._aside)
        third.send(telemetry(1, "LP-1", "streetlight"))
        await it.clock.sleep(0.05)
        assert [len(data) > 2000 for data in it.hub._aside.values()] == [True], "nobody else is read"
        seen = [frame.topic.split("/")[2] for _ in range(3) for frame in await it.frames(1)]
        assert (seen[0], sorted(seen)) == ("DU-1", ["DU-1", "DU-2", "LP-1"])
        assert not it.inbox.paused


async def test_a_heap_of_small_packets_is_taken_bit_by_bit_and_in_order() -> None:
    async with city(limits={"device_messages": 1e6}) as it:
        client = await it.open()
        hello = encode(Connect("c", V5, username="DU-1", password=SECRET.encode()), V5)
        heap = encode(Pingreq(), V5) * 5000 + encode(telemetry(1), V5, server=False)
        client.raw(hello + heap + encode(Pingreq(), V5))
        await client.expect(Connack)
        assert [await client.next() for _ in range(5001)] == [Pingresp()] * 5001
        assert len(await it.frames(1)) == 1
        assert it.endpoint.counters.packets == 5003


async def test_who_goes_on_speaking_while_the_inbox_is_full_is_stopped_and_heard_in_order() -> None:
    async with city(bound=1) as it:
        client = await it.connect()
        client.send(telemetry(1))
        await it.until(lambda: it.inbox.paused)
        for number in (2, 3, 4):
            client.send(telemetry(number))
            await it.clock.sleep(0.02)
        assert (len(it.inbox.frames), len(it.hub._stopped)) == (1, 1)
        heard: list[int] = []
        while len(heard) < 4:
            heard += [frame.token for frame in await it.frames(1)]
        client.send(telemetry(5))
        assert [*heard, *(frame.token for frame in await it.frames(1))] == [1, 2, 3, 4, 5]
