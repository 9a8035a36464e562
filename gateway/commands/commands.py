"""Commands to devices, from the wish to its effect: the one owner of instructions, their stages and the kill switch.

Everything stands in operations; what is kept here can be read from there again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, func, select

from drivers.dialogue import Reply
from drivers.products.product import Product
from drivers.telemetry import Batch
from gateway.clock import Clock
from gateway.commands import approval, confirm, ledger, staging, switch
from gateway.commands.areas import covers
from gateway.commands.confirm import Sign, Watch
from gateway.commands.downlink import Downlink, Transports
from gateway.commands.figures import CommandFigures
from gateway.commands.lifecycle import OUT, UNSENT, Event, InstructionEvent, InstructionState, State
from gateway.commands.limits import families_of
from gateway.commands.record import GATEWAY, Change, Command, Entry, Instruction, as_command
from gateway.commands.request import Desk, Wish
from gateway.commands.settings import CommandSettings
from gateway.commands.switch import Stopped
from gateway.errors import Conflict, Invalid, StoreError
from gateway.history.latest import Latest
from gateway.registry.directory import Directory
from gateway.registry.roles import Areas
from gateway.store.schema.commands import command, command_event, instruction
from gateway.store.store import Store

TOLD: Final = 5_000  # changes that are published at once
TELEMETRY: Final = "telemetry"
TRANSPORT: Final = "transport"
_REPLIES: Final = {"accepted": Event.DELIVER, "applied": Event.APPLY, "failed": Event.FAIL}


class Commands:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        directory: Directory,
        products: Mapping[str, Product],
        latest: Latest,
        settings: CommandSettings,
        publish: Callable[[Sequence[Change], Sequence[Batch]], None],
    ) -> None:
        self.settings = settings
        self._store = store
        self._clock = clock
        self._directory = directory
        self._publish = publish
        self._latest = latest
        self._desk = Desk(products, settings)
        self._watch = Watch(directory, latest)
        self._downlink = Downlink(store, clock, settings, lambda one: self._watch.follow([one]))
        self._signs: list[Sign] = []
        self._told = 0  # the last line of history that was published
        self._turn = asyncio.Lock()  # nothing is sent twice
        self.figures = CommandFigures(lambda: self.stopped is not None)

    @property
    def stopped(self) -> Stopped | None:
        """The kill switch: since when, by whom and why nothing goes down."""
        return self._downlink.stopped

    def bind(self, transports: Transports) -> None:
        """Where commands go from now on."""
        self._downlink.bind(transports)

    async def load(self) -> None:
        """At the start, before a transport opens: the switch as it was left, and what is still to be confirmed."""
        stopped = await self._store.read(switch.read)
        if not self.settings.enabled:
            stopped = self._by_file()
        if stopped is not None:
            self._downlink.halt(stopped)
        self._told = await self._store.read(
            lambda conn: conn.scalar(select(func.max(command_event.c.id))) or 0
        )
        self._watch.follow(await self._store.read(ledger.confirmable))
        self._signs += self._watch.recall()

    async def request(self, wish: Wish, actor: str) -> Instruction:
        """The instruction of this wish, under way or awaiting a second person.

        Raises Invalid, NotFound, Forbidden, and Conflict where downlink is stopped.
        """
        heard = {name: self._latest.newest(name) for name in families_of(wish.name)}

        def work(conn: Connection) -> Instruction:
            known = self._desk.known(conn, wish, actor)
            if known is not None:
                return known
            if self.stopped is not None:
                raise self.stopped.refusal()
            return self._desk.take(conn, wish, actor, self._clock.now(), heard.__getitem__)

        async with self._turn:
            one = await self._store.write(work)
        await self.turn()
        return await self.find(one.id)

    async def approve(self, id: str, actor: str, note: str = "") -> Instruction:  # noqa: A002 - the field's word
        """A second person agrees. Raises NotFound, Conflict, Forbidden."""

        def work(conn: Connection) -> Instruction:
            if self.stopped is not None:
                raise self.stopped.refusal()
            return approval.agree(conn, id, actor, note, self._clock.now(), self.settings)

        async with self._turn:
            await self._store.write(work)
        await self.turn()
        return await self.find(id)

    async def refuse(self, id: str, actor: str, note: str) -> Instruction:  # noqa: A002
        """Takes back what awaits a second person. Raises NotFound, Conflict, Invalid."""
        now = self._clock.now()
        async with self._turn:
            one = await self._store.write(lambda conn: approval.refuse(conn, id, actor, note, now))
        await self.turn()
        return one

    async def stop(self, actor: str, reason: str) -> Stopped:
        """Pull the kill switch: at once on every transport, then on record. What had not left never will."""
        if not reason.strip():
            raise Invalid("say why downlink is stopped", field="reason")
        if self.stopped is not None:
            return self.stopped
        stopped = Stopped(self._clock.now(), actor, reason[: ledger.LONGEST_NOTE])
        await self._pull(stopped, switch.pull)
        return stopped

    async def change(self, settings: CommandSettings) -> None:
        """Other limits from now on. Where the file pulls the switch it is as `stop`, where it releases it as `resume`;
        what a person has stopped stays so.
        """
        self.settings = self._desk.settings = self._downlink.settings = settings
        if not settings.enabled and self.stopped is None:
            await self._pull(self._by_file())
        elif settings.enabled and self.stopped is not None and self.stopped.actor == switch.BY_FILE:
            left = await self._store.read(switch.read)
            if left is None:
                self._downlink.resume()
            else:
                self._downlink.halt(left)

    def _by_file(self) -> Stopped:
        return Stopped(self._clock.now(), switch.BY_FILE, "[commands] enabled is false")

    async def _pull(
        self, stopped: Stopped, remember: Callable[[Connection, Stopped], None] | None = None
    ) -> None:
        """At once on every transport; then what had not left is stopped for good."""
        self._downlink.halt(stopped)

        def work(conn: Connection) -> None:
            if remember is not None:
                remember(conn, stopped)
            for state in (InstructionState.REQUESTED, InstructionState.RUNNING):
                for one in ledger.in_state(conn, state):
                    staging.stop(
                        conn, one, stopped.time, stopped.actor, f"downlink stopped: {stopped.reason}"
                    )

        async with self._turn:
            await self._store.write(work)
        await self.turn()

    async def resume(self, actor: str, reason: str) -> None:
        """Release the kill switch; nothing that was stopped comes back. Raises Conflict where the file pulled it."""
        if not reason.strip():
            raise Invalid("say why downlink is resumed", field="reason")
        if not self.settings.enabled:
            raise Conflict("the configuration stops downlink: set [commands] enabled = true and reload it")
        if self.stopped is None:
            return
        now = self._clock.now()
        async with self._turn:
            await self._store.write(lambda conn: switch.release(conn, actor, reason, now))
            self._downlink.resume()

    def hear(self, batches: Sequence[Batch]) -> None:
        """Committed readings: what they confirm is noted, and recorded in the next turn."""
        if len(self._watch):
            self._signs += self._watch.hear(batches)

    def delivered(self, id: str) -> None:  # noqa: A002
        """A transport says that the device has it."""
        self._signs.append(Sign(id, Event.DELIVER))

    def undelivered(self, id: str, why: str) -> None:  # noqa: A002
        """A transport says that the device will not get it."""
        self._signs.append(Sign(id, Event.FAIL, why))

    def answer(self, conn: Connection, device: str, reply: Reply, now: int) -> bool:
        """A device's reply, in the transaction that records it; False where it was sent no such command."""
        which = command.c.id == reply.id, command.c.device == device, command.c.sent.is_not(None)
        row = conn.execute(select(command).where(*which)).one_or_none()
        if row is None:
            return False
        one, event, note = as_command(row), _REPLIES[reply.result], reply.error or ""
        if event is Event.APPLY and confirm.read_back(one.name, one.args, reply.v) is False:
            event, note = Event.FAIL, f"reads back otherwise: {reply.v}"
        ledger.advance(conn, [one.id], event, now, f"device:{device}", note)
        return True

    async def turn(self) -> None:
        """What time, replies and readings bring about, then what may leave. Raises StoreError."""
        async with self._turn:
            signs, self._signs = self._signs, []
            try:
                if bool(signs) or await self._store.read(ledger.is_open):
                    now = self._clock.now()
                    await self._store.write(lambda conn: self._look(conn, signs, now))
                    signs = []
                    await self._downlink.send()
                    self._watch.forget(now)
            except StoreError:
                self._signs = signs + self._signs
                raise
            await self._tell()

    def _look(self, conn: Connection, signs: Sequence[Sign], now: int) -> None:
        for event, actor in ((Event.DELIVER, TRANSPORT), (Event.APPLY, TELEMETRY), (Event.EFFECT, TELEMETRY)):
            ids = list(dict.fromkeys(sign.id for sign in signs if sign.event is event))
            ledger.advance(conn, ids, event, now, actor)
        for sign in signs:
            if sign.event is Event.FAIL:  # what has been seen to be carried out has not failed
                lost = and_(command.c.id == sign.id, command.c.state.in_(OUT))
                ledger.advance_all(conn, lost, Event.FAIL, now, TRANSPORT, sign.note)
        late = command.c.expires <= now
        unsent, out = command.c.state.in_(UNSENT), command.c.state.in_(OUT)
        ledger.advance_all(conn, and_(unsent, late), Event.EXPIRE, now, GATEWAY, "could not leave in time")
        ledger.advance_all(conn, and_(out, late), Event.EXPIRE, now, GATEWAY, "was not confirmed in time")
        unseen = and_(command.c.state == State.APPLIED, command.c.due <= now)
        ledger.advance_all(conn, unseen, Event.FAIL, now, GATEWAY, "applied, but no effect was seen")
        for one in ledger.in_state(conn, InstructionState.REQUESTED):
            if one.expires <= now:
                ledger.step(conn, one, InstructionEvent.EXPIRE, now, GATEWAY, "nobody agreed in time")
        for one in ledger.in_state(conn, InstructionState.RUNNING):
            staging.go_on(conn, one, now, self.settings)

    async def _tell(self) -> None:
        """Publish what history has gained."""
        while lines := await self._store.read(lambda conn: _lines(conn, self._told)):
            self._told = lines[-1].id
            changes = [self._change(line) for line in lines]
            self.figures.count(changes)
            self._publish(changes, ())

    def _change(self, line: Row[Any]) -> Change:
        known = self._directory.device(line.device) if line.device else None
        return Change(
            "command" if line.command else "instruction",
            line.command or line.instruction,
            line.instruction,
            line.event,
            line.state,
            line.name,
            line.family,
            line.device or "",
            known.area if known else "",
            line.time,
            line.actor,
            line.note,
        )

    async def find(self, id: str) -> Instruction:  # noqa: A002
        """Raises NotFound."""
        return await self._store.read(lambda conn: ledger.find(conn, id))

    async def instructions(
        self, state: str | None, before: str | None, limit: int, areas: Areas = ()
    ) -> list[Instruction]:
        """Newest first. areas: that the caller is limited to."""
        return await self._store.read(lambda conn: ledger.instructions(conn, state, before, limit, areas))

    async def covers(self, areas: Areas, id: str) -> bool:  # noqa: A002
        """Whether all devices of an instruction lie in these areas."""
        return await self._store.read(lambda conn: covers(conn, areas, id))

    async def counts(self, id: str) -> dict[State, int]:  # noqa: A002
        return await self._store.read(lambda conn: ledger.counts(conn, id))

    async def history(self, id: str, after: int, limit: int) -> list[Entry]:  # noqa: A002
        """Who and what changed it and its commands, in order; raises NotFound."""

        def work(conn: Connection) -> list[Entry]:
            ledger.find(conn, id)
            return ledger.history(conn, id, after, limit)

        return await self._store.read(work)

    async def of_instruction(self, id: str, after: int, limit: int) -> list[Command]:  # noqa: A002
        """Its commands in order of issue, from the one after seq `after`."""
        which = and_(command.c.instruction == id, command.c.seq > after)
        return await self._store.read(lambda conn: ledger.commands(conn, which, limit))

    async def listing(self, device: str, before: int | None, limit: int) -> list[Command]:
        """A device's commands, newest first, from the one before seq `before`."""
        which = command.c.device == device
        if before is not None:
            which = and_(which, command.c.seq < before)
        return await self._store.read(lambda conn: ledger.commands(conn, which, limit, newest=True))


def _lines(conn: Connection, after: int) -> list[Row[Any]]:
    e = command_event.c
    query = (
        select(
            e.id,
            e.instruction,
            e.command,
            e.time,
            e.event,
            e.state,
            e.actor,
            e.note,
            instruction.c.name,
            instruction.c.family,
            command.c.device,
        )
        .join(instruction, instruction.c.id == e.instruction)
        .outerjoin(command, command.c.id == e.command)
        .where(e.id > after)
        .order_by(e.id)
        .limit(TOLD)
    )
    return list(conn.execute(query))
