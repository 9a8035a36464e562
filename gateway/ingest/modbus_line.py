"""The lines of buses: connections that we open and open again, and DTUs that dial in and say who they are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from random import Random
from typing import Final, cast

from pymodbus.transport.serialtransport import create_serial_connection

from drivers.refusal import Reason, Refusal
from gateway.clock import Clock
from gateway.errors import ConfigError
from gateway.ingest.backoff import FIRST, Backoff
from gateway.ingest.inbox import Frame, Inbox
from gateway.ingest.modbus_bus import Bus

log = logging.getLogger(__name__)

CONNECT: Final = 10.0  # seconds for a connection to stand, and for a DTU to say who it is
STEADY: Final = 10.0  # seconds up after which the next break counts as the first
KEPT: Final = 256  # bytes of a stranger's first words that the quarantine gets


class Line(asyncio.Protocol):
    """A connection of one bus, whatever it runs over."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._transport: asyncio.WriteTransport | None = None
        self.up: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)  # uvloop's are not, by type
        self._bus.opened(transport)
        if not self.up.done():
            self.up.set_result(None)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._bus.received(self._transport, data)

    def connection_lost(self, error: Exception | None) -> None:
        assert self._transport is not None
        self._bus.closed(self._transport, str(str(error) or "closed by the other side"))


async def keep(bus: Bus, clock: Clock, random: Random) -> None:
    """Connect, stay, come back with jitter; until cancelled."""
    backoff = Backoff(bus.settings.reconnect_cap, random)
    while True:
        since = clock.monotonic()
        try:
            async with asyncio.timeout(CONNECT):
                await _connect(bus)
        except (
            OSError,
            RuntimeError,
        ) as error:  # a time-out is an OSError; pymodbus has RuntimeError for no pyserial
            level = logging.WARNING if backoff.bound <= FIRST else logging.DEBUG
            log.log(level, "%s: %s", bus.address, str(error) or f"no line within {CONNECT:g} s")
        else:
            why = await bus.gone()
            log.info("%s: %s", bus.address, why)
            if clock.monotonic() - since > STEADY:
                backoff.reset()
        await clock.sleep(backoff.pause())


async def _connect(bus: Bus) -> None:
    settings, loop, line = bus.settings, asyncio.get_running_loop(), Line(bus)
    if settings.kind == "rtu":
        await create_serial_connection(
            loop,
            lambda: line,
            settings.serial,
            settings.baud,
            8,
            settings.parity,
            settings.stop_bits,
            0,
        )
    else:
        await loop.create_connection(lambda: line, settings.host, settings.port)
    await line.up


class Door:
    """One port on which DTUs dial in; their registration packets tell them apart. Origin of what strangers say."""

    def __init__(self, buses: Sequence[Bus], inbox: Inbox, clock: Clock) -> None:
        self.buses = tuple(buses)
        self.inbox = inbox
        self.clock = clock
        self.strangers = 0
        self._server: asyncio.Server | None = None
        self._callers: set[Caller] = set()
        self.address = f"modbus:{buses[0].settings.host}:{buses[0].settings.port}"

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def settle(self, tokens: Sequence[int], refused: Mapping[int, Refusal]) -> None:
        """Nobody waits."""

    async def open(self) -> None:
        """Raises ConfigError where the port cannot be had."""
        settings = self.buses[0].settings
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: Caller(self, self._callers), settings.host, settings.port
            )
        except OSError as error:
            raise ConfigError([f"modbus.{settings.name}: {error}"]) from error

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for caller in list(self._callers):
            caller.abort()
        await self._server.wait_closed()

    def whose(self, words: bytes) -> tuple[Bus | None, bool]:
        """Whose registration begins these words; and whether more of them may still tell."""
        for bus in self.buses:
            if words.startswith(bus.settings.registration):
                return bus, False
        return None, any(bus.settings.registration.startswith(words) for bus in self.buses)

    def stranger(self, words: bytes, why: str) -> None:
        self.strangers += 1
        self.inbox.frames.append(
            Frame(None, -1, words[:KEPT], self.clock.now(), self, 0, self.address, Reason.UNKNOWN_DEVICE, why)
        )
        self.inbox.arrived()


class Caller(asyncio.Protocol):
    """A DTU on the line: first its registration, then its bus."""

    def __init__(self, door: Door, callers: set[Caller]) -> None:
        self._door = door
        self._callers = callers
        self._words = b""
        self._bus: Bus | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)  # uvloop's are not, by type
        self._callers.add(self)
        self._timer = asyncio.get_running_loop().call_later(CONNECT, self._mute)
        if len(self._door.buses) == 1 and not self._door.buses[0].settings.registration:
            self._belongs(self._door.buses[0])

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        if self._bus is not None:
            self._bus.received(self._transport, data)
            return
        self._words += data
        bus, open_ = self._door.whose(self._words)
        if bus is not None:
            self._belongs(bus)
            if rest := self._words[len(bus.settings.registration) :]:
                bus.received(self._transport, rest)
        elif not open_:
            self._refuse("no bus has this registration; set registration of its [[modbus]]")

    def connection_lost(self, error: Exception | None) -> None:
        self._callers.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._bus is not None and self._transport is not None:
            self._bus.closed(self._transport, str(error or "the DTU hung up"))

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _belongs(self, bus: Bus) -> None:
        assert self._transport is not None
        if self._timer is not None:
            self._timer.cancel()
        self._bus = bus
        bus.opened(self._transport)

    def _mute(self) -> None:
        self._refuse(f"no registration within {CONNECT:g} s")

    def _refuse(self, why: str) -> None:
        self._door.stranger(self._words, why)
        self.abort()
