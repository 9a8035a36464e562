"""Quiet hours: what is held, until when, across midnight and clock changes, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import Connection, create_engine

from drivers.telemetry import DAY, MINUTE, SECOND
from gateway.cases.record import Message
from gateway.notify import outbox
from gateway.notify.outbox import Outbox, Verdict
from gateway.notify.quiet import Hours, end, parse, show
from gateway.notify.settings import LogSettings
from gateway.store.schema import cases
from gateway.store.schema.metadata import metadata

SHANGHAI = ZoneInfo("Asia/Shanghai")
NIGHT = Hours(22 * 60, 7 * 60)


def at(text: str, zone: ZoneInfo = SHANGHAI) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * SECOND


@pytest.fixture
def conn() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine, [cases.outbox])
    with engine.connect() as conn:
        yield conn
    engine.dispose()


def message(event: str, severity: str, revision: int, subject: str = "case:1") -> Message:
    return Message(f"{subject}:{revision}", subject, event, severity, "lamp", "", {})


def night_channel() -> Outbox:
    return Outbox([LogSettings.model_validate({"name": "ear", "quiet": "22:00-07:00"})], "Asia/Shanghai")


def due(conn: Connection, now: int) -> list[str]:
    """All that goes out now, in turn."""
    keys: list[str] = []
    while found := outbox.due(conn, "ear", now, 100):
        outbox.settle(conn, [Verdict(one.id) for one in found], now)
        keys += [one.key for one in found]
    return keys


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-03-03 21:59:59", None),
        ("2026-03-03 22:00", "2026-03-04 07:00"),
        ("2026-03-04 00:00", "2026-03-04 07:00"),
        ("2026-03-04 06:59:59", "2026-03-04 07:00"),
        ("2026-03-04 07:00", None),
        ("2026-12-31 23:30", "2027-01-01 07:00"),
    ],
)
def test_the_night(now: str, until: str | None) -> None:
    assert end(NIGHT, at(now), SHANGHAI) == (None if until is None else at(until))


def test_hours_within_a_day() -> None:
    noon = Hours(12 * 60, 14 * 60)
    assert end(noon, at("2026-03-03 13:00"), SHANGHAI) == at("2026-03-03 14:00")
    assert end(noon, at("2026-03-03 14:00"), SHANGHAI) is None


def test_a_night_with_a_clock_change_ends_at_seven_by_the_wall() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    spring, autumn = at("2026-03-28 23:00", berlin), at("2026-10-24 23:00", berlin)
    assert (end(NIGHT, spring, berlin) or 0) - spring == 7 * 60 * MINUTE
    assert (end(NIGHT, autumn, berlin) or 0) - autumn == 9 * 60 * MINUTE


@given(st.integers(0, 1_439), st.integers(0, 1_439), st.integers(0, 3 * DAY))
def test_it_ends_within_a_day_at_the_written_minute(since: int, until: int, after: int) -> None:
    utc, now = ZoneInfo("UTC"), at("2026-03-03", ZoneInfo("UTC")) + after
    over = end(Hours(since, until), now, utc) if since != until else None
    minute = now % DAY // MINUTE
    inside = since <= minute < until if since <= until else minute >= since or minute < until
    assert (over is not None) == inside
    if over is not None:
        assert 0 < over - now <= DAY
        assert datetime.fromtimestamp(over // SECOND, UTC).strftime("%H:%M") == show(Hours(until, until))[:5]


def test_what_can_wait_comes_in_the_morning_in_its_order(conn: Connection) -> None:
    it = night_channel()
    it.post(conn, [message("case.file", "minor", 1)], at("2026-03-03 23:00"))
    it.post(conn, [message("case.close", "minor", 2)], at("2026-03-04 03:00"))
    assert due(conn, at("2026-03-04 06:59")) == []
    assert due(conn, at("2026-03-04 07:00")) == ["case:1:1", "case:1:2"]


def test_what_is_urgent_comes_at_once_and_waits_for_nothing_held(conn: Connection) -> None:
    it = night_channel()
    it.post(
        conn,
        [message("case.file", "minor", 1), message("case.file", "minor", 1, "case:2")],
        at("2026-03-03 23:00"),
    )
    it.post(conn, [message("case.escalated", "critical", 2)], at("2026-03-04 03:00"))
    assert due(conn, at("2026-03-04 03:00")) == ["case:1:1", "case:1:2"]
    assert due(conn, at("2026-03-04 07:00")) == ["case:2:1"]


def test_what_is_urgent_waits_for_nothing_that_came_with_it(conn: Connection) -> None:
    together = [message("case.file", "minor", 1), message("case.escalated", "critical", 2)]
    night_channel().post(conn, together, at("2026-03-03 23:00"))
    assert due(conn, at("2026-03-03 23:00")) == ["case:1:1", "case:1:2"]


@pytest.mark.parametrize("text", ["22:00", "22:00-22:00", "24:00-07:00", "22-7", "", "22:60-07:00"])
def test_what_are_no_quiet_hours_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="two different times of day"):
        LogSettings.model_validate({"quiet": text})


def test_hours_are_written_as_they_are_read() -> None:
    assert show(parse("22:00 - 07:05")) == "22:00-07:05"
