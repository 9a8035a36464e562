"""Parameters by scope: each value a version with author and reason, within the range its rule declares.

What would make a value that stands meaningless, another unit or a narrower range, is refused until it is reset.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, and_, func, insert, select

from gateway.errors import Conflict, Invalid, NotFound
from gateway.registry import announce
from gateway.registry.candidate import check_scope, declared, tunable_of, value_of
from gateway.registry.rulebook_tables import Book, Json, newest_only
from gateway.store import audit
from gateway.store.schema.registry import parameter
from rules.control import Parameter


class Override(Struct, frozen=True):
    """A parameter of a rule in a scope (rules.control.Parameter); value None = taken away.

    restores: the earlier version whose value this one brings back. backtest: what its author was shown of it, in short.
    """

    rule: str
    name: str
    scope: str
    version: int
    value: float | None
    author: str
    reason: str
    time: int
    restores: int | None = None
    backtest: Json | None = None


def in_force(conn: Connection, rule: str | None = None) -> list[Override]:
    query = select(parameter).where(
        newest_only(parameter, "rule", "name", "scope"), parameter.c.value.is_not(None)
    )
    if rule is not None:
        query = query.where(parameter.c.rule == rule)
    rows = conn.execute(query.order_by(parameter.c.rule, parameter.c.name, parameter.c.scope))
    return [_override(row) for row in rows]


def versions(conn: Connection, rule: str, name: str, scope: str | None) -> list[Override]:
    """Newest first, of one scope or of all."""
    query = select(parameter).where(parameter.c.rule == rule, parameter.c.name == name)
    if scope is not None:
        query = query.where(parameter.c.scope == scope)
    order = (parameter.c.time.desc(), parameter.c.scope, parameter.c.version.desc())
    return [_override(row) for row in conn.execute(query.order_by(*order))]


def earlier(conn: Connection, rule: str, name: str, scope: str, version: int) -> Override:
    """Raises NotFound."""
    found = {one.version: one for one in versions(conn, rule, name, scope)}
    if version not in found:
        has = ", ".join(map(str, sorted(found))) or "none"
        raise NotFound(f"{rule} {name} has no version {version} in scope {scope!r}; it has: {has}")
    return found[version]


def checked(
    conn: Connection, book: Book, rule: str, name: str, scope: str, value: str | float | None
) -> float | None:
    """The value in the parameter's unit, fit for every version that is judged; raises NotFound, Invalid.

    What was set once may be taken away after the rule has lost the parameter.
    """
    if rule not in book.standings:
        raise NotFound(f"no rule {rule!r:.80}")
    check_scope(scope)
    documents = book.judged(rule) or [one.document for key, one in book.versions.items() if key[0] == rule]
    known = [declared(document) for document in documents]
    naming = [each for each in known if name in each]
    if not naming and (value is not None or not versions(conn, rule, name, None)):
        tunable_of(rule, known[0], name)
    if value is None:
        return None
    values = {value_of(rule, each, name, value) for each in naming}
    if len(values) > 1:
        raise Invalid(
            f"{name} has another unit in another version of {rule}: give its number alone", field="value"
        )
    return values.pop()


def write(
    conn: Connection,
    given: Parameter,
    author: str,
    reason: str,
    now: int,
    *,
    restores: int | None = None,
    backtest: Json | None = None,
) -> Override:
    rule, name, scope = given.rule, given.name, given.scope
    key = and_(parameter.c.rule == rule, parameter.c.name == name, parameter.c.scope == scope)
    newest = conn.scalar(select(func.max(parameter.c.version)).where(key))
    one = Override(rule, name, scope, (newest or 0) + 1, given.value, author, reason, now, restores, backtest)
    conn.execute(insert(parameter).values(msgspec.structs.asdict(one)))
    announce.write(conn, [given])
    detail: Json = {"name": name, "scope": scope, "value": given.value, "reason": reason}
    if restores is not None:
        detail["restores"] = restores
    audit.record(conn, now, author, "parameter set", f"rule:{rule}", detail)
    return one


def fit(overrides: Iterable[Override], before: Json | None, after: Json) -> None:
    """Raises Conflict where a new version of a rule would leave a value in force that it cannot mean."""
    old, new = declared(before or {}), declared(after)
    faults = []
    for one in overrides:
        if one.name not in new or one.value is None:
            continue
        was, is_ = old.get(one.name, new[one.name]), new[one.name]
        where = f"{one.name} = {one.value:g} in scope {one.scope or 'city'!r}"
        if was.unit.text != is_.unit.text:
            faults.append(f"{where} is in {was.unit}, the new version wants {is_.unit}")
        elif not is_.low <= one.value <= is_.high:
            faults.append(f"{where} is outside its new range {is_.low:g} to {is_.high:g}")
    if faults:
        raise Conflict("; ".join(faults) + ": set it anew or reset it first", field="parameters")


def _override(row: Any) -> Override:
    return Override(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
