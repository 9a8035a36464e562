"""What nobody answers goes on along its chain, as timelines; a restart forgets nothing, for nothing but SQL remembers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pydantic import ValidationError
from sqlalchemy import Connection, select

from drivers.telemetry import MINUTE
from gateway.notify.outbox import Outbox
from gateway.notify.settings import LogSettings, NotifySettings
from gateway.store.schema import cases as schema
from gateway.store.schema.escalation import escalation
from gateway.store.schema.metadata import metadata
from tests.gateway.cases.city import City, moment

CHAIN = (
    LogSettings(
        name="crew",
        events=("case.*",),
        escalate_to="duty",
        escalate_after=15 * MINUTE,
        escalate_severity="major",
    ),
    LogSettings(name="duty", events=(), escalate_to="chief", escalate_after=30 * MINUTE),
    LogSettings(name="chief", events=()),
)


class Town:
    """A city whose messages go to a chain of channels; every look is by an outbox of its own, as after a restart."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.known = 0

    def at(self, time: str) -> None:
        """What was said since goes out, and then time passes to there, minute by minute."""
        until = moment(time)
        while True:
            with self.city.transaction() as conn:
                fresh, self.known = self.city.told[self.known :], len(self.city.told)
                Outbox(CHAIN).post(conn, fresh, self.city.now)
                Outbox(CHAIN).escalate(conn, self.city.now)
            if self.city.now >= until:
                return
            self.city.advance(min(MINUTE, until - self.city.now))

    def heard(self, channel: str) -> list[str]:
        def read(conn: Connection) -> list[str]:
            query = select(schema.outbox.c.event).where(schema.outbox.c.channel == channel)
            return list(conn.scalars(query.order_by(schema.outbox.c.id)))

        with self.city.transaction() as conn:
            return read(conn)


@contextmanager
def town() -> Iterator[Town]:
    with City() as city:
        metadata.create_all(city.engine, [schema.outbox, escalation])
        try:
            yield Town(city)
        finally:
            metadata.drop_all(city.engine, [schema.outbox, escalation])


def test_a_case_that_nobody_takes_on_goes_up_its_chain() -> None:
    with town() as there:
        there.at("Mon 10:00")
        there.city.raises("tilt", "MH-0042")
        there.at("Mon 10:14")
        assert there.heard("duty") == []
        there.at("Mon 10:15")
        assert (there.heard("duty"), there.heard("chief")) == (["case.unread"], [])
        there.at("Mon 10:44")
        assert there.heard("chief") == []
        there.at("Mon 12:00")
        assert (there.heard("duty"), there.heard("chief")) == (["case.unread"], ["case.unread"])


@pytest.mark.parametrize("until", ["Mon 10:10", "Mon 10:20"])
def test_it_ends_where_somebody_takes_it_on(until: str) -> None:
    with town() as there:
        there.at("Mon 10:00")
        there.city.raises("tilt", "MH-0042")
        there.at(until)
        told = there.heard("duty")
        there.city.act(there.city.case("cover-danger"), "accept")
        there.at("Mon 12:00")
        assert (there.heard("duty"), there.heard("chief")) == (told, [])


def test_it_ends_where_the_cause_is_gone_before_anyone_came() -> None:
    with town() as there:
        there.at("Mon 10:00")
        there.city.raises("tilt", "MH-0042")
        there.at("Mon 10:05")
        there.city.clears("tilt", "MH-0042")
        there.at("Mon 18:00")
        assert there.heard("duty") == []


def test_what_comes_back_to_the_dispatcher_and_out_again_waits_anew() -> None:
    with town() as there:
        there.at("Mon 10:00")
        there.city.raises("tilt", "MH-0042")
        there.at("Mon 10:05")
        there.city.act(there.city.case("cover-danger"), "accept")
        there.at("Mon 10:30")
        there.city.act(there.city.case("cover-danger"), "return", "not ours")
        there.at("Mon 10:40")
        there.city.act(there.city.case("cover-danger"), "dispatch", crew="others")
        there.at("Mon 10:54")
        assert there.heard("duty") == []
        there.at("Mon 10:56")
        assert there.heard("duty") == ["case.unread"]


def test_a_restart_and_a_second_look_tell_nobody_twice() -> None:
    with town() as there:
        there.at("Mon 10:00")
        there.city.raises("tilt", "MH-0042")
        there.at("Mon 10:15")
        for _ in range(3):
            there.at("Mon 10:15")
        assert there.heard("duty") == ["case.unread"]


@pytest.mark.parametrize(
    ("chain", "fault"),
    [
        ({"a": "b"}, "escalate_to names b, and there is no such channel"),
        ({"a": "a"}, "goes round in a circle: a"),
        ({"a": "b", "b": "c", "c": "b"}, "goes round in a circle"),
    ],
)
def test_a_chain_that_does_not_end_is_refused(chain: dict[str, str], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        NotifySettings(log=tuple(LogSettings(name=name, escalate_to=to) for name, to in chain.items()))
