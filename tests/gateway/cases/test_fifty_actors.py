"""Fifty people at once, each with connections of their own: no act is lost, none is done twice, none is illegal."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from drivers.telemetry import MINUTE
from gateway.cases import query
from gateway.cases.desk import Desk
from gateway.cases.lifecycle import BY_PEOPLE, CASE_TRANSITIONS, CaseEvent, CaseState, Entry, Verdict
from gateway.cases.record import Case, Pulse
from gateway.cases.said import JUDGED, Words
from gateway.cases.settings import DeskSettings
from gateway.cases.template import shipped
from gateway.errors import CallerError, Conflict
from gateway.store import audit
from gateway.store.chain import BEGINNING, link
from gateway.store.schema import cases as schema
from gateway.store.store import Store
from tests.gateway.cases.city import RULES, City, describe

ACTORS = 50
TURNS = 3
EVENTS = sorted(BY_PEOPLE - {CaseEvent.MERGE, CaseEvent.SPLIT, CaseEvent.REOPEN})


@dataclass
class Done:
    """What the actors were told."""

    acts: list[tuple[int, int]] = field(default_factory=list)  # case, revision that the act left
    late: int = 0  # someone else was first
    refused: int = 0


def desk() -> Desk:
    made = Desk(
        shipped(),
        DeskSettings(),
        describe=describe,
        listen=lambda _, _index: Pulse(None, MINUTE),
        post=lambda _conn, _messages, _now: None,
    )
    made.bind([{"id": rule, "case": case} for rule, (_, case) in RULES.items()])
    return made


async def actor(number: int, eyes: Store, store: Store, now: int, done: Done) -> None:
    """Looks, thinks of something, and does it to what it saw."""
    choice, own = random.Random(number), desk()
    for turn in range(TURNS):
        seen = await eyes.read(lambda conn: [query.case(conn, key).case for key in (1, 2)])
        case = choice.choice(seen)
        event = choice.choice(EVENTS if turn else [CaseEvent.DISPATCH])

        def act(conn: Connection, case: Case = case, event: CaseEvent = event) -> int:
            words = Words(
                crew=f"crew {number}", extra=2, verdict=Verdict.REAL if event in JUDGED else Verdict.NONE
            )
            own.act(conn, case.id, event, f"token:{number}", now, "why", revision=case.revision, **words)
            return case.revision + 1

        try:
            done.acts.append((case.id, await store.write(act)))
        except Conflict:
            allowed = event in CASE_TRANSITIONS[case.state]
            done.late += allowed
            done.refused += not allowed
        except CallerError:
            done.refused += 1


def _two_cases(conn: Connection) -> int:
    with City() as city:
        for rule, device in (("lamp", "LP-3"), ("tilt", "MH-0042")):
            desk().apply(conn, [city.transition(rule, device, True, city.now, city.now)], city.now)
        return city.now


def _complete(conn: Connection, done: Done) -> None:
    """The timeline holds what the actors were told and nothing else, and each step of it is in the table."""
    told = Counter(key for key, _ in done.acts)
    assert len(set(done.acts)) == len(done.acts), "two of them changed the same thing"
    for key in (1, 2):
        found = query.case(conn, key)
        events = conn.execute(
            select(schema.case_event.c.revision, schema.case_event.c.event, schema.case_event.c.actor)
            .where(schema.case_event.c.case == key)
            .order_by(schema.case_event.c.revision)
        ).all()
        assert [row.revision for row in events] == list(range(1, found.case.revision + 1))
        people = [row.revision for row in events if row.actor.startswith("token:")]
        assert sorted(people) == sorted(revision for case, revision in done.acts if case == key)
        assert len(people) == told[key]
        state = CaseState.NEW
        for row in events:
            state = state if row.event in set(Entry) else CASE_TRANSITIONS[state][CaseEvent(row.event)]
        assert state is found.case.state
    before = BEGINNING
    for _, hashed, line in audit.entries(conn):
        before = link(before, line)
        assert hashed == before, "the trail is one chain"


async def test_no_act_of_fifty_people_is_lost(migrated_url: str) -> None:
    done = Done()
    async with AsyncExitStack() as stores:
        first = await stores.enter_async_context(Store(migrated_url))
        await first.migrate()
        now = await first.write(_two_cases)
        hands = [first] * ACTORS  # a file has one writer, and they take turns
        if first.url.get_backend_name() != "sqlite":
            hands = [await stores.enter_async_context(Store(migrated_url)) for _ in range(ACTORS)]
        await asyncio.gather(*(actor(n, first, store, now, done) for n, store in enumerate(hands)))
        await first.read(lambda conn: _complete(conn, done))
    assert len(done.acts) + done.late + done.refused == ACTORS * TURNS
    assert done.late, "they were really at it at once"
