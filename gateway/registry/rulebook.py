"""Rules: every change is a new version with author and reason; history hears of it first; what is no rule changes nothing.

A shipped rule follows new releases until somebody here publishes a version of it; one that a release drops is withdrawn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec.structs import replace
from sqlalchemy import Connection

from gateway.clock import Clock
from gateway.errors import Conflict, Invalid, NotFound
from gateway.registry import announce
from gateway.registry import rulebook_parameters as parameters
from gateway.registry import rulebook_releases as releases
from gateway.registry import rulebook_tables as tables
from gateway.registry.announce import Announcer
from gateway.registry.candidate import areas_of, refused, why
from gateway.registry.rulebook_diff import Difference, differences
from gateway.registry.rulebook_parameters import Override
from gateway.registry.rulebook_tables import PERSON, Book, Json, RuleVersion, Standing
from gateway.store import audit
from gateway.store.store import Store
from rules import presets
from rules.control import Control, Parameter
from rules.document import RulesError
from rules.parameters import PRESET

T = TypeVar("T")


class Rulebook:
    """`check` raises RulesError (or another ValueError) for a whole set of documents that could not be in force."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        announcer: Announcer,
        check: Callable[[list[Json]], object],
        preset: str = presets.DEFAULT,
    ) -> None:
        self.preset = presets.load()[preset]
        self._store = store
        self._clock = clock
        self._announcer = announcer
        self._check = check
        self._turn = asyncio.Lock()

    # -- what there is

    async def in_force(self) -> list[RuleVersion]:
        """The published version of every rule that is not withdrawn, by id; a canary where nothing is published."""
        book = await self.book()
        found = []
        for rule in sorted(book.standings):
            one, canary = book.live(rule), book.standings[rule].canary
            if one is None and canary is not None:
                one = book.versions[rule, canary]
            if one is not None:
                found.append(one)
        return found

    async def book(self) -> Book:
        """How every rule stands, with the versions it stands by and its newest."""
        return await self._store.read(tables.read)

    async def versions(self, rule: str) -> list[RuleVersion]:
        """All versions of a rule, newest first; raises NotFound."""
        found = await self._store.read(lambda conn: tables.all_versions(conn, rule))
        if not found:
            raise NotFound(f"no rule {rule!r:.80}")
        return found

    async def version(self, rule: str, version: int) -> RuleVersion:
        """Raises NotFound."""
        return await self._store.read(lambda conn: _version(conn, rule, version))

    async def diff(self, rule: str, before: int, after: int) -> list[Difference]:
        """What changed from one version to another; raises NotFound."""
        old, new = await self.version(rule, before), await self.version(rule, after)
        return differences(old.document, new.document)

    async def overrides(self, rule: str | None = None) -> list[Override]:
        """Parameters in force that differ from their rules: what the preset says, then what people set."""
        mine = [
            Override(one.rule, one.parameter, PRESET, 0, one.value, "gateway", one.source, 0)
            for one in self.preset.value
            if rule in (None, one.rule)
        ]
        return [*mine, *await self._store.read(lambda conn: parameters.in_force(conn, rule))]

    async def override_versions(self, rule: str, name: str, scope: str | None = None) -> list[Override]:
        """Every value that was ever set, newest first; of one scope, or of all."""
        return await self._store.read(lambda conn: parameters.versions(conn, rule, name, scope))

    async def controls(self) -> list[Control]:
        """All rules and parameters, for a history that has never heard of them."""

        def work(conn: Connection) -> list[Control]:
            overrides = parameters.in_force(conn)
            return [
                tables.read(conn).control(),
                *(Parameter(one.rule, one.name, one.scope, one.value) for one in overrides),
            ]

        return await self._store.read(work)

    # -- releases

    async def load(self, shipped: Sequence[Json]) -> None:
        """At the start: take in the rules of this release, and withdraw those that it no longer brings."""
        now = self._clock.now()

        def work(conn: Connection) -> None:
            before = tables.read(conn)
            book = releases.take_in(conn, before, shipped, now)
            for rule, one in book.standings.items():
                if before.standings.get(rule) != one:
                    tables.put(conn, one)
            if before.control() != book.control():
                announce.write(conn, [book.control()])

        async with self._turn:
            await self._store.write(work)
        await self._announcer.flush(forever=True)

    # -- versions

    async def write(
        self, document: Json, author: str, reason: str, *, draft: bool = False, backtest: Json | None = None
    ) -> RuleVersion:
        """A new version of the rule of this id, in force from the next tick unless it is a draft. Raises Invalid, Conflict."""
        for key in ("areas", "shadow"):
            if key in document:
                raise Invalid(
                    f"{key} is not written into a rule: start a canary or a shadow of the version", field=key
                )
        rule = document.get("id")
        if not isinstance(rule, str):
            raise Invalid('id: is missing; add id = "…" to the rule', field="id")

        def change(conn: Connection, book: Book, now: int) -> tuple[Book, RuleVersion]:
            written = replace(_new(conn, document, author, reason, now), backtest=backtest)
            return self._put(conn, book, written, draft=draft), written

        return await self._change(rule, change, author, reason, "drafted" if draft else "published")

    async def rollback(self, rule: str, version: int, author: str, reason: str) -> RuleVersion:
        """Any earlier version in force again, as a new version that says which it restores."""

        def change(conn: Connection, book: Book, now: int) -> tuple[Book, RuleVersion]:
            old = _version(conn, rule, version)
            written = _new(conn, old.document, author, reason, now, restores=old.version)
            return self._put(conn, book, written, draft=False), written

        return await self._change(rule, change, author, reason, f"rolled back to version {version}")

    async def publish(
        self, rule: str, version: int, author: str, reason: str, *, backtest: Json | None = None
    ) -> Standing:
        """A draft in force everywhere."""

        def change(conn: Connection, book: Book, _: int) -> tuple[Book, Standing]:
            one = _of(book, rule)
            found = _version(conn, rule, version)
            if one.live is not None and version <= one.live:
                raise Conflict(
                    f"version {one.live} of {rule} is in force; roll back to {version} instead, as a new version"
                )
            if backtest is not None:
                tables.note_backtest(conn, rule, version, backtest)
            return _stood(self._live(conn, book, found), rule)

        return await self._change(rule, change, author, reason, f"published version {version}")

    def _put(self, conn: Connection, book: Book, written: RuleVersion, *, draft: bool) -> Book:
        tables.write(conn, written, "")
        if not draft:
            return self._live(conn, book, written)
        return book.with_(book.standings.get(written.rule, Standing(written.rule)), written)

    def _live(self, conn: Connection, book: Book, found: RuleVersion) -> Book:
        one = book.standings.get(found.rule, Standing(found.rule))
        if one.canary is not None and one.canary != found.version:
            raise Conflict(
                f"version {one.canary} of {found.rule} is tried in {', '.join(one.areas)}: promote or withdraw it first"
            )
        self._fit(conn, book, found)
        return book.with_(replace(one, live=found.version, canary=None, areas=[], withdrawn=""), found)

    def _fit(self, conn: Connection, book: Book, found: RuleVersion) -> None:
        known = book.standings.get(found.rule)
        live = None if known is None or known.live is None else book.versions[found.rule, known.live].document
        parameters.fit(parameters.in_force(conn, found.rule), live, found.document)

    # -- where a version is in force

    async def canary(
        self, rule: str, version: int, areas: Sequence[str], author: str, reason: str
    ) -> Standing:
        """A version in force in these areas and below them; elsewhere what was in force stays."""

        def change(conn: Connection, book: Book, _: int) -> tuple[Book, Standing]:
            one, found = _of(book, rule), _version(conn, rule, version)
            if one.withdrawn:
                raise Conflict(f"{rule} is withdrawn: enable it first, or try the version as a shadow")
            if version == one.live:
                raise Conflict(f"version {version} of {rule} is in force everywhere already")
            self._fit(conn, book, found)
            known = one.live is not None and book.versions[rule, one.live].document.get("case")
            if one.live is not None and found.document.get("case") != known:
                raise Conflict(
                    f"case: a canary files what the published version files ({known or 'nothing'}); publish it"
                )
            return _stood(
                book.with_(replace(one, canary=version, areas=areas_of(areas, least=1)), found), rule
            )

        return await self._change(rule, change, author, reason, f"tried version {version} as a canary")

    async def promote(self, rule: str, author: str, reason: str) -> Standing:
        """The canary in force everywhere."""

        def change(conn: Connection, book: Book, _: int) -> tuple[Book, Standing]:
            one = _of(book, rule)
            if one.canary is None:
                raise Conflict(f"{rule} has no canary")
            return _stood(self._live(conn, book, book.versions[rule, one.canary]), rule)

        return await self._change(rule, change, author, reason, "promoted the canary")

    async def shadow(
        self, rule: str, version: int, areas: Sequence[str], author: str, reason: str
    ) -> Standing:
        """A version judged beside what is in force, that tells nobody; areas: none = the whole city."""

        def change(conn: Connection, book: Book, _: int) -> tuple[Book, Standing]:
            one, found = _of(book, rule), _version(conn, rule, version)
            self._fit(conn, book, found)
            return _stood(book.with_(replace(one, shadow=version, shadow_areas=areas_of(areas)), found), rule)

        return await self._change(rule, change, author, reason, f"tried version {version} as a shadow")

    async def withdraw(self, rule: str, part: str, author: str, reason: str) -> Standing:
        """Out of force: "rule" (all of it), "canary" or "shadow". What its alarms had raised is cleared, with the reason.

        Where a canary ends its areas go back to the published version, with the alarms that both know.
        """

        def change(_: Connection, book: Book, __: int) -> tuple[Book, Standing]:
            one = _of(book, rule)
            there = {"canary": one.canary is not None, "shadow": one.shadow is not None}
            if not there.get(part, one.live is not None and not one.withdrawn):
                raise Conflict(f"{rule} has no {part} in force")
            if part == "rule":
                gone = Standing(rule, one.live, PERSON)
            elif part == "canary":
                gone = replace(one, canary=None, areas=[])
            else:
                gone = replace(one, shadow=None, shadow_areas=[])
            return _stood(book.with_(gone), rule)

        return await self._change(rule, change, author, reason, f"withdrew the {part}")

    async def enable(self, rule: str, author: str, reason: str) -> Standing:
        """A withdrawn rule in force again, by the version it had."""

        def change(conn: Connection, book: Book, _: int) -> tuple[Book, Standing]:
            one = _of(book, rule)
            if not one.withdrawn or one.live is None:
                raise Conflict(f"{rule} is not withdrawn")
            return _stood(self._live(conn, book, book.versions[rule, one.live]), rule)

        return await self._change(rule, change, author, reason, "enabled")

    async def _change(
        self,
        rule: str,
        change: Callable[[Connection, Book, int], tuple[Book, T]],
        author: str,
        reason: str,
        action: str,
    ) -> T:
        reason = why(reason)
        self._announcer.check()
        now = self._clock.now()

        def work(conn: Connection) -> T:
            before = tables.read(conn)
            after, result = change(conn, before, now)
            self._refuse(after, rule, result)
            tables.put(conn, after.standings[rule])
            if before.control() != after.control():
                announce.write(conn, [after.control()])
            audit.record(conn, now, author, f"rule {action}"[:64], f"rule:{rule}", {"reason": reason})
            return result

        async with self._turn:
            result = await self._store.write(work)
        await self._announcer.flush()
        return result

    def _refuse(self, book: Book, rule: str, result: object) -> None:
        """Whatever could not be in force: the set as it would be, and a draft for itself."""
        documents = book.control().rules
        if isinstance(result, RuleVersion) and result.document not in documents:
            documents = [*(one for one in documents if one["id"] != rule), result.document]
        try:
            self._check(documents)
        except RulesError as error:
            raise refused(error) from error
        except ValueError as error:
            raise Invalid(str(error)) from error

    # -- parameters

    async def override(
        self,
        rule: str,
        name: str,
        scope: str,
        value: str | float | None,
        author: str,
        reason: str,
        *,
        backtest: Json | None = None,
    ) -> Override:
        """A parameter's value in a scope, with or without its unit; None takes it away. Raises NotFound, Invalid."""

        def change(conn: Connection, now: int) -> Override:
            number = parameters.checked(conn, tables.read(conn), rule, name, scope, value)
            given = Parameter(rule, name, scope, number)
            return parameters.write(conn, given, author, reason, now, backtest=backtest)

        return await self._tune(change, reason)

    async def restore(
        self, rule: str, name: str, scope: str, version: int, author: str, reason: str
    ) -> Override:
        """A parameter's value in a scope as it was, as a new version that says which it restores."""

        def change(conn: Connection, now: int) -> Override:
            old = parameters.earlier(conn, rule, name, scope, version)
            number = parameters.checked(conn, tables.read(conn), rule, name, scope, old.value)
            given = Parameter(rule, name, scope, number)
            return parameters.write(conn, given, author, reason, now, restores=version)

        return await self._tune(change, reason)

    async def _tune(self, change: Callable[[Connection, int], Override], reason: str) -> Override:
        why(reason)
        self._announcer.check()
        now = self._clock.now()
        async with self._turn:
            one = await self._store.write(lambda conn: change(conn, now))
        await self._announcer.flush()
        return one


def _new(
    conn: Connection, document: Json, author: str, reason: str, now: int, restores: int | None = None
) -> RuleVersion:
    rule = document["id"]
    number = tables.next_version(conn, rule)
    return RuleVersion(
        rule,
        number,
        {**document, "version": number},
        False,
        author,
        why(reason),
        now,
        restores,
    )


def _version(conn: Connection, rule: str, version: int) -> RuleVersion:
    found = tables.one_version(conn, rule, version)
    if found is None:
        raise NotFound(f"no version {version} of rule {rule!r:.80}")
    return found


def _of(book: Book, rule: str) -> Standing:
    if rule not in book.standings:
        raise NotFound(f"no rule {rule!r:.80}")
    return book.standings[rule]


def _stood(book: Book, rule: str) -> tuple[Book, Standing]:
    return book, book.standings[rule]


__all__ = ["Override", "RuleVersion", "Rulebook", "Standing"]
