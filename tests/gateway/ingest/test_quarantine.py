from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, func, select, text
from sqlalchemy.exc import OperationalError

from drivers.refusal import Reason
from drivers.telemetry import SECOND
from gateway.ingest.quarantine import BUFFERED, PAYLOAD, SAMPLES_A_SECOND, Quarantine
from gateway.store.schema.cases import quarantine as table
from gateway.store.schema.metadata import metadata


@pytest.fixture
def conn() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine, [table])
    with engine.connect() as conn:
        yield conn
    engine.dispose()


def note(quarantine: Quarantine, reason: Reason = Reason.BAD_JSON, time: int = 0, **texts: str) -> None:
    words = {"device": "LP-1", "origin": "mqtt:LP-1@127.0.0.1:5", "topic": "city/x", "detail": "why"} | texts
    quarantine.note(
        reason, time, words["device"], words["origin"], words["topic"], b"{" * 5_000, words["detail"]
    )


def count(conn: Connection) -> int:
    return conn.scalar(select(func.count()).select_from(table)) or 0


def test_a_sample_can_be_looked_at(conn: Connection) -> None:
    quarantine = Quarantine()
    pending = [quarantine.pending]
    note(quarantine, Reason.UNKNOWN_POINT, 7)
    pending.append(quarantine.pending)
    quarantine.flush(conn)
    assert [*pending, quarantine.pending] == [False, True, False]
    assert tuple(conn.execute(select(table)).one()) == (
        1,
        7,
        "unknown_point",
        "LP-1",
        "mqtt:LP-1@127.0.0.1:5",
        "city/x",
        b"{" * PAYLOAD,
        "why",
    )


def test_everything_is_counted_and_ten_a_second_of_each_reason_are_kept(conn: Connection) -> None:
    quarantine = Quarantine()
    for n in range(100):
        note(quarantine, Reason.BAD_JSON, n * SECOND // 50)  # two seconds
        note(quarantine, Reason.EMPTY, n * SECOND // 50)
    quarantine.flush(conn)
    assert quarantine.counts == {Reason.BAD_JSON: 100, Reason.EMPTY: 100}
    assert count(conn) == 2 * 2 * SAMPLES_A_SECOND


def test_the_buffer_is_bounded(conn: Connection) -> None:
    quarantine = Quarantine()
    for n in range(2 * BUFFERED):
        note(quarantine, time=n * SECOND)
    quarantine.flush(conn)
    assert (quarantine.counts[Reason.BAD_JSON], count(conn)) == (2 * BUFFERED, BUFFERED)


def test_the_newest_rows_stay(conn: Connection) -> None:
    quarantine = Quarantine(kept=5)
    for n in range(12):
        note(quarantine, time=n * SECOND)
        if n % 4 == 3:
            quarantine.flush(conn)
    assert list(conn.scalars(select(table.c.time).order_by(table.c.id))) == [n * SECOND for n in range(7, 12)]


def test_hostile_text_can_be_stored(conn: Connection) -> None:
    quarantine = Quarantine()
    note(quarantine, topic="a\0b\ud800" + "x" * 1_000, origin="y" * 1_000, device="z" * 1_000)
    quarantine.flush(conn)
    row = conn.execute(select(table)).one()
    assert row.topic.startswith("a�b?x")
    assert (len(row.topic), len(row.origin), len(row.device)) == (512, 192, 64)


def test_nothing_to_flush(conn: Connection) -> None:
    Quarantine().flush(conn)
    assert count(conn) == 0


def test_a_flood_of_refusals_asks_for_a_write_once_a_second(conn: Connection) -> None:
    quarantine = Quarantine()
    asked = []
    for time in range(0, 3_000_000, 100_000):
        note(quarantine, Reason.FOREIGN_TOPIC, time)
        if quarantine.pending:
            asked.append(time)
            quarantine.flush(conn)
    assert asked == [0, 1_000_000, 2_000_000]


def test_what_was_rolled_back_is_written_again_and_nothing_twice(conn: Connection) -> None:
    quarantine = Quarantine()
    note(quarantine, time=0)
    quarantine.flush(conn)
    conn.commit()
    note(quarantine, time=SECOND)
    for _ in range(2):
        quarantine.flush(conn)
        conn.rollback()
        note(quarantine, time=2 * SECOND)
    for _ in range(3):  # the second as after a commit that nobody heard of
        quarantine.flush(conn)
        conn.commit()
    assert list(conn.scalars(select(table.c.time).order_by(table.c.id))) == [
        0,
        SECOND,
        2 * SECOND,
        2 * SECOND,
    ]


def test_a_write_that_is_refused_keeps_its_samples(conn: Connection) -> None:
    quarantine = Quarantine()
    note(quarantine, time=0)
    quarantine.flush(conn)
    conn.commit()
    note(quarantine, time=SECOND)
    conn.execute(text("ALTER TABLE quarantine RENAME TO away"))
    with pytest.raises(OperationalError):
        quarantine.flush(conn)
    conn.execute(text("ALTER TABLE away RENAME TO quarantine"))
    quarantine.flush(conn)
    assert count(conn) == 2


def test_samples_that_cannot_be_written_are_bounded_too(conn: Connection) -> None:
    quarantine = Quarantine()
    for n in range(5 * BUFFERED):
        note(quarantine, time=n * SECOND)
        if n % (BUFFERED // 2) == 0:
            quarantine.flush(conn)
            conn.rollback()
    quarantine.flush(conn)
    assert (count(conn), quarantine.waiting) == (BUFFERED, BUFFERED)
    quarantine.flush(conn)
    assert (count(conn), quarantine.waiting) == (2 * BUFFERED, 0)


def test_what_was_cleared_does_not_come_back(conn: Connection) -> None:
    quarantine = Quarantine()
    note(quarantine)
    quarantine.flush(conn)
    conn.commit()
    quarantine.clear(conn)
    conn.commit()
    quarantine.flush(conn)
    assert count(conn) == 0
