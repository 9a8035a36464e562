"""Rules and their parameters: every change is a new version with author and reason; history hears of it first.

A shipped rule follows new releases until somebody here writes a version of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Table, and_, func, insert, select

from gateway.clock import Clock
from gateway.errors import Invalid, NotFound
from gateway.registry import announce
from gateway.registry.announce import Announcer
from gateway.store import audit
from gateway.store.schema.registry import parameter, rule_version
from gateway.store.store import Store
from rules.control import Control, Parameter, Rules

Json = dict[str, Any]
SCOPE: Final = re.compile(
    r"|area:[^+#\x00-\x1f]{1,256}|product:[A-Za-z0-9._-]{1,64}|device:[A-Za-z0-9._-]{1,64}"
)


class RuleVersion(Struct, frozen=True):
    """document: the rule as in TOML, with its `version`. shipped: it came with citygate. time: µs UTC."""

    rule: str
    version: int
    document: Json
    shipped: bool
    author: str
    reason: str
    time: int


class Override(Struct, frozen=True):
    """A parameter of a rule in a scope (rules.control.Parameter); value None = taken away."""

    rule: str
    name: str
    scope: str
    version: int
    value: float | None
    author: str
    reason: str
    time: int


class Rulebook:
    """`check` raises ValueError for a document that is no rule."""

    def __init__(
        self, store: Store, clock: Clock, announcer: Announcer, check: Callable[[Json], object]
    ) -> None:
        self._store = store
        self._clock = clock
        self._announcer = announcer
        self._check = check

    async def load(self, shipped: Sequence[Json]) -> None:
        """At the start: take in rules that came with this release, as version 1 or the next."""
        now = self._clock.now()

        def work(conn: Connection) -> None:
            standing = {one.rule: (one, origin) for one, origin in _in_force(conn)}
            fresh = [one for one in shipped if _outdated(standing.get(one["id"]), one)]
            for document in fresh:
                known = standing.get(document["id"])
                version = known[0].version + 1 if known else 1
                reason = "came with a new release" if known else "came with citygate"
                _write(conn, document, version, "gateway", reason, now, _origin(document))
            if fresh:
                announce.write(conn, [_rules(conn)])

        await self._store.write(work)
        await self._announcer.flush(forever=True)

    async def in_force(self) -> list[RuleVersion]:
        """The newest version of every rule, by id."""
        return await self._store.read(lambda conn: [one for one, _ in _in_force(conn)])

    async def versions(self, rule: str) -> list[RuleVersion]:
        """All versions of a rule, newest first; raises NotFound."""
        query = (
            select(rule_version).where(rule_version.c.rule == rule).order_by(rule_version.c.version.desc())
        )
        found = await self._store.read(lambda conn: [_version(row) for row in conn.execute(query)])
        if not found:
            raise NotFound(f"no rule {rule!r:.80}")
        return found

    async def write(self, document: Json, author: str, reason: str) -> RuleVersion:
        """A new version of the rule of this id, in force from the next tick. Raises Invalid."""
        try:
            self._check(document)
        except ValueError as error:
            raise Invalid(str(error)) from error
        self._announcer.check()
        now = self._clock.now()

        def work(conn: Connection) -> RuleVersion:
            newest = conn.scalar(
                select(func.max(rule_version.c.version)).where(rule_version.c.rule == document["id"])
            )
            written = _write(conn, document, (newest or 0) + 1, author, reason, now, "")
            announce.write(conn, [_rules(conn)])
            return written

        written = await self._store.write(work)
        await self._announcer.flush()
        return written

    async def overrides(self, rule: str | None = None) -> list[Override]:
        """Parameters in force that differ from their rules."""
        return await self._store.read(lambda conn: _overrides(conn, rule))

    async def override(
        self, rule: str, name: str, scope: str, value: float | None, author: str, reason: str
    ) -> Override:
        """A parameter's value in a scope; None takes it away. Raises NotFound, Invalid."""
        self._announcer.check()
        now = self._clock.now()

        def work(conn: Connection) -> Override:
            _check_override(conn, rule, name, scope, value)
            key = and_(parameter.c.rule == rule, parameter.c.name == name, parameter.c.scope == scope)
            newest = conn.scalar(select(func.max(parameter.c.version)).where(key))
            one = Override(rule, name, scope, (newest or 0) + 1, value, author, reason, now)
            conn.execute(insert(parameter).values(msgspec.structs.asdict(one)))
            announce.write(conn, [Parameter(rule, name, scope, value)])
            detail = {"name": name, "scope": scope, "value": value, "reason": reason}
            audit.record(conn, now, author, "parameter set", f"rule:{rule}", detail)
            return one

        one = await self._store.write(work)
        await self._announcer.flush()
        return one

    async def controls(self) -> list[Control]:
        """All rules and parameters, for a history that has never heard of them."""

        def work(conn: Connection) -> list[Control]:
            overrides = _overrides(conn, None)
            return [_rules(conn), *(Parameter(one.rule, one.name, one.scope, one.value) for one in overrides)]

        return await self._store.read(work)


