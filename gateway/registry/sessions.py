"""Sessions of people: a random word in a cookie, kept here as SHA-256; it ends by time, by disuse, or by its person."""

from __future__ import annotations

import logging
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, insert, select, update

from drivers.telemetry import SECOND
from gateway.clock import Clock
from gateway.errors import NotFound, StoreError
from gateway.registry import secret
from gateway.registry.people_settings import PeopleSettings
from gateway.registry.roles import Principal
from gateway.registry.users import User, Users
from gateway.store import audit
from gateway.store.schema.people import login_session
from gateway.store.store import Store

log = logging.getLogger(__name__)

FRESH: Final = 10 * SECOND  # µs within which being seen again says nothing new
ROUND: Final = 60.0  # seconds between two looks; what was seen since then may be forgotten by a crash


class Session(Struct):
    """Times µs UTC. address, agent: where it was begun, for its person to know it by."""

    id: int
    person: str
    created: int
    seen: int
    expires: int
    address: str
    agent: str


class Sessions:
    def __init__(self, settings: PeopleSettings, store: Store, clock: Clock, users: Users) -> None:
        self.settings = settings
        self._store = store
        self._clock = clock
        self._users = users
        self._live: dict[bytes, Session] = {}
        self._seen: dict[bytes, int] = {}  # not written yet

    async def load(self) -> None:
        """At the start."""
        self._live = await self._store.read(_sessions)
        await self._settle()

    async def run(self) -> None:
        """Writes when sessions were seen, and ends those that are over."""
        while True:
            await self._clock.sleep(ROUND)
            try:
                await self._settle()
            except StoreError as error:
                log.warning("sessions cannot be written, trying again: %s", error)

    def authenticate(self, word: str) -> Principal | None:
        digest = secret.digest(word.encode("utf-8", "replace"))
        session, now = self._live.get(digest), self._clock.now()
        user = self._users.find(session.person) if session else None
        if session is None or user is None or self._over(session, now):
            return None
        if now - session.seen >= FRESH:
            session.seen = self._seen[digest] = now
        return Principal(user.actor, user.name, user.role, user.areas, user.language, csrf(word), session.id)

    async def begin(self, user: User, address: str, agent: str, way: str = "password") -> str:
        """The word for the cookie. way: how it was proved who it is, for the audit."""
        word, now = secret.generate(), self._clock.now()
        held = sorted(self.of(user.name), key=lambda one: one.seen)
        surplus = [one.id for one in held[: max(0, len(held) + 1 - self.settings.sessions)]]
        values = {
            "person": user.name,
            "created": now,
            "seen": now,
            "expires": now + self.settings.longest,
            "address": address[:64],
            "agent": agent[:128],
        }

        def work(conn: Connection) -> int:
            conn.execute(delete(login_session).where(login_session.c.id.in_(surplus)))
            row = insert(login_session).values(**values, digest=secret.digest(word))
            number: int | None = conn.scalar(row.returning(login_session.c.id))
            audit.record(
                conn, now, user.actor, "logged in", f"user:{user.name}", {"way": way, "from": address}
            )
            assert number is not None
            return number

        number = await self._store.write(work)
        self._forget(set(surplus))
        self._live[secret.digest(word)] = msgspec.convert({"id": number, **values}, Session)
        return word

    def of(self, name: str) -> list[Session]:
        """A person's, the newest first."""
        now = self._clock.now()
        mine = [one for one in self._live.values() if one.person == name and not self._over(one, now)]
        return sorted(mine, key=lambda one: -one.id)

    async def end(self, name: str, number: int, actor: str) -> None:
        """Raises NotFound where it is not theirs, or over."""
        if number not in {one.id for one in self.of(name)}:
            raise NotFound(f"no session {number}")
        await self._end({number}, name, actor)

    async def end_all(self, name: str, actor: str, *, but: int = 0) -> int:
        """How many there were."""
        numbers = {one.id for one in self._live.values() if one.person == name and one.id != but}
        if numbers:
            await self._end(numbers, name, actor)
        return len(numbers)

    async def _end(self, numbers: set[int], name: str, actor: str) -> None:
        now = self._clock.now()
        self._forget(numbers)  # first: whatever becomes of the write, it opens nothing until a new start

        def work(conn: Connection) -> None:
            conn.execute(delete(login_session).where(login_session.c.id.in_(numbers)))
            audit.record(conn, now, actor, "sessions ended", f"user:{name}", {"sessions": len(numbers)})

        await self._store.write(work)

    def _forget(self, numbers: set[int]) -> None:
        self._live = {digest: one for digest, one in self._live.items() if one.id not in numbers}

    def _over(self, session: Session, now: int) -> bool:
        return now >= session.expires or now - session.seen >= self.settings.idle

    async def _settle(self) -> None:
        now = self._clock.now()
        seen, self._seen = self._seen, {}
        over = {one.id for one in self._live.values() if self._over(one, now)}
        if not seen and not over:
            return
        self._forget(over)

        def work(conn: Connection) -> None:
            for digest, time in seen.items():
                conn.execute(update(login_session).where(login_session.c.digest == digest).values(seen=time))
            if over:
                conn.execute(delete(login_session).where(login_session.c.id.in_(over)))

        await self._store.write(work)


def csrf(word: str) -> str:
    """The token that forms of this session carry: whoever has it has read a page that was made for the cookie's holder."""
    return secret.digest(f"form of {word}").hex()


def _sessions(conn: Connection) -> dict[bytes, Session]:
    c = login_session.c
    fields = [c[name] for name in Session.__struct_fields__]
    return {row.digest: Session(*row[1:]) for row in conn.execute(select(c.digest, *fields))}
