"""The station server on real sockets: who is heard, when 9014 leaves, and what becomes of requests and commands."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from drivers.dialogue import encode_command
from drivers.hj212.commands import Cn
from drivers.hj212.crc import Crc
from drivers.hj212.frame import encode_frame
from drivers.hj212.moment import number, stamp
from drivers.hj212.segment import Segment, encode
from drivers.hj212.tolerance import Tolerance
from drivers.refusal import Reason
from drivers.telemetry import HOUR, MINUTE, SECOND, Flag
from gateway.errors import ConfigError
from gateway.ingest.hj212_connection import Connection
from gateway.registry.directory import Entry
from gateway.tasks import Tasks
from tests.gateway.ingest.hj212_city import ZONE, Town, Wire, town, wired

SHANGHAI = ZoneInfo(ZONE)


def upload(one: Town, mn: str = "M0000", cn: str = "2011", age: int = 0, **fields: Any) -> Segment:
    now = one.clock.now()
    items = (("DataTime", stamp(now - age, SHANGHAI)),), (("LA-Rtd", "50"), ("LA-Avg", "50"))
    more = {"qn": number(now, SHANGHAI), "st": "39", "pw": "123456", "flag": 5, **fields}
    return Segment(cn=cn, mn=mn, cp=items, **more)


def send(wire: Wire, segment: Segment, crc: Crc = Crc.HJ212) -> None:
    wire.writer.write(encode_frame(encode(segment), crc))


async def refused(one: Town, count: int = 1) -> list[Reason]:
    await one.until(lambda: len(one.refusals) >= count)
    return [refusal.reason for refusal in one.refusals]


async def test_an_upload_is_acknowledged_only_when_it_is_durable() -> None:
    async with town() as one, wired(one) as wire:
        one.settling = False
        sent = upload(one)
        send(wire, sent)
        await one.until(lambda: bool(one.inbox.frames))
        assert one.server.hub.counters.acknowledged == 0
        one.settling = True
        answer = await wire.hears()
        assert (answer.cn, answer.qn, answer.mn) == ("9014", sent.qn, "M0000")
        assert one.rows == 1
        assert one.frames[0].topic == "hj212/M0000/2011"
        assert one.frames[0].origin.address.startswith("hj212:M0000@127.0.0.1:")


async def test_who_wants_no_answer_gets_none() -> None:
    async with town() as one, wired(one) as wire:
        send(wire, upload(one, flag=4))
        await one.until(lambda: one.rows == 1)
        send(wire, upload(one, cn="2051"))
        assert (await wire.hears()).cn == "9014"
        assert one.server.hub.counters.acknowledged == 1


async def test_a_poison_message_is_refused_counted_and_answered() -> None:
    async with town() as one, wired(one) as wire:
        send(wire, upload(one, cn="2081"))
        assert (await wire.hears()).cn == "9014"
        assert await refused(one) == [Reason.EMPTY]


async def test_an_unknown_station_is_refused_and_not_answered() -> None:
    async with town() as one, wired(one) as wire:
        send(wire, upload(one, mn="stranger"))
        assert await refused(one) == [Reason.UNKNOWN_DEVICE]
        assert b"MN=stranger" in one.frames[0].payload
        assert one.frames[0].who == "stranger"
        one.directory.put([Entry("stranger", "dust", 1, "hj212-dust", "", False, b"")])
        send(wire, upload(one, mn="stranger"))
        assert (await wire.hears()).mn == "stranger"
        one.directory.put([Entry("stranger", "dust", 1, "hj212-dust", "", True, b"")])
        send(wire, upload(one, mn="stranger"))
        assert await refused(one, 2) == [Reason.UNKNOWN_DEVICE] * 2


async def test_a_device_of_another_transport_does_not_speak_here() -> None:
    async with town(product="generic-dust") as one, wired(one) as wire:
        send(wire, upload(one))
        assert await refused(one) == [Reason.UNKNOWN_DEVICE]


async def test_a_configured_station_has_its_own_name_sum_and_password() -> None:
    stations = {"ABCDEFG1234567": {"device": "M0000", "crc": "modbus", "password": "secret"}}
    async with town(password="other") as plain, wired(plain) as wire:
        send(wire, upload(plain))
        assert await refused(plain) == [Reason.WRONG_PASSWORD]
        send(wire, upload(plain), Crc.MODBUS)
        assert await refused(plain, 2) == [Reason.WRONG_PASSWORD, Reason.BAD_CRC]
    async with town(mns=stations) as one, wired(one) as wire:
        send(wire, upload(one, mn="ABCDEFG1234567", pw="secret"), Crc.MODBUS)
        raw = await wire.reader.readuntil(b"\r\n")
        assert b"CN=9014" in raw
        assert raw == encode_frame(raw[6:-6], Crc.MODBUS), "the station is answered by its own sum"
        assert one.frames[0].device == 0
        send(wire, upload(one, mn="ABCDEFG1234567"), Crc.MODBUS)
        send(wire, upload(one, mn="ABCDEFG1234567", pw="secret"))
        assert await refused(one, 2) == [Reason.WRONG_PASSWORD, Reason.BAD_CRC]


async def test_damage_is_quarantined_with_its_place_and_the_link_goes_on() -> None:
    async with town() as one, wired(one) as wire:
        good = encode_frame(encode(upload(one)))
        wire.writer.write(good + b"noise" + good[:-6] + b"FFFF\r\n")
        send(wire, upload(one, cn="2051"))
        assert [(await wire.hears()).cn for _ in range(2)] == ["9014", "9014"]
        assert await refused(one) == [Reason.BAD_FRAME]
        assert one.refusals[0].detail.startswith(f"at byte {len(good)}: ")
        assert one.server.hub.counters.damages == 1


async def test_departures_are_counted_by_name() -> None:
    async with town() as one, wired(one) as wire:
        frame = encode_frame(encode(upload(one, qn="", st="null")))
        wire.writer.write(frame[:-6] + frame[-6:-2].lower() + b"\r\n")
        wire.writer.write(b"##0001" + frame[6:])
        await one.until(lambda: one.rows == 2)
        counts = one.server.hub.tolerated
        assert counts[Tolerance.MISSING_QN] == counts[Tolerance.ST_FORM] == 2
        assert counts[Tolerance.LENGTH] == 1
        registry = CollectorRegistry()
        registry.register(one.server.figures)
        text = generate_latest(registry).decode()
        assert 'citygate_hj212_tolerated_total{departure="missing_qn"} 2.0' in text
        assert 'citygate_hj212_events_total{event="uploads"} 2.0' in text
        assert "citygate_hj212_stations 1.0" in text


async def test_the_first_connection_is_greeted_once() -> None:
    async with town(greet=True) as one:
        for expected in (["1012", "1000", "1062", "1064", "2011", "2021"], []):
            async with wired(one) as wire:
                send(wire, upload(one, flag=4))
                for cn in expected:
                    asked = await wire.hears()
                    assert asked.cn == cn
                    answer(wire, asked, "9011", ("QnRtn", "1"))
                    answer(wire, asked, "9012", ("ExeRtn", "1"))
                send(wire, upload(one))
                assert (await wire.hears()).cn == "9014"
        assert one.server.hub.counters.answers == 12


def answer(wire: Wire, asked: Segment, cn: str, *item: tuple[str, str]) -> None:
    send(wire, Segment(cn=cn, mn=asked.mn, qn=asked.qn, st="91", pw=asked.pw, flag=4, cp=(item,)))


async def test_a_gap_is_pulled_and_its_records_are_historical() -> None:
    async with town() as one, wired(one) as wire:
        now = one.clock.now()
        one.last[0] = now - 2 * HOUR
        send(wire, upload(one, flag=4))
        asked = await wire.hears()
        assert asked.cn == Cn.MINUTE
        assert asked.get("BeginTime") == stamp(now - 2 * HOUR, SHANGHAI)
        answer(wire, asked, "9011", ("QnRtn", "1"))
        for age in (90 * MINUTE, 30 * MINUTE):
            send(wire, upload(one, cn="2051", age=age, qn=number(now - age, SHANGHAI)))
            assert (await wire.hears()).cn == "9014"
        answer(wire, asked, "9012", ("ExeRtn", "1"))
        await one.until(lambda: one.rows == 3)
        assert len(one.times(0, Flag.HISTORICAL)) == 2
        hours = await wire.hears()
        assert (hours.cn, hours.get("BeginTime")) == (
            Cn.HOUR,
            stamp((now - 2 * HOUR) // HOUR * HOUR, SHANGHAI),
        )
        assert hours.get("EndTime") == stamp((now // HOUR - 1) * HOUR, SHANGHAI)


async def test_what_is_pulled_is_configured() -> None:
    async with town(pull=["hour"]) as one, wired(one) as wire:
        one.last[0] = one.clock.now() - 2 * HOUR
        send(wire, upload(one, flag=4))
        assert (await wire.hears()).cn == Cn.HOUR
        assert one.server.hub.counters.pulls == 1
    async with town(pull=[]) as one, wired(one) as wire:
        one.last[0] = one.clock.now() - 2 * HOUR
        send(wire, upload(one, flag=5))
        assert (await wire.hears()).cn == "9014"
        assert one.server.hub.counters.pulls == 0


async def test_a_line_that_was_dead_without_a_word_is_a_gap_too() -> None:
    async with town(pull=["minute"]) as one, wired(one) as wire:
        send(wire, upload(one, flag=4))
        await one.until(lambda: one.rows == 1)
        member = one.server.hub.newest("M0000")
        assert member is not None
        member.heard -= HOUR
        send(wire, upload(one, cn="2051", flag=4))
        asked = await wire.hears()
        assert asked.cn == Cn.MINUTE
        assert one.server.hub.counters.pulls == 1


async def test_presence_follows_the_connections() -> None:
    async with town() as one:
        async with wired(one) as first, wired(one) as second:
            send(first, upload(one))
            send(second, upload(one))
            await one.until(lambda: one.rows == 2)
            assert one.presence.heard == ["+M0000"]
            assert one.server.hub.present == 1
        await one.until(lambda: one.server.hub.present == 0)
        assert one.presence.heard == ["+M0000", "-M0000 lost"]


def command(one: Town, name: str, **args: float) -> bytes:
    return encode_command("c-1", name, args, one.clock.now() + MINUTE)


async def test_a_command_is_applied_when_the_station_says_so() -> None:
    async with town() as one:
        later = one.clock.now() + MINUTE
        assert not one.server.deliver("M0000", command(one, "reportInterval", interval=60), later)
        async with wired(one) as wire:
            send(wire, upload(one, flag=4))
            await one.until(lambda: one.rows == 1)
            assert one.server.deliver("M0000", command(one, "reportInterval", interval=60), later)
            asked = await wire.hears()
            assert (asked.cn, asked.get("RtdInterval")) == ("1062", "60")
            answer(wire, asked, "9011", ("QnRtn", "1"))
            answer(wire, asked, "9012", ("ExeRtn", "1"))
            await one.until(lambda: len(one.replies) == 2)
            assert [(reply.id, reply.result) for reply in one.replies] == [
                ("c-1", "accepted"),
                ("c-1", "applied"),
            ]


async def test_the_kill_switch_ends_a_command_that_would_be_sent_again() -> None:
    async with town(answer_timeout=0.05, look=0.01) as one, wired(one) as wire:
        send(wire, upload(one, flag=4))
        await one.until(lambda: one.rows == 1)
        assert one.server.deliver(
            "M0000", command(one, "reportInterval", interval=60), one.clock.now() + MINUTE
        )
        assert (await wire.hears()).cn == "1062"
        one.server.hub.halt()
        await one.until(lambda: bool(one.replies))
        assert (one.replies[0].result, one.replies[0].error) == ("failed", "no 9011 after 1 requests")


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("reportInterval", {"interval": 10.0}, "30 to 3600 s"),
        ("restart", {}, "no restart"),
        ("calibrate", {}, "no calibrate"),
    ],
)
async def test_a_command_that_cannot_be_said_fails(name: str, args: dict[str, float], words: str) -> None:
    async with town() as one, wired(one) as wire:
        send(wire, upload(one, flag=4))
        await one.until(lambda: one.rows == 1)
        assert one.server.deliver("M0000", command(one, name, **args), one.clock.now() + MINUTE)
        await one.until(lambda: bool(one.replies))
        assert one.replies[0].result == "failed"
        assert words in one.replies[0].error


async def test_a_command_under_way_fails_with_its_connection() -> None:
    async with town() as one:
        async with wired(one) as wire:
            send(wire, upload(one, flag=4))
            await one.until(lambda: one.rows == 1)
            assert one.server.deliver("M0000", command(one, "reportInterval", interval=60), 0)
            await wire.hears()
        await one.until(lambda: bool(one.replies))
        assert (one.replies[0].result, one.replies[0].error) == ("failed", "the connection is lost")


async def test_a_full_inbox_stops_the_sockets_and_nothing_is_lost() -> None:
    async with town(20, bound=50) as one:
        one.settling = False
        async with wired(one) as wire:
            for _ in range(20):
                for mn in range(20):
                    send(wire, upload(one, mn=f"M{mn:04}", flag=4))
                await wire.writer.drain()
                await one.clock.sleep(0)
            await one.until(lambda: one.inbox.paused)
            one.settling = True
            await one.until(lambda: one.rows == 400)


async def test_bounds_of_connections_loggers_and_silence() -> None:
    async with town(3, connections=1, loggers=2, connect_timeout=0.05) as one:
        async with wired(one) as wire:
            await one.until(lambda: len(one.server.hub.peers) == 1)
            async with wired(one) as second:
                assert await second.closed()
            for mn in range(3):
                send(wire, upload(one, mn=f"M{mn:04}", flag=4))
            assert await refused(one) == [Reason.TOO_MANY]
        await one.until(lambda: not one.server.hub.peers)
        async with wired(one) as silent:
            assert await silent.closed()
        counters = one.server.hub.counters
        assert (counters.accepted, counters.turned_away, counters.timeouts) == (2, 1, 1)


async def test_a_station_that_reads_nothing_is_dropped() -> None:
    async with town(write_limit=1024) as one, wired(one) as wire:
        await one.until(lambda: bool(one.server.hub.peers))
        [peer] = one.server.hub.peers
        assert isinstance(peer, Connection)
        assert peer._transport is not None
        for transport, name in (
            (peer._transport, socket.SO_SNDBUF),
            (wire.writer.transport, socket.SO_RCVBUF),
        ):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, name, 2048)
        cast("asyncio.ReadTransport", wire.writer.transport).pause_reading()
        for age in range(2_000):
            send(wire, upload(one, age=age * SECOND))
        await one.until(lambda: one.server.hub.counters.not_reading == 1)
        wire.writer.transport.abort()


async def test_a_port_in_use_is_a_fault_of_the_configuration() -> None:
    async with town() as one:
        other = Town(1, "hj212-dust", {"port": one.server.port})
        async with Tasks() as tasks:
            with pytest.raises(ConfigError, match="hj212: "):
                await other.server.start(tasks)


async def test_messages_are_timed_by_the_station() -> None:
    async with town() as one, wired(one) as wire:
        send(wire, upload(one, age=10 * SECOND))
        await wire.hears()
        assert abs(next(iter(one.times(0))) - (one.clock.now() - 10 * SECOND)) < 3 * SECOND
