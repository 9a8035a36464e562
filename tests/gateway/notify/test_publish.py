"""What links are told, when it is emptied, and that no device is missed however its change was written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import Connection, create_engine, insert, select, update

from drivers.telemetry import SECOND
from gateway.cases.record import Message
from gateway.ingest.link_settings import LinkSettings
from gateway.notify import outbox
from gateway.notify.outbox import Delivery, Outbox, Verdict
from gateway.notify.publish import OVERLAP, PORTION, Publishing, Seen
from gateway.notify.settings import LogSettings
from gateway.store.schema import cases, publishing, registry
from gateway.store.schema.metadata import metadata

CHANNEL = "link:broker"
NOW = 1_741_000_000 * SECOND
DAY_LATER = NOW + 86_400 * SECOND


@pytest.fixture
def conn() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    tables = [cases.outbox, cases.alarm, cases.case, publishing.publication, registry.device, registry.meta]
    metadata.create_all(engine, tables)
    with engine.connect() as conn:
        yield conn
    engine.dispose()


def publisher(*kinds: str) -> Publishing:
    link = LinkSettings.model_validate({"name": "broker", "host": "127.0.0.1", "publish": kinds})
    return Publishing([link], Outbox([LogSettings()]))


def alarm(revision: int, state: str) -> Message:
    payload = {"event": f"alarm.{state}", "alarm": {"id": "a", "state": state, "revision": revision}}
    return Message(f"alarm:a:{revision}", "alarm:a", f"alarm.{state}", "major", "dust", "", payload)


def add(conn: Connection, names: Sequence[str], updated: int) -> None:
    fixed = {"product": "generic-dust", "family": "dust", "name": "", "link": "", "grid": "", "area": ""}
    more = {"owner": "", "parent": "", "interval": 0, "attributes": {}, "retired": False, "digest": b""}
    first = len(conn.execute(select(registry.device.c.id)).all())
    rows = [
        {"id": name, "idx": first + number, "created": updated, "updated": updated, **fixed, **more}
        for number, name in enumerate(names)
    ]
    conn.execute(insert(registry.device), rows)


def take(conn: Connection, now: int) -> list[Delivery]:
    """All that waits, delivered."""
    taken: list[Delivery] = []
    while due := outbox.due(conn, CHANNEL, now, 1_000):
        outbox.settle(conn, [Verdict(one.id) for one in due], now)
        taken += due
    return taken


def told(conn: Connection, now: int = NOW) -> list[str]:
    return [f"{one.event} {one.payload[one.event.partition('.')[0]]['id']}" for one in take(conn, now)]


def run(
    it: Publishing, conn: Connection, seen: Seen, generation: int, now: int = NOW
) -> tuple[Seen, list[str]]:
    """Rounds until nothing comes any more."""
    heard: list[str] = []
    while True:
        seen = it.round(conn, now, seen, generation, {})
        some = told(conn, now)
        heard += some
        if not some and not seen.scans:
            return seen, heard


def test_a_topic_is_emptied_a_while_after_it_is_over_and_not_if_it_comes_back(conn: Connection) -> None:
    it = publisher("alarms")
    it.begin(conn, NOW)
    it.post(conn, [alarm(1, "active")], NOW)
    it.post(conn, [alarm(2, "cleared")], NOW)
    it.post(conn, [alarm(3, "active")], NOW)
    assert told(conn) == ["alarm.active a", "alarm.cleared a", "alarm.active a"]
    seen, heard = run(it, conn, Seen(), 1, 2 * DAY_LATER)
    assert heard == []
    it.post(conn, [alarm(4, "cleared")], NOW)
    told(conn)
    seen, heard = run(it, conn, seen, 1, DAY_LATER - 1)
    assert heard == []
    seen, heard = run(it, conn, seen, 1, DAY_LATER)
    assert heard == ["alarm.forget a"]
    assert run(it, conn, seen, 1, DAY_LATER)[1] == []


def test_other_channels_are_told_as_before(conn: Connection) -> None:
    publisher("cases").post(conn, [alarm(1, "active")], NOW)
    assert outbox.counts(conn) == {"log": {"pending": 1}}


def test_every_device_is_told_once_however_many_share_a_moment(conn: Connection) -> None:
    it = publisher("devices")
    it.begin(conn, NOW)
    names = [f"DU-{number}" for number in range(2 * PORTION + 7)]
    add(conn, names, NOW)
    seen, heard = run(it, conn, Seen(), 1)
    assert sorted(heard) == sorted(f"device.changed {name}" for name in names)
    add(conn, ["late"], NOW - OVERLAP + 1)  # began before the others, was written after them
    seen, heard = run(it, conn, seen, 2)
    assert heard == ["device.changed late"]
    assert run(it, conn, seen, 2)[1] == []


def test_devices_never_crowd_out_alarms(conn: Connection) -> None:
    it = publisher("devices", "alarms")
    it.begin(conn, NOW)
    add(conn, [f"DU-{number}" for number in range(4 * PORTION)], NOW)
    seen = Seen()
    for _ in range(4):
        seen = it.round(conn, NOW, seen, 1, {})
    it.post(conn, [alarm(1, "active")], NOW)
    assert len(outbox.due(conn, CHANNEL, NOW, 10_000)) == PORTION + 1


def test_a_retired_device_is_told_and_emptied(conn: Connection) -> None:
    it = publisher("devices")
    it.begin(conn, NOW)
    add(conn, ["DU-1"], NOW)
    seen, _ = run(it, conn, Seen(), 1)
    conn.execute(update(registry.device).values(retired=True, updated=NOW + SECOND))
    seen, heard = run(it, conn, seen, 2, NOW + SECOND)
    assert heard == ["device.retired DU-1"]
    assert run(it, conn, seen, 2, DAY_LATER + SECOND)[1] == ["device.forget DU-1"]


def test_a_restart_goes_on_where_it_was(conn: Connection) -> None:
    add(conn, ["DU-1"], NOW)
    for expected in (["device.changed DU-1"], []):
        it = publisher("devices")
        it.begin(conn, NOW)
        assert run(it, conn, Seen(), 1)[1] == expected


def test_a_broker_that_lost_its_sessions_is_told_everything_anew(conn: Connection) -> None:
    it = publisher("devices")
    it.begin(conn, NOW)
    add(conn, ["DU-1"], NOW)
    seen, _ = run(it, conn, Seen(), 1)
    seen = it.round(conn, NOW, seen, 1, {"broker": 1})
    assert told(conn) == ["device.changed DU-1"]
    seen = it.round(conn, NOW, seen, 1, {"broker": 1})
    assert told(conn) == []


def test_what_is_published_no_more_is_taken_back(conn: Connection) -> None:
    first = publisher("devices", "alarms")
    first.begin(conn, NOW)
    add(conn, ["DU-1"], NOW)
    first.post(conn, [alarm(1, "active")], NOW)
    run(first, conn, Seen(), 1)
    second = publisher("alarms")
    second.begin(conn, NOW)
    assert told(conn) == ["device.forget DU-1"]
    assert run(second, conn, Seen(), 1)[1] == []
