"""Modbus slaves as the bus meets them: over TCP, RTU over TCP, or behind a DTU that dials in; with faults at the byte seam.

What a slave says comes from the registers of its product (drivers.modbus.values); how it says it, from its fault and its line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Final, cast

from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU

from drivers.modbus.plan import FUNCTION, Read
from drivers.modbus.values import Image, answer
from drivers.modbus.words import BIT_TABLES

_RTU: Final = FramerRTU(DecodePDU(True))
_TCP: Final = FramerSocket(DecodePDU(True))
_TABLES: Final = {function: table for table, function in FUNCTION.items()}
_MOST: Final = {"coil": 2000, "discrete": 2000, "holding": 125, "input": 125}
CHARACTER: Final = 10  # bits of 8N1

Later = list[tuple[float, bytes]]  # what is sent, and how many seconds from now


@dataclass(slots=True)
class Fault:
    """dead: never answers. late: seconds after which it does. garbled: share of its frames. exception: its only answer."""

    dead: bool = False
    late: float = 0.0
    garbled: float = 0.0
    exception: int = 0


@dataclass(slots=True)
class Slave:
    """One unit. extent: the last address it has of each table, none where it has none; holes: what it has not in between."""

    unit: int
    image: Image
    fault: Fault = field(default_factory=Fault)
    turnaround: float = 0.0
    extent: dict[str, int] = field(default_factory=dict)
    holes: tuple[tuple[str, int, int], ...] = ()
    asked: int = 0
    refresh: Callable[[], Image] | None = None  # what its registers hold now

    def respond(self, pdu: bytes) -> bytes:
        """The answer to a request, an exception among them."""
        self.asked += 1
        function = pdu[0]
        if self.fault.exception:
            return bytes([function | 0x80, self.fault.exception])
        if self.refresh is not None:
            self.image = self.refresh()
        if function in _TABLES:
            return self._read(function, pdu)
        if function in {5, 6, 15, 16}:
            return self._write(function, pdu)
        return bytes([function | 0x80, 1])

    def _read(self, function: int, pdu: bytes) -> bytes:
        table = _TABLES[function]
        read = Read(table, int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big"))
        if not 1 <= read.length <= _MOST[table]:
            return bytes([function | 0x80, 3])
        if not self._has(read):
            return bytes([function | 0x80, 2])
        data = answer(self.image, read)
        return bytes([function, len(data)]) + data

    def _write(self, function: int, pdu: bytes) -> bytes:
        table = "coil" if function in {5, 15} else "holding"
        start, value = int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big")
        length = value if function in {15, 16} else 1
        if not self._has(Read(table, start, length)):
            return bytes([function | 0x80, 2])
        cells = self.image.setdefault(table, {})
        if function == 5:
            cells[start] = int(value == 0xFF00)
        elif function == 6:
            cells[start] = value
        else:
            data = pdu[6:]
            for place in range(length):
                word = data[2 * place : 2 * place + 2]
                cells[start + place] = (
                    data[place >> 3] >> (place & 7) & 1
                    if table in BIT_TABLES
                    else int.from_bytes(word, "big")
                )
        return pdu[:5]

    def _has(self, read: Read) -> bool:
        last = self.extent.get(read.table, max(self.image.get(read.table, {}), default=-1))
        return read.end - 1 <= last and not any(
            table == read.table and first < read.end and end >= read.start for table, first, end in self.holes
        )


class Line:
    """All slaves of one line, RTU or TCP. baud 0: bytes take no time."""

    def __init__(self, slaves: Iterable[Slave], random: Random, *, rtu: bool, baud: int = 0) -> None:
        self.slaves = {slave.unit: slave for slave in slaves}
        self.rtu = rtu
        self._random = random
        self._baud = baud
        self._buffer = b""

    def ear(self) -> Line:
        """The same line as another connection hears it."""
        return Line(self.slaves.values(), self._random, rtu=self.rtu, baud=self._baud)

    def wire(self, characters: int) -> float:
        """Seconds that so many characters take."""
        return characters * CHARACTER / self._baud if self._baud else 0.0

    def hear(self, data: bytes) -> Later:
        """What the slaves send after these bytes of the master."""
        self._buffer += data
        sent: Later = []
        while (found := self._request()) is not None:
            used, unit, number, pdu = found
            frame, self._buffer = self._buffer[:used], self._buffer[used:]
            slave = self.slaves.get(unit)
            if slave is None or slave.fault.dead:
                continue
            reply = slave.respond(pdu)
            out = _RTU.encode(reply, unit, 0) if self.rtu else _TCP.encode(reply, unit, number)
            out = self._garbled(slave, out)
            delay = self.wire(len(frame)) + slave.turnaround + slave.fault.late + self.wire(len(out))
            sent.append((delay, out))
        return sent

    def _request(self) -> tuple[int, int, int, bytes] | None:
        """(bytes used, unit, transaction, PDU) of the request at the head of the buffer, if it is whole."""
        buffer = self._buffer
        if not self.rtu:
            used, unit, number, pdu = _TCP.decode(buffer)
            return (used, unit, number, pdu) if used else None
        if len(buffer) < 8:
            return None
        size = 9 + buffer[6] if buffer[1] in {15, 16} else 8
        if len(buffer) < size:
            return None
        if not FramerRTU.check_CRC(buffer[: size - 2], int.from_bytes(buffer[size - 2 : size], "big")):
            self._buffer = b""
            return None
        return size, buffer[0], 0, buffer[1 : size - 2]

    def _garbled(self, slave: Slave, frame: bytes) -> bytes:
        """On TCP the MBAP header survives, as TCP's own checksum would see to."""
        if self._random.random() >= slave.fault.garbled:
            return frame
        head = 0 if self.rtu else 7
        place = self._random.randrange(head, len(frame))
        return frame[:place] + bytes([frame[place] ^ self._random.randrange(1, 256)]) + frame[place + 1 :]


class Serving(asyncio.Protocol):
    """A connection to the master; every byte goes out when its time has come."""

    def __init__(self, line: Line, links: set[Serving], greeting: bytes = b"") -> None:
        self._line = line.ear()
        self._links = links
        self._greeting = greeting
        self._transport: asyncio.Transport | None = None
        self._timers: set[asyncio.TimerHandle] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._links.add(self)
        if self._greeting:
            self._transport.write(self._greeting)

    def data_received(self, data: bytes) -> None:
        for delay, frame in self._line.hear(data):
            if delay <= 0:
                self.say(frame)
            else:
                self._later(delay, frame)

    def connection_lost(self, error: Exception | None) -> None:
        del error
        self._links.discard(self)
        for timer in self._timers:
            timer.cancel()

    def say(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def hang_up(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _later(self, delay: float, frame: bytes) -> None:
        def due() -> None:
            self._timers.discard(timer)
            self.say(frame)

        timer = asyncio.get_running_loop().call_later(delay, due)
        self._timers.add(timer)


class Slaves:
    """A line on the network: it listens, or dials in as a DTU does."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.links: set[Serving] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def listen(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Modbus TCP, or RTU over TCP, as the line is."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Serving(self.line, self.links), host, port)

    async def dial(self, host: str, port: int, registration: bytes) -> Serving:
        """As a DTU: say who we are, then be a line."""
        loop = asyncio.get_running_loop()
        _, serving = await loop.create_connection(
            lambda: Serving(self.line, self.links, registration), host, port
        )
        return serving

    async def close(self) -> None:
        for link in list(self.links):
            link.hang_up()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
