from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from pydantic import ValidationError
from sqlalchemy import Connection, create_engine

from drivers.telemetry import HOUR, MINUTE
from gateway.cases.record import Message
from gateway.errors import Conflict, NotFound
from gateway.notify import outbox
from gateway.notify.outbox import Outbox, OutboxState, Verdict
from gateway.notify.settings import LogSettings, NotifySettings
from gateway.store.schema import cases as schema
from gateway.store.schema.metadata import metadata

LOG = LogSettings()
URGENT = LogSettings(name="urgent", events=("case.overdue", "alarm.*"), severity="major")
PART = LogSettings(name="part", families=("manhole",), areas=("xuhui",))


def message(
    revision: int, subject: str = "case:1", event: str = "case.file", severity: str = "major"
) -> Message:
    payload = {"revision": revision}
    return Message(f"{subject}:{revision}", subject, event, severity, "manhole", "xuhui/tianping", payload)


@pytest.fixture
def conn() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine, [schema.outbox, schema.alarm, schema.case])
    with engine.connect() as conn:
        yield conn
    engine.dispose()


def keys(conn: Connection, channel: str, now: int, limit: int = 10) -> list[str]:
    return [delivery.key for delivery in outbox.due(conn, channel, now, limit)]


def test_each_channel_gets_what_it_wants(conn: Connection) -> None:
    Outbox([LOG, URGENT, PART]).post(
        conn,
        [
            message(1),
            message(2, "case:2", "case.overdue"),
            message(3, "case:3", "case.overdue", "minor"),
            message(1, "alarm:a", "alarm.raise"),
        ],
        0,
    )
    assert keys(conn, "log", 0) == ["case:1:1", "case:2:2", "case:3:3", "alarm:a:1"]
    assert keys(conn, "urgent", 0) == ["case:2:2", "alarm:a:1"]
    assert keys(conn, "part", 0) == keys(conn, "log", 0)
    assert keys(conn, "nobody", 0) == []


def test_a_channel_may_hear_only_what_asks_for_the_ones_behind_it(conn: Connection) -> None:
    director = LogSettings(
        name="director", events=("case.overdue", "case.escalated"), escalations=("director",)
    )
    asking = [
        replace(message(number, f"case:{number}", event), to=to)
        for number, (event, to) in enumerate(
            [("case.overdue", "dispatcher"), ("case.escalated", "supervisor"), ("case.escalated", "director")]
        )
    ]
    Outbox([LOG, director]).post(conn, [*asking, message(7, "case:7", "case.overdue")], 0)
    assert keys(conn, "log", 0) == ["case:0:0", "case:1:1", "case:2:2", "case:7:7"]
    assert keys(conn, "director", 0) == ["case:2:2", "case:7:7"], "what asks for nobody is for all who listen"


@pytest.mark.parametrize("area", ["", "xuhu", "xuhui2/tianping", "pudong/xuhui"])
def test_an_area_is_a_path_with_all_below_it(area: str) -> None:
    elsewhere = Message("k", "case:1", "case.file", "major", "manhole", area, {})
    assert not PART.wants(elsewhere)


def test_the_same_message_stands_once(conn: Connection) -> None:
    box = Outbox([LOG])
    box.post(conn, [message(1)], 0)
    box.post(conn, [message(1), message(2)], 5)
    assert outbox.counts(conn) == {"log": {"pending": 2}}


def test_messages_of_a_subject_wait_for_each_other_and_no_other_does(conn: Connection) -> None:
    Outbox([LOG]).post(conn, [message(1), message(2), message(1, "case:2")], 0)
    assert keys(conn, "log", 0) == ["case:1:1", "case:2:1"]
    first = outbox.due(conn, "log", 0, 1)[0]
    outbox.settle(conn, [Verdict(first.id, "HTTP 500", next_at=MINUTE)], 0)
    assert keys(conn, "log", 0) == ["case:2:1"]
    (again,) = outbox.due(conn, "log", MINUTE, 1)
    assert (again.key, again.attempts, again.next_at) == ("case:1:1", 1, MINUTE)
    outbox.settle(conn, [Verdict(again.id)], MINUTE)
    assert keys(conn, "log", MINUTE) == ["case:1:2", "case:2:1"]


def test_the_oldest_come_first(conn: Connection) -> None:
    Outbox([LOG]).post(conn, [message(1, f"case:{n}") for n in range(5)], 0)
    assert keys(conn, "log", 0, 2) == ["case:0:1", "case:1:1"]


