"""The broker link against a real mosquitto, which a test stops and starts under load."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from drivers.refusal import Reason
from rules.control import LinkDown, LinkUp
from tests.gateway.ingest.link_town import Broker, Feeder, Town, linked, running, town
from tests.gateway.ingest.mqtt_city import City

TOPICS = [f"city/dust/DU-{number}/telemetry" for number in (1, 2, 3)]
pytestmark = pytest.mark.peer("mosquitto")


def reading(number: int) -> bytes:
    return b'{"ts":%d,"v":{"pm10":%d}}' % (1_700_000_000_000 + number, number % 900)


async def publish(port: int, topic: str, payload: bytes, qos: int = 1, *more: str) -> None:
    process = await asyncio.create_subprocess_exec(
        "mosquitto_pub", "-p", str(port), "-q", str(qos), "-t", topic, "-m", payload.decode(), *more
    )
    assert await process.wait() == 0


@pytest.mark.parametrize(("version", "qos"), [(5, 1), (5, 2), (4, 1), (4, 2)])
async def test_a_message_is_acknowledged_when_it_is_settled_and_not_before(
    tmp_path: Path, version: int, qos: int
) -> None:
    async with Broker(tmp_path) as broker:
        settings = linked(broker.port, version=version, qos=qos)
        async with town(settings) as first:
            await first.until(lambda: first.link.up)
            await publish(broker.port, TOPICS[0], reading(1), qos)
            frames = await first.frames(1)
            assert (frames[0].payload, frames[0].device, frames[0].topic) == (reading(1), 0, TOPICS[0])
            assert frames[0].lane is first.lane("generic-dust", "dust", "telemetry")
        async with town(settings, known=True) as second:  # never settled: it comes again
            (frame,) = await second.frames(1)
            assert frame.payload == reading(1)
            second.settle([frame])
            await publish(broker.port, TOPICS[1], reading(2), qos)
            await second.settled(1)
            assert second.link.counters.sessions_lost == 0
            assert second.link.counters.repeated == 1
        async with town(settings, known=True) as third:
            await third.until(lambda: third.link.up)
            await publish(broker.port, TOPICS[2], reading(3), qos)
            assert [frame.payload for frame in await third.settled(1)] == [reading(3)]


async def test_what_is_sent_while_the_gateway_is_away_waits_at_the_broker(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    settings = linked(broker.port)
    async with broker:
        async with town(settings) as it:
            await it.until(lambda: it.link.up)
        feeder = Feeder(broker.port, TOPICS, reading)
        feeder.limit = 5_000
        async with running(feeder.run()):
            await it.until(lambda: len(feeder.acked) == 5_000)
        feeder.stop()
    async with broker, town(settings, known=True) as it, running(it.pipeline()):
        await it.until(lambda: len(it.taken) >= 5_000)
        assert [frame.payload for frame in it.taken] == [reading(number) for number in range(5_000)]


async def restarts(broker: Broker, it: Town, feeder: Feeder, times: int, pause: float) -> list[float]:
    """Stop and start the broker under load; real seconds each until the link is back."""
    back = []
    for _ in range(times):
        count = it.link.counters.connections
        await it.clock.sleep(pause)
        await broker.stop()
        await it.until(lambda: not it.link.up)
        await broker.start()
        began = it.clock.monotonic()
        await it.until(lambda: it.link.up and it.link.counters.connections > count, 10)  # noqa: B023
        back.append(it.clock.monotonic() - began)
    feeder.limit = feeder.sent
    await it.until(lambda: len(feeder.acked) == feeder.sent, 20)
    return back


async def outages(tmp_path: Path, times: int, pause: float) -> None:
    async with Broker(tmp_path) as broker:
        feeder = Feeder(broker.port, TOPICS, reading)
        async with town(linked(broker.port)) as it, running(it.pipeline()):
            await it.until(lambda: it.link.up)
            async with running(feeder.run()):
                back = await restarts(broker, it, feeder, times, pause)
                expected = {reading(number) for number in feeder.acked}
                await it.until(lambda: len(it.payloads) >= len(expected), 30)
                assert it.payloads == expected
            feeder.stop()
            assert max(back) <= 5
            assert it.link.counters.reconnects == times
            assert it.link.counters.sessions_lost == 0
            assert [type(control) for control in it.controls] == [LinkUp] + [LinkDown, LinkUp] * times
            times_said = [control.time for control in it.controls if isinstance(control, LinkDown | LinkUp)]
            assert times_said == sorted(times_said)
            print(
                f"{len(expected)} acked, {len(it.taken)} taken, {it.link.counters.repeated} repeated, back in {back}"
            )


async def test_all_that_the_broker_acknowledged_arrives_over_its_restarts(tmp_path: Path) -> None:
    await outages(tmp_path, times=2, pause=0.2)


@pytest.mark.drill
async def test_all_that_the_broker_acknowledged_arrives_over_twenty_restarts(tmp_path: Path) -> None:
    await outages(tmp_path, times=20, pause=1.0)


@pytest.mark.parametrize("qos", [1, 2])
async def test_a_refused_message_never_blocks_and_no_reason_code_offends_the_broker(
    tmp_path: Path, qos: int
) -> None:
    async with Broker(tmp_path) as broker, town(linked(broker.port, qos=qos, filters=["#"])) as it:
        await it.until(lambda: it.link.up)
        reasons = list(Reason)
        for number in range(len(reasons)):
            await publish(broker.port, TOPICS[0], reading(number), qos)
        City.settle(await it.frames(len(reasons)), dict(enumerate(reasons)))
        await publish(broker.port, "elsewhere/1", b"{}", qos)
        await publish(broker.port, "city/dust/DU-9/telemetry", b"{}", qos)
        await publish(broker.port, "city/manhole/DU-1/telemetry", b"{}", qos)
        await publish(broker.port, "city/dust/DU-1/command", b"{}", qos)
        await it.settled(4)
        assert [reason for reason, _ in it.refused] == [
            Reason.UNKNOWN_TOPIC,
            Reason.UNKNOWN_DEVICE,
            Reason.FOREIGN_TOPIC,
            Reason.FOREIGN_TOPIC,
        ]
        await publish(broker.port, TOPICS[0], reading(99), qos)
        assert [frame.payload for frame in await it.settled(1)] == [reading(99)]
        assert (it.link.up, it.link.counters.reconnects) == (True, 0)


async def test_third_party_payloads_find_their_device_by_mapping_or_topic(tmp_path: Path) -> None:
    async with Broker(tmp_path) as broker:
        settings = linked(
            broker.port,
            filters=["other/#"],
            product="chinatelecom-geomagnetic",
            products={"parking/+/up": "chinatelecom-geomagnetic", "plant/{device}/now": "generic-dust"},
        )
        async with town(settings) as it:
            await it.until(lambda: it.link.up)
            said = b'{"deviceId":"PK-1","payload":{"parking_state":1}}'
            await publish(broker.port, "parking/7/up", said)
            await publish(broker.port, "other/thing", said)
            await publish(broker.port, "plant/DU-3/now", reading(1))
            await publish(broker.port, "plant/PK-1/now", reading(1))
            await publish(broker.port, "parking/7/up", b'{"deviceId":"PK-2"}')
            await publish(broker.port, "parking/7/up", b"no json")
            frames = await it.frames(6)
            by_mapping = it.lane("chinatelecom-geomagnetic", "parking", "telemetry")
            assert [(frame.lane, frame.device) for frame in frames[:3]] == [
                (by_mapping, 0),
                (by_mapping, 0),
                (it.lane("generic-dust", "dust", "telemetry"), 2),
            ]
            assert [frame.verdict for frame in frames[3:]] == [
                Reason.FOREIGN_TOPIC,
                Reason.UNKNOWN_DEVICE,
                Reason.BAD_JSON,
            ]
            assert frames[4].who == "PK-2"
            it.settle(frames)
            it.device("DU-3", "dust", 2, retired=True)
            await publish(broker.port, "plant/DU-3/now", reading(2))
            assert [frame.verdict for frame in await it.settled(1)] == [Reason.UNKNOWN_DEVICE]


async def test_stored_copies_are_not_taken_for_readings(tmp_path: Path) -> None:
    async with Broker(tmp_path) as broker:
        await publish(broker.port, TOPICS[0], reading(1), 1, "-r")
        for version in (5, 4):
            async with town(linked(broker.port, version=version, client_id=f"v{version}")) as it:
                await it.until(lambda: it.link.up)
                await publish(broker.port, TOPICS[0], reading(2), 1, "-r")
                assert [frame.payload for frame in await it.settled(1)] == [reading(2)]
                assert it.link.counters.retained == (version == 4)


async def test_a_full_inbox_stops_the_reading_and_the_broker_keeps_the_rest(tmp_path: Path) -> None:
    async with Broker(tmp_path) as broker:
        feeder = Feeder(broker.port, TOPICS, reading, window=2_000)
        feeder.limit = 20_000
        async with town(linked(broker.port, receive_maximum=20_000), bound=1_000) as it:
            await it.until(lambda: it.link.up)
            async with running(feeder.run()):
                await it.until(lambda: len(feeder.acked) == 20_000, 10)
            feeder.stop()
            assert it.inbox.paused
            assert len(it.inbox.frames) < 8_000  # the bound and one read
            async with running(it.pipeline()):
                await it.until(lambda: len(it.taken) >= 20_000, 10)
            assert {frame.payload for frame in it.taken} == {reading(number) for number in range(20_000)}
            assert it.link.counters.repeated == 0


async def test_commands_reach_devices_behind_the_broker(tmp_path: Path) -> None:
    async with Broker(tmp_path) as broker, town(linked(broker.port, filters=["city/#"])) as it:
        hour = it.clock.now() + 3_600_000_000
        assert not it.links.deliver("broker", "city/dust/DU-1/command", b"early", hour)
        await it.until(lambda: it.link.up)
        assert not it.links.deliver("other", "city/dust/DU-1/command", b"astray", hour)
        assert not it.links.deliver("broker", "city/dust/DU-1/command", b"late", it.clock.now())
        listen = await asyncio.create_subprocess_exec(
            *(
                "mosquitto_sub",
                "-p",
                str(broker.port),
                "-V",
                "5",
                "-q",
                "1",
                "-t",
                "city/+/+/command",
                "-C",
                "1",
            ),
            *("-W", "5", "-F", "%t %p %E"),
            stdout=asyncio.subprocess.PIPE,
        )
        counters = it.link.counters
        while listen.returncode is None and counters.downlinks_sent < 100:
            assert it.links.deliver("broker", "city/dust/DU-1/command", b"go", hour)
            await it.clock.sleep(0.05)
        out, _ = await listen.communicate()
        topic, payload, expiry = out.split()
        assert (topic, payload) == (b"city/dust/DU-1/command", b"go")
        assert 3_500 < int(expiry) <= 3_601
        await it.until(lambda: counters.downlinks_acked == counters.downlinks_sent)
        assert not it.inbox.frames  # nobody hears himself


async def test_brokers_that_drop_are_found_out(tmp_path: Path) -> None:
    async with Broker(tmp_path, "persistence true\nsys_interval 1\nmax_queued_messages 10\n") as broker:
        settings = linked(broker.port, receive_maximum=10)
        async with town(settings) as it:
            await it.until(lambda: "limits" in it.link.broker.notes)
            assert "max_queued_messages 0" in it.link.broker.notes["limits"]
            await it.until(lambda: it.link.broker._total == 0)
            assert "dropped" not in it.link.broker.notes
            feeder = Feeder(broker.port, TOPICS, reading)
            feeder.limit = 50
            async with running(feeder.run()):
                await it.until(lambda: len(feeder.acked) == 50)  # and 30 of them are nowhere
            feeder.stop()
            await it.until(lambda: it.link.broker.dropped)
            assert it.link.broker.dropped == 30
            assert "dropped 30 messages" in it.link.broker.notes["dropped"]
            assert len(await it.settled(10) + await it.settled(10)) == 20


async def test_a_broker_that_forgets_sessions_is_found_out(tmp_path: Path) -> None:
    async with Broker(tmp_path, "persistence false\n") as broker, town(linked(broker.port)) as it:
        await it.until(lambda: it.link.up)
        assert it.link.counters.sessions_lost == 0
        await broker.stop(signal.SIGKILL)
        await it.until(lambda: not it.link.up)
        await broker.start()
        await it.until(lambda: it.link.up)
        assert it.link.counters.sessions_lost == 1
        assert "gone" in it.link.broker.notes["session"]
        await publish(broker.port, TOPICS[0], reading(1))
        assert len(await it.settled(1)) == 1  # subscribed anew


async def test_two_brokers_at_once(tmp_path: Path) -> None:
    for name in ("east", "west"):
        (tmp_path / name).mkdir()
    async with (
        Broker(tmp_path / "east") as east,
        Broker(tmp_path / "west") as west,
        town(linked(east.port, name="east"), linked(west.port, name="west")) as it,
    ):
        await it.until(lambda: all(link.up for link in it.links))
        await east.stop()
        await it.until(lambda: not it.link.up)
        await publish(west.port, TOPICS[0], reading(1))
        (frame,) = await it.frames(1)
        assert frame.origin.address == f"link:west@127.0.0.1:{west.port}"
        it.settle([frame])
        assert [type(each) for each in it.controls] == [LinkUp, LinkUp, LinkDown]
        assert it.controls[-1].link == "east"  # type: ignore[union-attr]
