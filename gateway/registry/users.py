"""People: who they are, what they may, and what proves them. In memory too, so that a change holds at once."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, delete, insert, or_, select, update

from drivers.telemetry import SECOND
from gateway.clock import Clock
from gateway.errors import Conflict, Invalid, NotFound
from gateway.registry import secret, totp
from gateway.registry.device import Wrong
from gateway.registry.device import area as area_path
from gateway.registry.passwords import Passwords
from gateway.registry.roles import PEOPLE, Areas, Role, simplified
from gateway.store import audit
from gateway.store.schema.people import person, recovery_code
from gateway.store.store import Store

NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
LANGUAGES: Final = ("", "en", "zh")
CODES: Final = 10  # recovery codes, each opens once
LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another
AREAS: Final = 100  # that one caller is limited to at most


class User(Struct, frozen=True):
    """Times µs UTC. has_password: else comes by OIDC. second: since when a second factor is asked for."""

    name: str
    role: Role
    areas: Areas
    language: str
    has_password: bool
    subject: str | None
    second: int | None
    disabled: int | None
    created: int
    creator: str

    @property
    def actor(self) -> str:
        """As the audit trail names it."""
        return f"user:{self.name}"


class Proof(Struct, frozen=True):
    """What a log-in is judged by. key: of the second factor, None where none is asked for."""

    password: str | None
    key: str | None
    step: int | None


class Users:
    def __init__(self, store: Store, clock: Clock, passwords: Passwords) -> None:
        self._store = store
        self._clock = clock
        self._passwords = passwords
        self._turn = asyncio.Lock()
        self._known: dict[str, User] = {}

    async def load(self) -> None:
        """At the start and after each change."""
        async with self._turn:  # what is read later stands
            self._known = await self._store.read(_users)

    def __len__(self) -> int:
        return len(self._known)

    def find(self, name: str) -> User | None:
        """None also where this person may not come in any more."""
        user = self._known.get(name)
        return user if user is not None and user.disabled is None else None

    def get(self, name: str) -> User:
        """Raises NotFound."""
        if name not in self._known:
            raise NotFound(f"no user {name!r:.80}")
        return self._known[name]

    def listing(self) -> list[User]:
        """By name."""
        return [self._known[name] for name in sorted(self._known)]

    async def create(
        self,
        name: str,
        role: Role,
        actor: str,
        *,
        areas: Sequence[str] = (),
        language: str = "",
        password: str = "",
    ) -> User:
        """Raises Conflict where the name is taken, Invalid."""
        values = _checked({"name": name, "role": role, "areas": areas, "language": language})
        hashed = await self._passwords.hashed(name, password) if password else None
        now = self._clock.now()

        def work(conn: Connection) -> None:
            if conn.scalar(select(person.c.name).where(person.c.name == name)):
                raise Conflict(f"there is a user {name}")
            row = {**values, "password": hashed, "created": now, "creator": actor}
            conn.execute(insert(person).values(row))
            audit.record(
                conn, now, actor, "created", f"user:{name}", {"role": role, "areas": values["areas"]}
            )

        await self._write(work)
        return self.get(name)

    async def change(self, name: str, actor: str, changes: dict[str, Any]) -> User:
        """role, areas, language, disabled (bool). Raises NotFound, Invalid, and Conflict for the last admin's."""
        now = self._clock.now()
        values = _checked(changes)
        if "disabled" in values:
            values["disabled"] = now if values["disabled"] else None

        def work(conn: Connection) -> None:
            known = _users(conn)
            if name not in known:
                raise NotFound(f"no user {name!r:.80}")
            loses = (
                values.get("role", Role.ADMIN) != Role.ADMIN or values.get("disabled") or values.get("areas")
            )
            if loses and _admins(known) == {name}:
                raise Conflict("this is the last admin of the whole city; make another one first")
            if values:
                conn.execute(update(person).where(person.c.name == name).values(values))
                audit.record(conn, now, actor, "changed", f"user:{name}", changes)

        await self._write(work)
        return self.get(name)

    async def set_password(self, name: str, password: str, actor: str) -> None:
        """Raises NotFound, Invalid."""
        self.get(name)
        hashed = await self._passwords.hashed(name, password)
        await self._set(name, actor, "password set", {"password": hashed})

    async def proof(self, name: str) -> Proof:
        """Of nobody where there is no such person, or not any more."""
        if not re.fullmatch(NAME, name):
            return Proof(None, None, None)
        c = person.c
        query = select(c.password, c.totp, c.totp_on, c.totp_step).where(c.name == name, c.disabled.is_(None))
        row = await self._store.read(lambda conn: conn.execute(query).one_or_none())
        if row is None:
            return Proof(None, None, None)
        return Proof(row.password, row.totp if row.totp_on else None, row.totp_step)

    async def enrol(self, name: str, actor: str, *, confirmed: bool = False) -> tuple[str, list[str]]:
        """otpauth URI of a new key, and recovery codes once `confirmed` (an admin's word, or `confirm`)."""
        if self.get(name).second is not None:
            raise Conflict(f"{name} has a second factor; take it off first")
        key, now = totp.new_key(), self._clock.now()
        values = {"totp": key, "totp_step": None, "totp_on": now if confirmed else None}
        codes = await self._set(name, actor, "second factor begun", values, new_codes=confirmed)
        return totp.uri(key, name), codes

    async def confirm(self, name: str, code: str, actor: str) -> list[str]:
        """The phone shows the right code: it is asked for from now on. Gives recovery codes, shown this once."""
        query = select(person.c.totp).where(person.c.name == name, person.c.totp_on.is_(None))
        key = await self._store.read(lambda conn: conn.scalar(query))
        now = self._clock.now()
        if key is None:
            raise Conflict("there is no second factor to confirm; begin anew")
        step = totp.accept(key, code, now / SECOND, None) if code.isascii() else None
        if step is None:
            raise Invalid("this is not the code that the phone shows now", field="code")
        return await self._set(
            name, actor, "second factor set", {"totp_on": now, "totp_step": step}, new_codes=True
        )

    async def drop_second(self, name: str, actor: str) -> None:
        """No second factor is asked for any more; its recovery codes open nothing. Raises NotFound."""
        self.get(name)
        values = {"totp": None, "totp_on": None, "totp_step": None}

        def work(conn: Connection) -> None:
            conn.execute(update(person).where(person.c.name == name).values(values))
            conn.execute(delete(recovery_code).where(recovery_code.c.person == name))
            audit.record(conn, self._clock.now(), actor, "second factor taken off", f"user:{name}")

        await self._write(work)

    async def prove(self, name: str, proof: Proof, code: str) -> bool:
        """Whether this code, or recovery code, opens; then it does not open again."""
        if proof.key is None or not code.isascii():
            return False
        now = self._clock.now()
        step = totp.accept(proof.key, code, now / SECOND, proof.step)
        c = person.c
        newer = or_(c.totp_step.is_(None), c.totp_step < (step or 0))
        used = update(person).where(c.name == name, newer)
        r = recovery_code.c
        spent = update(recovery_code).where(
            r.person == name, r.digest == secret.digest(plain_code(code)), r.used.is_(None)
        )

        def work(conn: Connection) -> bool:
            if step is not None:
                return conn.execute(used.values(totp_step=step)).rowcount == 1
            if conn.execute(spent.values(used=now)).rowcount != 1:
                return False
            audit.record(conn, now, f"user:{name}", "recovery code used", f"user:{name}")
            return True

        return await self._store.write(work)

    async def of_subject(self, subject: str, name: str, role: Role, areas: Sequence[str] | None) -> User:
        """Who comes by OIDC: made at the first time, and given role and areas anew each time. Raises Conflict, Invalid.

        areas: None = they stay as they are here.
        """
        known = next((one for one in self._known.values() if one.subject == subject), None)
        if known is None:
            values = _checked({"name": name, "areas": areas or ()})
            now = self._clock.now()

            def work(conn: Connection) -> None:
                if conn.scalar(select(person.c.name).where(person.c.name == name)):
                    raise Conflict(f"there is a user {name} already, who does not come by this provider")
                row = {**values, "language": "", "role": role, "subject": subject, "created": now}
                conn.execute(insert(person).values(**row, creator="oidc"))
                audit.record(conn, now, "oidc", "created", f"user:{name}", {"role": role, "subject": subject})

            await self._write(work)
            return self.get(name)
        given: dict[str, Any] = {"role": role}
        if areas is not None:
            given["areas"] = areas
        changes = {key: value for key, value in given.items() if getattr(known, key) != _as_held(value)}
        return await self.change(known.name, "oidc", changes) if changes else known

    async def _set(
        self, name: str, actor: str, action: str, values: dict[str, Any], *, new_codes: bool = False
    ) -> list[str]:
        codes = [_code() for _ in range(CODES)] if new_codes else []

        def work(conn: Connection) -> None:
            conn.execute(update(person).where(person.c.name == name).values(values))
            if codes:
                rows = [{"person": name, "digest": secret.digest(plain_code(one))} for one in codes]
                conn.execute(delete(recovery_code).where(recovery_code.c.person == name))
                conn.execute(insert(recovery_code), rows)
            audit.record(conn, self._clock.now(), actor, action, f"user:{name}")

        await self._write(work)
        return codes

    async def _write(self, work: Any) -> None:
        await self._store.write(work)
        await self.load()


