"""Commands on their way out: in order of issue, one a device and minute, never after their time, never past the switch.

The record follows the sending: after a kill between them the same id goes again, which session and device know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from msgspec.structs import replace
from sqlalchemy import Connection, exists, select

from drivers.dialogue import encode_command
from gateway.clock import Clock
from gateway.commands import ledger
from gateway.commands.lifecycle import Event, InstructionState, State
from gateway.commands.record import COMMAND, GATEWAY, Command, as_command
from gateway.commands.settings import CommandSettings
from gateway.commands.switch import Stopped
from gateway.store.schema.commands import command, instruction
from gateway.store.store import Store

AT_ONCE: Final = 5_000  # commands that one turn looks at


class Transports(Protocol):
    """Every way down. A command that one has taken waits there until the device has it, it expires, or all is halted."""

    def deliver(self, family: str, device: str, payload: bytes, expires: int) -> bool:
        """Whether one takes it now; expires: µs UTC."""

    def halt(self) -> None:
        """At once: take nothing, and send nothing of what waits there or was left unacknowledged."""

    def resume(self) -> None:
        """Take commands again."""


class Nowhere:
    """Transports before there are any."""

    def deliver(self, family: str, device: str, payload: bytes, expires: int) -> bool:  # noqa: ARG002
        return False

    def halt(self) -> None: ...

    def resume(self) -> None: ...


class Downlink:
    """stopped: the kill switch. follow: told of each command as it leaves, before anything can answer it."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settings: CommandSettings,
        follow: Callable[[Command], None],
    ) -> None:
        self.stopped: Stopped | None = None
        self._store = store
        self._clock = clock
        self._transports: Transports = Nowhere()
        self.settings = settings
        self._follow = follow
        self._left: dict[str, int] = {}  # sent, when, and not yet recorded

    def bind(self, transports: Transports) -> None:
        """Where commands go from now on."""
        self._transports = transports
        if self.stopped is not None:
            transports.halt()

    def halt(self, stopped: Stopped) -> None:
        self.stopped = stopped
        self._transports.halt()

    def resume(self) -> None:
        self.stopped = None
        self._transports.resume()

    async def send(self) -> None:
        """Hand over what may leave and can, and record what has left. Raises StoreError."""
        await self._record()
        if self.stopped is not None:
            return
        now = self._clock.now()
        found = await self._store.read(lambda conn: self._ready(conn, now))
        served: set[str] = set()
        for one in found:
            if one.device not in served and self._deliver(one):
                served.add(one.device)
        await self._record()

    def _deliver(self, one: Command) -> bool:
        """The last look before it leaves: the switch may have been pulled since, and its time may be over."""
        now = self._clock.now()
        if self.stopped is not None or now >= one.expires:
            return False
        payload = encode_command(one.id, one.name, one.args, one.expires)
        if not self._transports.deliver(one.family, one.device, payload, one.expires):
            return False
        self._left[one.id] = now
        self._follow(replace(one, sent=now))
        return True

    def _ready(self, conn: Connection, now: int) -> list[Command]:
        other = command.alias("other")
        lately = exists(
            select(other.c.id).where(
                other.c.device == command.c.device, other.c.sent > now - self.settings.rate
            )
        )
        query = (
            select(*COMMAND)
            .join(instruction, instruction.c.id == command.c.instruction)
            .where(
                instruction.c.state == InstructionState.RUNNING,
                command.c.stage <= instruction.c.stage,
                command.c.state == State.APPROVED,
                command.c.expires > now,
                ~lately,
            )
            .order_by(command.c.seq)
            .limit(AT_ONCE)
        )
        return [as_command(row) for row in conn.execute(query)]

    async def _record(self) -> None:
        if not self._left:
            return
        left = dict(self._left)
        await self._store.write(lambda conn: _sent(conn, left))
        for id_ in left:
            del self._left[id_]


def _sent(conn: Connection, left: dict[str, int]) -> None:
    by_time: dict[int, list[str]] = {}
    for id_, now in left.items():
        by_time.setdefault(now, []).append(id_)
    for now, ids in by_time.items():
        ledger.advance(conn, ids, Event.SEND, now, GATEWAY)
    ledger.supersede(conn, list(left), max(left.values()))
