"""Rules that act: a recorded alarm starts what its rule says, its end stops it, within run and pause times and weather.

What runs stands in operations, so a restart starts no pump twice. Every command goes through the limits as anyone's.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, delete, insert, select

from drivers.telemetry import LAST_JUDGED, MINUTE, SECOND
from gateway.cases.lifecycle import AlarmState
from gateway.clock import Clock
from gateway.commands.commands import Commands
from gateway.commands.record import RULE
from gateway.commands.request import Wish
from gateway.commands.selection import Target
from gateway.errors import CallerError
from gateway.history.latest import Latest
from gateway.store.schema.cases import alarm
from gateway.store.schema.commands import linkage
from gateway.store.schema.registry import device
from gateway.store.store import Store
from rules import action
from rules.action import Action

log = logging.getLogger(__name__)

FRESH: Final = 15 * MINUTE  # what is known of the weather counts for so long
FOREVER: Final = 2**62  # µs UTC, of what has no length of its own
REREAD: Final = 10.0  # real seconds for which the rules in force are remembered
LIFETIME: Final = 2 * MINUTE  # of a command: a spray that could not start then waits for the next pause

Documents = Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]


class Site(Struct, frozen=True):
    """A device whose alarm stands, or where a rule has something running. began, ends: of the last run, µs UTC."""

    device: str
    family: str
    index: int
    standing: bool
    began: int = 0
    ends: int = 0


class Linkage:
    """documents: the rules in force."""

    def __init__(
        self, commands: Commands, store: Store, clock: Clock, latest: Latest, documents: Documents
    ) -> None:
        self._commands = commands
        self._store = store
        self._clock = clock
        self._latest = latest
        self._documents = documents
        self._acting: dict[str, Action] = {}
        self._read = float("-inf")

    async def turn(self) -> None:
        """Start and stop what is due. Raises StoreError."""
        if self._commands.stopped is not None:
            return
        if self._clock.monotonic() - self._read >= REREAD:
            self._read = self._clock.monotonic()
            documents = await self._documents()
            acting = {document["id"]: action.read(document) for document in documents}
            self._acting = {rule: one for rule, one in acting.items() if one is not None}
        for rule, one in self._acting.items():
            await self._rule(rule, one)

    async def _rule(self, rule: str, acting: Action) -> None:
        for site in await self._store.read(lambda conn: _sites(conn, rule)):
            now = self._clock.now()
            forbidden = self._forbidden(acting, site, now)
            if now < site.ends:
                over = not site.standing and now >= site.began + acting.min_run
                if forbidden or over:
                    await self._stop(rule, acting, site, forbidden or "cleared", now)
            elif site.standing and not forbidden and now >= site.ends + acting.min_pause:
                await self._start(rule, acting, site, now)

    def _forbidden(self, acting: Action, site: Site, now: int) -> str:
        """Which weather keeps it from running; "" where none does."""
        known = self._latest.get(site.family, site.index)
        for bound in acting.not_when:
            one = known.get(bound.point)
            usable = one is not None and one.quality <= LAST_JUDGED and one.time > now - FRESH
            value = one.value if one is not None and usable else None
            if bound.forbids(value):
                return f"{bound.point} is {'not known' if value is None else f'{value:g}'}"
        return ""

    async def _start(self, rule: str, acting: Action, site: Site, now: int) -> None:
        """What the limits refuse is tried again after the pause."""
        length = acting.args.get("duration", 0)
        ends = now + round(float(length) * SECOND) if length else FOREVER
        wish = Wish(acting.command, Target((site.device,)), acting.args, LIFETIME, "raised")
        refusal = await self._tell(rule, wish, f"{site.device} after {site.ends}")
        if refusal:
            log.warning("rule %s cannot start %s: %s", rule, site.device, refusal)
        await self._note(rule, site.device, now, now if refusal else ends)

    async def _stop(self, rule: str, acting: Action, site: Site, why: str, now: int) -> None:
        """What the limits refuse is tried again in the next turn; its own length ends it at last."""
        wish = Wish(acting.command, Target((site.device,)), acting.undo, LIFETIME, why)
        if not await self._tell(rule, wish, f"{site.device} since {site.began}"):
            await self._note(rule, site.device, site.began, now)

    async def _tell(self, rule: str, wish: Wish, key: str) -> str:
        """Why the limits do not let it; "" where they do. The key makes a kill before the note cost nothing."""
        try:
            await self._commands.request(replace(wish, key=key), f"{RULE}{rule}")
        except CallerError as refusal:
            return refusal.detail
        return ""

    async def _note(self, rule: str, name: str, began: int, ends: int) -> None:
        def work(conn: Connection) -> None:
            conn.execute(delete(linkage).where(linkage.c.rule == rule, linkage.c.device == name))
            conn.execute(insert(linkage).values(rule=rule, device=name, began=began, ends=ends))

        await self._store.write(work)


def _sites(conn: Connection, rule: str) -> list[Site]:
    """Where its alarm stands, unshelved, and where it has had something running."""
    stands = select(alarm.c.device, alarm.c.family, alarm.c.idx).where(
        alarm.c.rule == rule,
        alarm.c.standing.is_(True),
        alarm.c.state.in_([AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED]),
    )
    standing = {row.device: (row.family, row.idx) for row in conn.execute(stands)}
    ran = select(linkage.c.device, linkage.c.began, linkage.c.ends, device.c.family, device.c.idx).join(
        device, device.c.id == linkage.c.device
    )
    found = {
        row.device: Site(row.device, row.family, row.idx, row.device in standing, row.began, row.ends)
        for row in conn.execute(ran.where(linkage.c.rule == rule))
    }
    new = [Site(name, *place, standing=True) for name, place in standing.items() if name not in found]
    return [*found.values(), *new]