def checked_areas(areas: Sequence[str]) -> list[str]:
    """Each once, none inside another; raises Invalid."""
    if len(areas) > AREAS:
        raise Invalid(f"at most {AREAS} areas", field="areas")
    try:
        given = [area_path(one) for one in areas]
    except Wrong as wrong:
        raise Invalid(f"areas: {wrong.problem}; {wrong.remedy}", field="areas") from wrong
    if "" in given:
        raise Invalid("areas: leave the list empty for the whole city", field="areas")
    return list(simplified(given))


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    values = dict(values)
    if values.get("role", Role.VIEWER) not in PEOPLE:
        raise Invalid(f"{values['role']} is a role of tokens, not of people", field="role")
    if "name" in values and not re.fullmatch(NAME, values["name"]):
        raise Invalid(
            "a name has letters, digits and . _ @ -, and begins with one of the first two", field="name"
        )
    if "areas" in values:
        values["areas"] = checked_areas(values["areas"])
    if values.get("language", "") not in LANGUAGES:
        raise Invalid('language: "en", "zh", or "" for what the browser asks for', field="language")
    return values


def _as_held(value: Any) -> Any:
    return simplified(value) if isinstance(value, (list, tuple)) else value


def _code() -> str:
    """49 random bits, as people can type them: abcde-fghjk."""
    word = "".join(secrets.choice(LETTERS) for _ in range(10))
    return f"{word[:5]}-{word[5:]}"


def plain_code(code: str) -> str:
    """As it was typed, without what makes it readable."""
    return code.replace("-", "").replace(" ", "").lower()


def _admins(known: dict[str, User]) -> set[str]:
    return {
        one.name
        for one in known.values()
        if one.role is Role.ADMIN and one.disabled is None and not one.areas
    }


def _users(conn: Connection) -> dict[str, User]:
    return {
        row.name: User(
            name=row.name,
            role=Role(row.role),
            areas=tuple(row.areas),
            language=row.language,
            has_password=row.password is not None,
            subject=row.subject,
            second=row.totp_on,
            disabled=row.disabled,
            created=row.created,
            creator=row.creator,
        )
        for row in conn.execute(select(person))
    }
