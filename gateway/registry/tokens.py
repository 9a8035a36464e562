"""Bearer tokens of people and programs: generated, shown once, kept as SHA-256, each with one role."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, func, insert, select, update

from gateway.clock import Clock
from gateway.errors import Conflict, Invalid, NotFound
from gateway.registry import secret
from gateway.registry.roles import Areas, Role
from gateway.store import audit
from gateway.store.schema.registry import token
from gateway.store.store import Store


class Token(Struct, frozen=True):
    """Times µs UTC. creator: who made it. owner: the person whose it is; areas: () = the whole city."""

    id: int
    name: str
    role: Role
    created: int
    creator: str
    revoked: int | None = None
    owner: str | None = None
    expires: int | None = None
    areas: Areas = ()

    @property
    def actor(self) -> str:
        """As the audit trail names it."""
        return f"token:{self.name}"


class Tokens:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._turn = asyncio.Lock()
        self._live: dict[bytes, Token] = {}
        self._local: dict[bytes, Token] = {}

    async def load(self) -> None:
        """At the start and after each change."""
        async with self._turn:  # what is read later stands: a revoked token does not come back
            self._live = {**await self._store.read(_live), **self._local}

    def local(self) -> str:
        """An admin token that lives as long as this process: for whoever may open its local socket."""
        word = secret.generate()
        self._local[secret.digest(word)] = Token(0, "local", Role.ADMIN, self._clock.now(), "gateway")
        self._live = {**self._live, **self._local}
        return word

    async def first(self) -> str | None:
        """At the very first start: an admin token, to be shown this once; None ever after."""
        if await self._store.read(lambda conn: conn.scalar(select(func.count()).select_from(token))):
            return None
        _, word = await self.create("admin", Role.ADMIN, "gateway")
        return word

    def authenticate(self, word: bytes) -> Token | None:
        token = self._live.get(secret.digest(word))
        over = token is not None and token.expires is not None and token.expires <= self._clock.now()
        return None if over else token

    async def listing(self) -> list[Token]:
        """All there ever were, revoked ones too."""
        return await self._store.read(_tokens)

    async def create(
        self,
        name: str,
        role: Role,
        actor: str,
        *,
        owner: str | None = None,
        expires: int | None = None,
        areas: Areas = (),
    ) -> tuple[Token, str]:
        """The token's record and the token itself, which is not shown again. Raises Conflict where the name is taken."""
        now = self._clock.now()
        if expires is not None and expires <= now:
            raise Invalid("a token ends in the future", field="expires")
        word = secret.generate()

        def work(conn: Connection) -> Token:
            if conn.scalar(select(token.c.id).where(token.c.name == name)):
                raise Conflict(f"there is, or was, a token {name}")
            row = {"name": name, "role": role, "created": now, "creator": actor}
            row |= {"owner": owner, "expires": expires, "areas": list(areas) or None}
            number = conn.scalar(
                insert(token).values(**row, digest=secret.digest(word)).returning(token.c.id)
            )
            assert number is not None
            audit.record(conn, now, actor, "created", f"token:{name}", {"role": role, "areas": areas})
            return Token(number, name, role, now, actor, None, owner, expires, areas)

        made = await self._store.write(work)
        await self.load()
        return made, word

    async def revoke(self, number: int, actor: str) -> None:
        """Raises NotFound, and Conflict for the last admin's."""
        now = self._clock.now()

        def work(conn: Connection) -> None:
            live = {one.id: one for one in _live(conn).values()}
            one = live.get(number)
            if one is None:
                raise NotFound(f"no live token {number}")
            if _lasting(one) and sum(_lasting(other) for other in live.values()) == 1:
                raise Conflict("this is the last admin token; create another first")
            conn.execute(update(token).where(token.c.id == number).values(revoked=now))
            audit.record(conn, now, actor, "revoked", f"token:{one.name}")

        await self._store.write(work)
        await self.load()


def _lasting(one: Token) -> bool:
    """What keeps the door open whatever becomes of the others."""
    return one.role is Role.ADMIN and one.expires is None and not one.areas


def _tokens(conn: Connection) -> list[Token]:
    return [_token(row) for row in conn.execute(select(token).order_by(token.c.id))]


def _live(conn: Connection) -> dict[bytes, Token]:
    return {row.digest: _token(row) for row in conn.execute(select(token).where(token.c.revoked.is_(None)))}


def _token(row: Any) -> Token:
    return Token(
        row.id,
        row.name,
        Role(row.role),
        row.created,
        row.creator,
        row.revoked,
        row.owner,
        row.expires,
        tuple(row.areas or ()),
    )
