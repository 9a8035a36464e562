"""Robots of three platforms before faithful groups: what arrives, what is tried again, what is given up, at what rate."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from drivers.telemetry import HOUR, MINUTE, SECOND
from gateway.cases.record import Message
from gateway.notify import outbox
from gateway.notify.channels import dingtalk, feishu
from gateway.notify.flow import Flow, channels
from gateway.notify.outbox import Outbox
from gateway.notify.settings import NotifySettings
from gateway.store.schema import cases as schema
from gateway.store.schema.metadata import metadata
from gateway.store.store import Store
from tests.gateway.notify.groups import GROUPS, SECRET, DingTalkGroup, Fault, FeishuGroup, Group, WeComGroup
from tests.gateway.notify.hand_clock import START, HandClock
from tests.gateway.notify.receiver import Reply


def alarm(number: int, event: str, revision: int = 1, severity: str = "major") -> Message:
    name = f"alarm:{number}"
    record = {"id": str(number), "name": f"rule-{number}", "severity": severity, "device": f"MH-{number}"}
    payload = {"event": f"alarm.{event}", "time": START, "note": "", "alarm": record}
    return Message(f"{name}:{revision}", name, f"alarm.{event}", severity, "manhole", "hd/zgc", payload)


def number(line: str) -> int:
    found = re.search(r"rule-(\d+)", line)
    assert found is not None
    return int(found[1])


def last_word(group: Group, subject: int) -> str:
    """The last line that the group sees of it."""
    lines = [line for text in group.heard for line in text.splitlines() if "rule-" in line]
    return [line for line in lines if number(line) == subject][-1]


class City:
    """A group, its channel and the outbox between them."""

    def __init__(self, group: Group, store: Store, clock: HandClock, settings: dict[str, Any]) -> None:
        notify = NotifySettings.model_validate({"log": [], group.kind: [settings]})
        self.group, self.store, self.clock = group, store, clock
        self.outbox = Outbox(notify.channels)
        self.channels = channels(notify, clock, "Asia/Shanghai")
        self.flow = Flow(store, self.channels, notify, clock, random.Random(7))

    async def post(self, *messages: Message) -> None:
        await self.store.write(lambda conn: self.outbox.post(conn, messages, self.clock.now()))

    async def go_on(self, microseconds: int, step: int = 10 * SECOND) -> None:
        """Rounds until nothing is due, at every step."""
        end = self.clock.time + microseconds
        while self.clock.time < end:
            while (await self.flow.deliver_due("ear")).attempts:
                pass
            self.clock.time += step

    async def tally(self) -> dict[str, int]:
        return (await self.store.read(outbox.counts)).get("ear", {})

    async def errors(self) -> list[str]:
        query = select(schema.outbox.c.error).order_by(schema.outbox.c.id)
        return await self.store.read(lambda conn: list(conn.scalars(query)))


Build = Callable[[HandClock], Group]


@asynccontextmanager
async def city(build: Build, folder: Path, **more: Any) -> AsyncIterator[City]:
    clock = HandClock()
    group = build(clock)
    async with Store(f"sqlite:///{folder}/operations.sqlite") as store, group.receiver:
        await store.write(lambda conn: metadata.create_all(conn, [schema.outbox]))
        it = City(group, store, clock, group.settings(**more))
        try:
            yield it
        finally:
            for channel in it.channels.values():
                await channel.close()


every_platform = pytest.mark.parametrize("build", GROUPS)


@every_platform
async def test_a_message_arrives_in_chinese_and_in_english(build: Build, tmp_path: Path) -> None:
    for language, first in (("zh", "【重要】告警产生：rule-1"), ("en", "[Major] Alarm raised: rule-1")):
        folder = tmp_path / language
        folder.mkdir()
        async with city(build, folder, language=language) as it:
            await it.post(alarm(1, "raise"))
            await it.go_on(SECOND)
            (text,) = it.group.heard
        assert text.splitlines()[0] == first
        assert "MH-1" in text
        assert "2025-03-03 19:06:40" in text


@every_platform
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Reply("200 OK", b'{"errcode": -1, "code": -1, "errmsg": "system busy"}'), "code -1: system busy"),
        (Reply("200 OK", b"<html>maintenance</html>"), "<html>maintenance</html>' cannot be read"),
        (Reply("200 OK", b"{}"), "code None"),
        (Reply("200 OK", b'{"errcode": [], "code": []}'), "code []"),
        (Reply("200 OK", b"[" * 60_000), "cannot be read"),
        (Reply("200 OK", b'{"code":' * 7_500), "cannot be read"),
        (Reply("200 OK", b'{"errmsg":"\xff"}'), "cannot be read"),
        ("502 Bad Gateway", "HTTP 502"),
        (Reply(""), "RemoteProtocolError"),
        (None, "no answer within 0.1 s|ReadTimeout"),
    ],
)
async def test_a_fault_is_a_failure_and_the_message_arrives_later(
    build: Build, fault: Fault, why: str, tmp_path: Path
) -> None:
    async with city(build, tmp_path, timeout="0.1s" if fault is None else "10s") as it:
        it.group.faults = [fault]
        await it.post(alarm(1, "raise"), alarm(1, "clear", 2))
        await it.flow.deliver_due("ear")
        first = (await it.errors())[0]
        assert any(text in first for text in why.split("|"))
        await it.go_on(MINUTE)
        assert await it.tally() == {"delivered": 2}
    assert [text.splitlines()[0] for text in it.group.heard] == [
        "【重要】告警产生：rule-1",
        "【重要】告警解除：rule-1",
    ]


@every_platform
async def test_a_text_it_never_takes_is_given_up_at_once_and_holds_nobody_up(
    build: Build, tmp_path: Path
) -> None:
    async with city(build, tmp_path) as it:
        it.group.tainted = "rule-1"
        await it.post(alarm(1, "raise"), alarm(2, "raise"))
        await it.flow.deliver_due("ear")
        assert await it.tally() == {"dead": 1, "delivered": 1}
        assert "tainted" in (await it.errors())[0]


@pytest.mark.parametrize("build", [WeComGroup, DingTalkGroup])
async def test_a_storm_stays_within_the_rate_and_its_last_word_is_the_truth(
    build: Build, tmp_path: Path
) -> None:
    async with city(build, tmp_path) as it:
        for second in range(60):
            for number in range(5):
                event = "clear" if second == 59 else ("raise", "acknowledge")[second % 2]
                await it.post(alarm(number, event, second))
            await it.go_on(SECOND, SECOND)
        await it.go_on(15 * MINUTE)
        assert await it.tally() == {"delivered": 300}
    assert set(it.group.codes_given) == {0}
    assert len(it.group.heard) < 30
    assert all("告警解除" in last_word(it.group, number) for number in range(5))


@every_platform
async def test_a_flood_comes_together_the_worst_first_and_whole(build: Build, tmp_path: Path) -> None:
    severities = ("minor", "critical")
    async with city(build, tmp_path) as it:
        await it.post(*(alarm(n, "raise", 1, severities[n % 2]) for n in range(150)))
        await it.go_on(2 * MINUTE)
        assert await it.tally() == {"delivered": 150}
    assert len(it.group.heard) < 20
    assert all(len(text.encode()) <= it.group.size for text in it.group.heard)
    told = [line for text in it.group.heard for line in text.splitlines() if "告警产生" in line]
    assert sorted(number(line) for line in told) == list(range(150))
    assert ["紧急" in line for line in told] == [True] * 75 + [False] * 75
    assert ("其余随后发送" in it.group.heard[0]) == (len(it.group.heard) > 1)


@pytest.mark.parametrize("build", [WeComGroup, DingTalkGroup])
async def test_one_bad_word_in_a_flood_costs_that_message_only(build: Build, tmp_path: Path) -> None:
    async with city(build, tmp_path) as it:
        it.group.tainted = "rule-17 "
        await it.post(*(alarm(n, "raise") for n in range(40)))
        await it.go_on(40 * MINUTE)
        assert await it.tally() == {"dead": 1, "delivered": 39}


@every_platform
async def test_when_it_says_too_often_it_is_left_alone_for_as_long_as_it_wants(
    build: Build, tmp_path: Path
) -> None:
    async with city(build, tmp_path) as it:
        busy = it.group.codes["busy"]
        it.group.faults = [Reply("200 OK", b'{"errcode": %d, "code": %d}' % (busy, busy))]
        await it.post(alarm(1, "raise"))
        await it.flow.deliver_due("ear")
        rest = 600 if build is DingTalkGroup else 60
        await it.go_on((rest - 10) * SECOND)
        assert len(it.group.receiver.requests) == 1
        await it.go_on(MINUTE)
        assert await it.tally() == {"delivered": 1}


async def test_an_hour_of_outage_ends_with_the_newest_of_each(tmp_path: Path) -> None:
    async with city(WeComGroup, tmp_path) as it:
        it.group.faults = ["503 Busy"] * 2_000
        await it.post(*(alarm(n, "raise", 1) for n in range(30)))
        await it.go_on(30 * MINUTE, MINUTE)
        await it.post(*(alarm(n, "clear", 2) for n in range(30)))
        await it.go_on(30 * MINUTE, MINUTE)
        assert await it.tally() == {"pending": 60}
        it.group.faults = []
        await it.go_on(HOUR, MINUTE)
        assert await it.tally() == {"delivered": 60}
        assert len(it.group.receiver.requests) < 20 * 120
    assert all("告警解除" in last_word(it.group, number) for number in range(30))


async def test_feishu_calls_upon_nobody_because_of_a_name(tmp_path: Path) -> None:
    mention = alarm(1, "raise")
    mention.payload["alarm"]["device_name"] = '<at user_id="all">all</at>'
    async with city(FeishuGroup, tmp_path) as it:
        await it.post(mention)
        await it.go_on(SECOND)
    assert "<at" not in it.group.heard[0]
    assert "＜at" in it.group.heard[0]


def test_signatures_are_what_openssl_computes() -> None:
    # printf '1741000000000\nSECd4f1-signing' | openssl dgst -sha256 -hmac SECd4f1-signing -binary | base64
    assert dingtalk.sign(SECRET, "1741000000000") == "POBPgoVvjGvJ9nmYP3Kd/a3ttdn+vWebXn6ZHddSsn4="
    # printf '' | openssl dgst -sha256 -mac HMAC -macopt hexkey:$(printf '1741000000\nSECd4f1-signing' | xxd -p) -binary | base64
    assert feishu.sign(SECRET, "1741000000") == "Q0+L+4yM+HgKtaV1S+HqAZkPWbgxr+m19VmnqB8XfO4="
