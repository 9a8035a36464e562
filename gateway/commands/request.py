"""A wish becomes an instruction: typed, allowed, bounded, staged; alone where one person may, else awaiting a second.

All in one transaction, so that no two wishes slip through the limits side by side.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, repeat
from typing import Final

from msgspec import Struct, convert, to_builtins
from sqlalchemy import Connection, func, select

from drivers.products.product import Product
from drivers.telemetry import SECOND, Int64
from gateway.commands import ledger, limits, selection, staging
from gateway.commands.confirm import has_effect
from gateway.commands.lifecycle import OUT, UNSENT, InstructionState, State
from gateway.commands.limits import Asked, Site
from gateway.commands.record import GATEWAY, RULE, Command, Instruction
from gateway.commands.selection import Target
from gateway.commands.settings import CommandSettings
from gateway.errors import Conflict, Forbidden, Invalid
from gateway.registry.roles import Areas, covers
from gateway.registry.rows import portions
from gateway.store import audit
from gateway.store.schema.commands import command, instruction
from gateway.store.schema.registry import device

RECENT: Final = 3  # intervals within which a device was heard that may go first

Heard = Callable[[str], Int64]


class Wish(Struct, frozen=True):
    """What somebody asks for. args: labels or numbers. lifetime: µs, 0 = the usual. key: makes asking twice asking once."""

    name: str
    target: Target
    args: Mapping[str, float | str] = {}
    lifetime: int = 0
    note: str = ""
    key: str | None = None
    areas: Areas = ()  # that who asks is limited to


class Desk:
    """Takes wishes in, inside the caller's transaction."""

    def __init__(self, products: Mapping[str, Product], settings: CommandSettings) -> None:
        self._products = products
        self.settings = settings

    def known(self, conn: Connection, wish: Wish, actor: str) -> Instruction | None:
        """What this wish has become already; raises Conflict where its key stands for another."""
        one = ledger.by_key(conn, actor, wish.key) if wish.key else None
        if one is None:
            return None
        same = one.name == wish.name and convert(one.target["asked"], Target) == wish.target
        if not same or one.args != limits.typed(one.family, one.name, wish.args):
            raise Conflict("this key stands for another instruction", instruction=one.id)
        return one

    def take(self, conn: Connection, wish: Wish, actor: str, now: int, heard: Heard) -> Instruction:
        """The new instruction. Raises Invalid, NotFound, Forbidden, Conflict. heard: a family's devices, by index, when."""
        settings = self.settings
        lifetime = wish.lifetime or settings.lifetime
        if not SECOND <= lifetime <= settings.longest_lifetime:
            raise Invalid(f"a command lives 1 s to {settings.longest_lifetime // SECOND} s")
        told, skipped = self._told(conn, wish)
        args = limits.typed(told[0].family, wish.name, wish.args)
        for product in {site.product for site in told}:
            limits.fits(self._products[product], wish.name, args)
        self._room(conn, told)
        ruled = actor.startswith(RULE)
        if ruled and wish.name not in settings.linkage:
            raise Forbidden(f"rules may not command {wish.name}; see [commands] linkage")
        sizes = limits.stages(len(told), settings)
        until = now + (max(lifetime, settings.staged) if len(sizes) > 1 else lifetime)
        second = (
            "" if ruled else "; ".join(self._second(conn, wish.name, args, told, actor, now=now, until=until))
        )
        one = Instruction(
            id=secrets.token_hex(8),
            actor=actor,
            key=wish.key,
            name=wish.name,
            args=args,
            family=told[0].family,
            target={"asked": to_builtins(wish.target), "skipped": skipped},
            note=wish.note[: ledger.LONGEST_NOTE],
            devices=len(told),
            stages=sizes,
            stage=-1,
            second=second,
            approver="",
            lifetime=lifetime,
            created=now,
            expires=now + settings.approval if second else until,
            state=InstructionState.REQUESTED,
            changed=now,
            error="",
        )
        ledger.add(conn, one, self._commands(conn, one, self._in_order(told, heard(told[0].family), now)))
        detail = {"name": one.name, "args": args, "devices": len(told), "second": second}
        audit.record(conn, now, actor, "instruction asked for", f"instruction:{one.id}", detail)
        if not second:
            staging.approve(conn, one, now, GATEWAY, settings)
        return ledger.find(conn, one.id)

    def _told(self, conn: Connection, wish: Wish) -> tuple[list[Site], int]:
        """Whom it goes to, and how many of a group are of products that cannot be told so."""
        found = selection.choose(conn, wish.target, wish.name, self._products, self.settings.largest_order)
        if any(not covers(wish.areas, site.area) for site in found):
            raise Forbidden("a device of these lies outside the areas that you are limited to")
        able = [site for site in found if wish.name in self._allowed(site.product)]
        if not able or (wish.target.devices and len(able) < len(found)):
            other = next(site for site in found if site not in able)
            can = ", ".join(sorted(self._allowed(other.product))) or "nothing"
            raise Invalid(f"{other.id} is a {other.product}, which may be told {can}")
        return able, len(found) - len(able)

    def _allowed(self, product: str) -> frozenset[str]:
        found = self._products.get(product)
        return limits.allowed(found, self.settings) if found else frozenset()

    def _room(self, conn: Connection, told: Sequence[Site]) -> None:
        most = self.settings.open_commands
        for portion in portions([site.id for site in told]):
            held = command.c.device.in_(portion), command.c.state.in_(UNSENT | OUT)
            query = select(command.c.device).where(*held).group_by(command.c.device)
            full = conn.scalar(query.having(func.count() >= most).limit(1))
            if full is not None:
                raise Conflict(f"{full} has {most} open commands already")

    def _second(
        self,
        conn: Connection,
        name: str,
        args: Mapping[str, float],
        told: Sequence[Site],
        actor: str,
        *,
        now: int,
        until: int,
    ) -> list[str]:
        settings = self.settings
        lamps = selection.lamps_of(conn, told, name, self._products)
        lately = _lately(conn, actor, now - settings.adding_up, self._products)
        areas = sorted({limits.area_of(site.area, settings) for site in (*told, *lamps)})
        there = selection.census(conn, areas, (lamps or told)[0].family)
        asked = Asked(name, args, () if lamps else told, lamps, lately, there, now, until)
        return list(limits.second_person(asked, settings))

    @staticmethod
    def _in_order(told: Sequence[Site], heard: Int64, now: int) -> list[Site]:
        """Those that were heard of late first: a first stage that cannot answer says nothing of the others."""

        def silent(site: Site) -> bool:
            since = now - RECENT * site.interval
            return not (site.index < len(heard) and heard[site.index] >= since)

        return sorted(told, key=lambda site: (silent(site), site.id))

    def _commands(self, conn: Connection, one: Instruction, told: Sequence[Site]) -> list[Command]:
        first = ledger.next_seq(conn)
        stage_of = chain.from_iterable(repeat(stage, size) for stage, size in enumerate(one.stages))
        return [
            Command(
                id=secrets.token_hex(8),
                seq=first + place,
                instruction=one.id,
                device=site.id,
                family=site.family,
                name=one.name,
                args=one.args,
                actor=one.actor,
                stage=stage,
                created=one.created,
                expires=one.expires,
                state=State.REQUESTED,
                changed=one.created,
                error="",
                sent=None,
                patience=self.settings.effect + site.interval if has_effect(one.name) else 0,
                due=None,
                rated=site.rated,
            )
            for place, (site, stage) in enumerate(zip(told, stage_of, strict=True))
        ]


def _lately(conn: Connection, actor: str, since: int, products: Mapping[str, Product]) -> dict[str, str]:
    """Area by device of what this person has commanded alone since then, and of the lamps that hang on it."""
    query = (
        select(device.c.id, device.c.area, command.c.name)
        .join(command, command.c.device == device.c.id)
        .join(instruction, instruction.c.id == command.c.instruction)
        .where(instruction.c.actor == actor, instruction.c.created > since, instruction.c.second == "")
        .distinct()
    )
    found = conn.execute(query).all()
    cabinets = [row.id for row in found if row.name == selection.CONTACTOR]
    lamps = selection.beneath(conn, cabinets, limits.LAMP, products) if cabinets else []
    return {row.id: row.area for row in found} | {site.id: site.area for site in lamps}
