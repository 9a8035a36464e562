"""Logging in: guesses are throttled before any hash is reckoned, and a wrong name costs the time of a wrong password."""

from __future__ import annotations

import logging
import math
from typing import Final

from drivers.telemetry import SECOND
from gateway.clock import Clock
from gateway.errors import Conflict, TooMany, Unauthorized
from gateway.ingest.buckets import Buckets
from gateway.registry import secret
from gateway.registry.passwords import Passwords
from gateway.registry.people_settings import PeopleSettings
from gateway.registry.sessions import Sessions
from gateway.registry.users import User, Users
from gateway.store.store import Store

log = logging.getLogger(__name__)

LONGEST_NAME: Final = 64


class CodeRequired(Unauthorized):
    """The password is right; a second factor is asked for."""

    word = "code-required"


class People:
    """Users and their sessions, and the one way in."""

    def __init__(self, settings: PeopleSettings, store: Store, clock: Clock) -> None:
        self.settings = settings
        self.passwords = Passwords(settings)
        self.users = Users(store, clock, self.passwords)
        self.sessions = Sessions(settings, store, clock, self.users)
        self._clock = clock
        window = int(settings.window * SECOND)
        self._pairs = Buckets(settings.attempts, window)
        self._names = Buckets(settings.attempts_per_name, window)

    async def load(self) -> None:
        await self.users.load()
        await self.sessions.load()

    async def log_in(self, name: str, password: str, code: str, address: str, agent: str) -> str:
        """The word for the cookie; raises Unauthorized, CodeRequired, TooMany."""
        await self.check(name, password, code, address)
        return await self.sessions.begin(self.users.get(name), address, agent)

    async def check(self, name: str, password: str, code: str, address: str) -> None:
        """That this is the person, by password and second factor; raises Unauthorized, CodeRequired, TooMany."""
        self._ask(name, address)
        proof = await self.users.proof(name[:LONGEST_NAME])
        if not await self.passwords.match(proof.password, password):
            log.warning("a wrong password for a user came from %s", address or "this host")
            raise Unauthorized("name or password is wrong")
        if proof.key is not None:
            if not code:
                self._answered(name, address)
                raise CodeRequired("send the code of your phone too, or a recovery code", field="code")
            if not await self.users.prove(name, proof, code):
                log.warning("a wrong code for %s came from %s", name, address or "this host")
                raise Unauthorized("the code is wrong, or was used before", field="code")
        self._answered(name, address)

    async def change_password(self, user: User, old: str, new: str, address: str) -> None:
        """Raises Conflict, Invalid, Unauthorized, TooMany."""
        await self.check_password(user, old, address)
        await self.users.set_password(user.name, new, user.actor)

    async def check_password(self, user: User, password: str, address: str) -> None:
        """Of who is logged in already, before something that matters; raises Conflict, Unauthorized, TooMany."""
        if not user.has_password:
            raise Conflict("you come by another provider, and your password is there")
        self._ask(user.name, address)
        proof = await self.users.proof(user.name)
        if not await self.passwords.match(proof.password, password):
            raise Unauthorized("the password is wrong")
        self._answered(user.name, address)

    def _ask(self, name: str, address: str) -> None:
        """Before every guess, of passwords and codes alike; raises TooMany."""
        now = int(self._clock.monotonic() * SECOND)
        over = max(self._pairs.take(_pair(name, address), now), self._names.take(_key(name), now))
        if over:
            raise TooMany("too many log-ins; wait before the next try", math.ceil(over / SECOND))

    def _answered(self, name: str, address: str) -> None:
        """That one was no guess."""
        self._pairs.give_back(_pair(name, address))
        self._names.give_back(_key(name))


def _key(name: str) -> str:
    """Of any text a stranger may send, in the bounds of a bucket's key."""
    return secret.digest(name.encode("utf-8", "surrogatepass")).hex()[:24]


def _pair(name: str, address: str) -> str:
    return f"{_key(name)} {address}"
