"""The endpoint without its sockets: real connections, fed by hand, that write their acknowledgements to nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from drivers.mqtt.packets import V311, Connect
from drivers.mqtt.writer import encode
from gateway.app import App
from gateway.cli.bench.town import Reads
from gateway.clock import CityClock
from gateway.ingest.connection import Connection
from gateway.ingest.hub import Hub
from gateway.ingest.inbox import Inbox
from gateway.ingest.logins import Logins
from gateway.ingest.presence import Presence
from gateway.ingest.session import Sessions
from gateway.ingest.session_rows import SessionRows
from gateway.registry import secret
from gateway.registry.directory import Voice

SECRET: Final = secret.generate()
ACK: Final = 4  # bytes


class StepClock(CityClock):
    """City time that can be set ahead: a reading a minute, and no minute to wait."""

    def __init__(self, start: int) -> None:
        super().__init__(start)
        self._ahead = 0

    def now(self) -> int:
        return super().now() + self._ahead

    def reach(self, moment: int) -> None:
        """Go on from `moment` (µs UTC) where it is later than now."""
        self._ahead += max(0, moment - self.now())


class Tally:
    """How many acknowledgements were written."""

    def __init__(self) -> None:
        self.count = 0
        self._goal = 0
        self._reached = asyncio.Event()

    def add(self, n: int) -> None:
        self.count += n
        if self.count >= self._goal:
            self._reached.set()

    async def reach(self, goal: int) -> None:
        self._goal = goal
        if self.count < goal:
            self._reached.clear()
            await self._reached.wait()


class Wire(asyncio.Transport):
    """Takes what is written, and forgets it."""

    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self._tally = tally

    def write(self, data: Any) -> None:
        self._tally.add(len(data) // ACK)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 0) if name == "peername" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It never fills."""

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        """Who feeds it knows how much is under way."""

    def resume_reading(self) -> None:
        """Same."""

    def abort(self) -> None:
        """There is nothing to abort."""

    def close(self) -> None:
        """There is nothing to close."""


class Carriers:
    """`n` connections of sources that may speak for every device, into `inbox`."""

    def __init__(self, gateway: App, inbox: Inbox, n: int) -> None:
        sessions = Sessions(
            gateway.core.config.mqtt.endpoint, gateway.core.clock, SessionRows(gateway.core.store)
        )
        presence = Presence(inbox, gateway.core.directory, gateway.core.decoding.lane, gateway.core.clock)
        settings, lane = gateway.core.config.mqtt.endpoint, gateway.core.decoding.lane
        core = gateway.core
        self._hub = Hub(
            settings,
            core.directory,
            inbox,
            core.clock,
            presence,
            lane,
            sessions,
            Logins(core.config.logins, core.clock),
        )
        self.inbox = inbox
        self.tally = Tally()
        names = [f"carrier-{number}" for number in range(n)]
        digests = [secret.digest(f"{SECRET}{name}") for name in names]
        gateway.core.directory.put_voices(
            Voice(name, ("city/#",), None, "", digest) for name, digest in zip(names, digests, strict=True)
        )
        self.lines = [self.connect(name, f"{SECRET}{name}") for name in names]
        self.tally.count = 0

    def feed(self, reads: Sequence[Reads]) -> None:
        """What the event loop would read, all at once."""
        for one in reads:
            line = self.lines[one.carrier]
            for chunk in one.chunks:
                line.data_received(chunk)

    def connect(self, name: str, word: str) -> Connection:
        """A connection whose CONNECT was accepted; what presence says of it is dropped."""
        line = Connection(self._hub)
        line.connection_made(Wire(self.tally))
        hello = Connect(client_id=name, version=V311, username=name, password=word.encode())
        line.data_received(encode(hello, V311, server=False))
        assert line.known
        self.inbox.frames.clear()
        return line
