"""The rulebook's tables: versions, which of them is in force where, and the control row that follows from it.

Every function is part of the caller's transaction.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Struct, field
from sqlalchemy import Connection, Table, and_, delete, func, insert, select, update

from gateway.store import audit
from gateway.store.schema.registry import rule_version
from gateway.store.schema.rules import rule_standing
from rules.control import Rules

Json = dict[str, Any]
RELEASE: Final = "release"  # by whom a rule is out of force: a release no longer brings it
PERSON: Final = "person"


class RuleVersion(Struct, frozen=True):
    """document: the rule as in TOML, with its `version`. shipped: it came with citygate. time: µs UTC.

    restores: the earlier version that this one brings back. backtest: what its author was shown of it, in short.
    """

    rule: str
    version: int
    document: Json
    shipped: bool
    author: str
    reason: str
    time: int
    restores: int | None = None
    backtest: Json | None = None


class Standing(Struct, frozen=True):
    """Versions of a rule that are judged: live, for areas alone (canary), for nobody to hear of (shadow; no areas: city).

    withdrawn: by whom it is out of force, RELEASE or PERSON; "" = it is not.
    """

    rule: str
    live: int | None = None
    withdrawn: str = ""
    canary: int | None = None
    areas: list[str] = field(default_factory=list)
    shadow: int | None = None
    shadow_areas: list[str] = field(default_factory=list)


class Book(Struct, frozen=True):
    """All rules: how each stands, and the versions it stands by."""

    standings: dict[str, Standing]
    versions: dict[tuple[str, int], RuleVersion]

    def live(self, rule: str) -> RuleVersion | None:
        """Published and not withdrawn."""
        one = self.standings[rule]
        return None if one.live is None or one.withdrawn else self.versions[rule, one.live]

    def judged(self, rule: str) -> list[Json]:
        """The documents that the engine is given of a rule, as in the log."""
        one = self.standings[rule]
        found: list[Json] = []
        if one.live is not None and not one.withdrawn:
            found.append(self.versions[rule, one.live].document)
        if one.canary is not None:
            found.append({**self.versions[rule, one.canary].document, "areas": one.areas})
        if one.shadow is not None:
            areas = {"areas": one.shadow_areas} if one.shadow_areas else {}
            found.append({**self.versions[rule, one.shadow].document, "shadow": True, **areas})
        return found

    def control(self) -> Rules:
        return Rules([document for rule in sorted(self.standings) for document in self.judged(rule)])

    def with_(self, standing: Standing, version: RuleVersion | None = None) -> Book:
        """The book as it would be."""
        versions = {**self.versions, (version.rule, version.version): version} if version else self.versions
        return Book({**self.standings, standing.rule: standing}, versions)


def read(conn: Connection) -> Book:
    standings = {row.rule: _standing(row) for row in conn.execute(select(rule_standing))}
    used = {
        (one.rule, version)
        for one in standings.values()
        for version in (one.live, one.canary, one.shadow)
        if version is not None
    }
    newest = conn.execute(select(rule_version).where(newest_only(rule_version, "rule")))
    versions = {(row.rule, row.version): _version(row) for row in newest}
    for rule, version in used - set(versions):
        found = one_version(conn, rule, version)
        assert found is not None
        versions[rule, version] = found
    return Book(standings, versions)


def put(conn: Connection, standing: Standing) -> None:
    conn.execute(delete(rule_standing).where(rule_standing.c.rule == standing.rule))
    conn.execute(insert(rule_standing).values(msgspec.structs.asdict(standing)))


def origin(document: Json) -> str:
    """What tells one shipped text from another."""
    return sha256(msgspec.json.encode(document, order="sorted")).hexdigest()


def origins(conn: Connection) -> dict[tuple[str, int], str]:
    query = select(rule_version.c.rule, rule_version.c.version, rule_version.c.shipped)
    return {(row.rule, row.version): row.shipped for row in conn.execute(query)}


def write(conn: Connection, one: RuleVersion, digest: str) -> None:
    """digest: of the shipped text; "" = written here."""
    conn.execute(insert(rule_version).values({**msgspec.structs.asdict(one), "shipped": digest}))
    detail: Json = {"version": one.version, "reason": one.reason}
    if one.restores is not None:
        detail["restores"] = one.restores
    audit.record(conn, one.time, one.author, "rule written", f"rule:{one.rule}", detail)


def note_backtest(conn: Connection, rule: str, version: int, backtest: Json) -> None:
    """What was shown to whoever puts this version in force."""
    mine = and_(rule_version.c.rule == rule, rule_version.c.version == version)
    conn.execute(update(rule_version).where(mine).values(backtest=backtest))


def next_version(conn: Connection, rule: str) -> int:
    newest = conn.scalar(select(func.max(rule_version.c.version)).where(rule_version.c.rule == rule))
    return (newest or 0) + 1


def one_version(conn: Connection, rule: str, version: int) -> RuleVersion | None:
    query = select(rule_version).where(rule_version.c.rule == rule, rule_version.c.version == version)
    row = conn.execute(query).one_or_none()
    return None if row is None else _version(row)


def all_versions(conn: Connection, rule: str) -> list[RuleVersion]:
    """Newest first."""
    query = select(rule_version).where(rule_version.c.rule == rule).order_by(rule_version.c.version.desc())
    return [_version(row) for row in conn.execute(query)]


def newest_only(table: Table, *key: str) -> Any:
    """A condition: the row of the highest version of its key."""
    other = table.alias()
    same = and_(*(other.c[name] == table.c[name] for name in key))
    return table.c.version == select(func.max(other.c.version)).where(same).scalar_subquery()


def _version(row: Any) -> RuleVersion:
    return RuleVersion(
        row.rule,
        row.version,
        row.document,
        bool(row.shipped),
        row.author,
        row.reason,
        row.time,
        row.restores,
        row.backtest,
    )


def _standing(row: Any) -> Standing:
    return Standing(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
