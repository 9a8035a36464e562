"""Secrets that people choose: argon2id in a thread of its own, a bounded number at once (design 3).

A guess for a name that does not exist costs the same time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.errors import Invalid, TooMany
from gateway.registry import secret
from gateway.registry.people_settings import PeopleSettings

Result = TypeVar("Result")

LONGEST: Final = 256  # characters
VARIED: Final = 5  # different characters at least
WAITING: Final = 32  # checks that wait for the thread; beyond: refused


class Passwords:
    def __init__(self, settings: PeopleSettings) -> None:
        self._settings = settings
        self._hasher = PasswordHasher(
            time_cost=settings.argon2_passes, memory_cost=settings.argon2_memory_kb, parallelism=1
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="passwords")
        self._waiting = 0
        self._nobody = ""

    async def close(self) -> None:
        await asyncio.to_thread(self._thread.shutdown)

    async def hashed(self, name: str, password: str) -> str:
        """Raises Invalid where it is too easy to guess."""
        least = self._settings.shortest_password
        if not least <= len(password) <= LONGEST:
            raise Invalid(f"a password has {least} to {LONGEST} characters", field="password")
        if name.lower() in password.lower() or len(set(password)) < VARIED:
            raise Invalid("this password is easy to guess; choose one without your name", field="password")
        return await self._run(self._hasher.hash, _bytes(password))

    async def match(self, hashed: str | None, password: str) -> bool:
        """hashed: None for a name that has none: the answer is False, and as late as any."""
        if hashed is None and not self._nobody:
            self._nobody = await self._run(self._hasher.hash, secret.generate().encode())
        right = await self._run(self._verify, hashed or self._nobody, _bytes(password[:LONGEST]))
        return right and hashed is not None

    def _verify(self, hashed: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[..., Result], *args: object) -> Result:
        if self._waiting >= WAITING:
            raise TooMany("too many log-ins at once; try again", 5)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)
        finally:
            self._waiting -= 1


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
