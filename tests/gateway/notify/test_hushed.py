"""What another message speaks for is told to nobody who did not ask for each; what waits can still be taken back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, create_engine

from drivers.telemetry import MINUTE, SECOND
from gateway.cases.record import Message
from gateway.notify import outbox
from gateway.notify.outbox import Outbox, Verdict
from gateway.notify.quiet import parse
from gateway.notify.settings import LogSettings
from gateway.store.schema import cases as schema
from gateway.store.schema.metadata import metadata

DUTY = LogSettings(name="duty", wait=30 * SECOND)
EACH = LogSettings(name="each", each=True)
FILED = Message("case:1:1", "case:1", "case.file", "major", "cabinet", "xuhui", {})
OTHER = replace(FILED, key="case:2:1", subject="case:2")
HUSHED = replace(FILED, key="case:1:2", event="case.dispatch", hushed=True)


@pytest.fixture
def conn() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine, [schema.outbox])
    with engine.connect() as conn:
        yield conn
    engine.dispose()


def keys(conn: Connection, channel: str, now: int) -> list[str]:
    return [delivery.key for delivery in outbox.due(conn, channel, now, 10)]


def test_who_wants_each_gets_each(conn: Connection) -> None:
    Outbox([LogSettings(), EACH]).post(conn, [OTHER, HUSHED], 0)
    assert keys(conn, "log", 0) == ["case:2:1"]
    assert keys(conn, "each", 0) == ["case:2:1", "case:1:2"]


def test_a_message_waits_for_what_may_speak_for_it(conn: Connection) -> None:
    box = Outbox([DUTY, EACH])
    box.post(conn, [FILED, OTHER], 0)
    assert keys(conn, "duty", 29 * SECOND) == []
    box.post(conn, [HUSHED], 20 * SECOND)
    assert keys(conn, "duty", 30 * SECOND) == ["case:2:1"]
    assert keys(conn, "each", 0) == ["case:1:1", "case:2:1"], "nothing is taken back there"


def test_what_somebody_has_tried_to_send_is_not_taken_back(conn: Connection) -> None:
    box = Outbox([DUTY])
    box.post(conn, [FILED], 0)
    (delivery,) = outbox.due(conn, "duty", MINUTE, 10)
    outbox.settle(conn, [Verdict(delivery.id, "away", 2 * MINUTE)], MINUTE)
    box.post(conn, [HUSHED], MINUTE)
    assert keys(conn, "duty", 2 * MINUTE) == ["case:1:1"]


def test_what_waits_is_brought_forward_to_the_urgent_one_after_it(conn: Connection) -> None:
    box = Outbox([LogSettings(name="night", wait=30 * SECOND, quiet=parse("00:00-12:00"))], "UTC")
    box.post(conn, [FILED], 0)
    assert keys(conn, "night", 11 * 60 * MINUTE) == []
    box.post(conn, [replace(FILED, key="case:1:3", severity="critical")], MINUTE)
    assert keys(conn, "night", MINUTE + 29 * SECOND) == []
    assert keys(conn, "night", MINUTE + 30 * SECOND) == ["case:1:1"], "in order a subject"
