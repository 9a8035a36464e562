"""Sessions end by time and by disuse, survive a restart, and are kept as hashes only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from sqlalchemy import select

from drivers.telemetry import HOUR, MINUTE
from gateway.registry.passwords import Passwords
from gateway.registry.people_settings import PeopleSettings
from gateway.registry.roles import Role
from gateway.registry.sessions import Sessions
from gateway.registry.users import User, Users
from gateway.store.schema.people import login_session, person
from gateway.store.store import Store
from tests.gateway.registry.city import StandingClock

QUICK = PeopleSettings(argon2_memory_kb=8, argon2_passes=1, sessions=3)


@dataclass
class Hall:
    store: Store
    clock: StandingClock
    users: Users
    sessions: Sessions
    wang: User

    async def restarted(self) -> Sessions:
        sessions = Sessions(QUICK, self.store, self.clock, self.users)
        await sessions.load()
        return sessions


@asynccontextmanager
async def hall(url: str) -> AsyncIterator[Hall]:
    clock, passwords = StandingClock(), Passwords(QUICK)
    async with Store(url) as store:
        await store.migrate()
        users = Users(store, clock, passwords)
        wang = await users.create(
            "wang", Role.CREW, "test", areas=["a/b", "a", "c"], password="nine yellow lamps"
        )
        yield Hall(store, clock, users, Sessions(QUICK, store, clock, users), wang)
    await passwords.close()


async def test_a_session_ends_by_disuse_and_by_time(operations_url: str) -> None:
    async with hall(operations_url) as it:
        word = await it.sessions.begin(it.wang, "192.0.2.1", "phone")
        for _ in range(12):
            it.clock.time += 55 * MINUTE
            assert it.sessions.authenticate(word) is not None, "it is used all the time"
        it.clock.time += 55 * MINUTE
        principal = it.sessions.authenticate(word)
        assert principal is not None
        assert (principal.actor, principal.role, principal.areas) == ("user:wang", Role.CREW, ("a", "c"))
        it.clock.time += 5 * MINUTE
        assert it.sessions.authenticate(word) is None, "twelve hours are over"
        other = await it.sessions.begin(it.wang, "", "")
        it.clock.time += HOUR
        assert it.sessions.authenticate(other) is None, "nobody used it for an hour"


async def test_a_restart_ends_no_session_and_revives_none(operations_url: str) -> None:
    async with hall(operations_url) as it:
        words = [await it.sessions.begin(it.wang, "", "") for _ in range(2)]
        (gone,) = (one.id for one in it.sessions.of("wang") if one.id != it.sessions.of("wang")[0].id)
        await it.sessions.end("wang", gone, "test")
        again = await it.restarted()
        assert [again.authenticate(word) is not None for word in words] == [False, True]
        it.clock.time += 13 * HOUR
        assert (await it.restarted()).of("wang") == []
        rows = await it.store.read(lambda conn: conn.execute(select(login_session)).all())
        assert rows == [], "what is over is not kept"


async def test_the_store_knows_no_word_and_no_password(operations_url: str) -> None:
    async with hall(operations_url) as it:
        word = await it.sessions.begin(it.wang, "", "")
        rows = await it.store.read(
            lambda conn: [*conn.execute(select(login_session)), *conn.execute(select(person))]
        )
        assert word not in str(rows)
        assert "nine yellow lamps" not in str(rows)
        assert "$argon2id$" in str(rows)


async def test_too_many_sessions_of_one_person_end_the_least_used(operations_url: str) -> None:
    async with hall(operations_url) as it:
        words = []
        for _ in range(3):
            words.append(await it.sessions.begin(it.wang, "", ""))
            it.clock.time += MINUTE
        it.sessions.authenticate(words[0])
        words.append(await it.sessions.begin(it.wang, "", ""))
        assert [it.sessions.authenticate(word) is not None for word in words] == [True, False, True, True]


@pytest.mark.parametrize("word", ["", "guess", "\x00", "ä" * 100, "\udc80"])
async def test_a_guess_opens_nothing(word: str, operations_url: str) -> None:
    async with hall(operations_url) as it:
        await it.sessions.begin(it.wang, "", "")
        assert it.sessions.authenticate(word) is None