def _origin(document: Json) -> str:
    return sha256(msgspec.json.encode(document, order="sorted")).hexdigest()


def _outdated(known: tuple[RuleVersion, str] | None, document: Json) -> bool:
    return known is None or (known[0].shipped and known[1] != _origin(document))


def _write(
    conn: Connection, document: Json, version: int, author: str, reason: str, now: int, origin: str
) -> RuleVersion:
    one = RuleVersion(
        document["id"], version, {**document, "version": version}, bool(origin), author, reason, now
    )
    conn.execute(insert(rule_version).values({**msgspec.structs.asdict(one), "shipped": origin}))
    audit.record(
        conn, now, author, "rule written", f"rule:{one.rule}", {"version": version, "reason": reason}
    )
    return one


def _version(row: Any) -> RuleVersion:
    return RuleVersion(
        row.rule, row.version, row.document, bool(row.shipped), row.author, row.reason, row.time
    )


def _in_force(conn: Connection) -> list[tuple[RuleVersion, str]]:
    rows = conn.execute(
        select(rule_version).where(_newest(rule_version, "rule")).order_by(rule_version.c.rule)
    )
    return [(_version(row), row.shipped) for row in rows]


def _newest(table: Table, *key: str) -> Any:
    other = table.alias()
    same = and_(*(other.c[name] == table.c[name] for name in key))
    return table.c.version == select(func.max(other.c.version)).where(same).scalar_subquery()


def _rules(conn: Connection) -> Rules:
    return Rules([one.document for one, _ in _in_force(conn)])


def _overrides(conn: Connection, rule: str | None) -> list[Override]:
    query = select(parameter).where(
        _newest(parameter, "rule", "name", "scope"), parameter.c.value.is_not(None)
    )
    if rule is not None:
        query = query.where(parameter.c.rule == rule)
    rows = conn.execute(query.order_by(parameter.c.rule, parameter.c.name, parameter.c.scope))
    return [Override(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name for it


def _check_override(conn: Connection, rule: str, name: str, scope: str, value: float | None) -> None:
    documents = {one.rule: one.document for one, _ in _in_force(conn)}
    if rule not in documents:
        raise NotFound(f"no rule {rule!r:.80}")
    declared = documents[rule].get(name)
    if not isinstance(declared, dict) or "value" not in declared:
        known = [
            key for key, entry in documents[rule].items() if isinstance(entry, dict) and "value" in entry
        ]
        raise Invalid(f"rule {rule} has no parameter {name!r:.80}; it has: {', '.join(known) or 'none'}")
    if not SCOPE.fullmatch(scope):
        raise Invalid(f'{scope!r:.80} is no scope: "" (city), area:<path>, product:<id> or device:<id>')
    low, high = declared.get("min", -math.inf), declared.get("max", math.inf)
    if value is not None and not low <= value <= high:
        raise Invalid(f"{name} = {value} is outside {low} to {high} {declared.get('unit', '')}".rstrip())