def test_a_message_is_not_due_before_its_time(conn: Connection) -> None:
    Outbox([LOG]).post(conn, [message(1)], HOUR)
    assert keys(conn, "log", HOUR - 1) == []


def test_what_is_given_up_is_seen_and_holds_nothing_up(conn: Connection) -> None:
    Outbox([LOG]).post(conn, [message(1), message(2)], 0)
    (first,) = outbox.due(conn, "log", 0, 1)
    outbox.settle(conn, [Verdict(first.id, "HTTP 410")], HOUR)
    assert [dead.key for dead in outbox.waiting(conn, OutboxState.DEAD)] == ["case:1:1"]
    assert keys(conn, "log", HOUR) == ["case:1:2"]
    outbox.revive(conn, first.id, 2 * HOUR)
    assert keys(conn, "log", 2 * HOUR) == ["case:1:1"]
    with pytest.raises(Conflict, match="only a dead one"):
        outbox.revive(conn, first.id, 2 * HOUR)
    with pytest.raises(NotFound):
        outbox.revive(conn, 99, 2 * HOUR)


def test_only_what_was_delivered_is_forgotten(conn: Connection) -> None:
    Outbox([LOG]).post(conn, [message(1, f"case:{n}") for n in range(3)], 0)
    one, two, _ = outbox.due(conn, "log", 0, 3)
    outbox.settle(conn, [Verdict(one.id), Verdict(two.id, "no")], MINUTE)
    outbox.forget(conn, MINUTE)
    assert outbox.counts(conn)["log"] == {"delivered": 1, "dead": 1, "pending": 1}
    outbox.forget(conn, HOUR)
    assert outbox.counts(conn)["log"] == {"dead": 1, "pending": 1}


def said(conn: Connection) -> list[str]:
    """What the channel was told since it was asked last; all of it has arrived."""
    found = []
    while due := outbox.due(conn, "log", 0, 10):
        found += [f"{each.subject} {each.event.partition('.')[2]}" for each in due]
        outbox.settle(conn, [Verdict(each.id) for each in due], 0)
    return found


def spoken_for(told: Message) -> Message:
    return replace(told, hushed=True)


def test_an_end_is_told_where_the_beginning_was_whoever_else_speaks_for_it(conn: Connection) -> None:
    """Two lamps of a loop: the second is spoken for by the first, which clears first."""
    box = Outbox([LOG])
    box.post(conn, [message(1, "alarm:one", "alarm.raise")], 0)
    assert said(conn) == ["alarm:one raise"]
    box.post(conn, [spoken_for(message(1, "alarm:two", "alarm.raise"))], 0)
    box.post(conn, [spoken_for(message(2, "alarm:one", "alarm.clear"))], 0)
    box.post(conn, [message(2, "alarm:two", "alarm.clear")], 0)
    assert said(conn) == ["alarm:one clear"]


def test_what_was_taken_back_before_it_went_out_has_no_end_either(conn: Connection) -> None:
    box = Outbox([LOG])
    box.post(conn, [message(1, "case:1"), message(1, "case:2")], 0)
    (first,) = [each for each in outbox.due(conn, "log", 0, 2) if each.subject == "case:1"]
    outbox.settle(conn, [Verdict(first.id, "no answer", 0)], 0)  # it may have been taken
    box.post(conn, [spoken_for(message(2, f"case:{n}", "case.stands")) for n in (1, 2)], 0)
    box.post(conn, [message(3, f"case:{n}", "case.close") for n in (1, 2)], 0)
    assert said(conn) == ["case:1 file", "case:1 close"]


def test_beginning_and_end_of_one_transaction_keep_their_order(conn: Connection) -> None:
    box = Outbox([LOG])
    box.post(conn, [message(1), message(2, event="case.close"), message(3, event="case.reopen")], 0)
    assert said(conn) == ["case:1 file", "case:1 close", "case:1 reopen"]


def test_a_channel_that_hears_of_ends_alone_hears_of_all_that_nobody_speaks_for(conn: Connection) -> None:
    box = Outbox([LogSettings(events=("*.close",))])
    box.post(conn, [message(2, "case:1", "case.close"), spoken_for(message(2, "case:2", "case.close"))], 0)
    assert said(conn) == ["case:1 close"]


def test_two_channels_of_one_name_are_a_fault() -> None:
    with pytest.raises(ValidationError, match="two channels are named log"):
        NotifySettings(log=(LOG, LOG))
