"""Who may hold an open socket: one address never takes what all need, and who proves nothing goes first (law 5)."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, Protocol

from gateway.clock import SECOND
from gateway.ingest.buckets import Buckets
from gateway.ingest.counters import Counters
from gateway.ingest.limit_settings import LimitSettings

FORGIVEN: Final = 10 * SECOND  # after the last of far too many, it may try again


class Socket(Protocol):
    """A connection, as far as it can be cut."""

    def abort(self) -> None: ...


class Verdict(Enum):
    """WAIT: not to be read, and closed after the penalty: who comes in a loop is slowed down by that."""

    ENTER = auto()
    WAIT = auto()
    LEAVE = auto()


class Address:
    """open: connections of this address. pending: those among them without an accepted CONNECT, oldest first."""

    __slots__ = ("open", "pending")

    def __init__(self) -> None:
        self.open = 0
        self.pending: dict[Socket, None] = {}


class Admission:
    """Pending are connections whose CONNECT was not accepted yet; the oldest make room for the newest.

    An attempt counts against its address until its CONNECT is accepted, so honest devices behind one address may come
    back as fast as they like. Moments are real µs of any one clock.
    """

    def __init__(self, settings: LimitSettings, connections: int, counters: Counters) -> None:
        self._counters = counters
        self._settings = settings
        self._connections = connections
        self._most = settings.connections_per_address
        self._most_pending = min(settings.pending_per_address, max(1, connections // 2))
        self._attempts = Buckets(
            settings.attempts_burst,
            int(settings.attempts_burst / settings.attempts * SECOND),
            longest=FORGIVEN,
        )
        self._open: dict[Socket, str] = {}
        self._pending: dict[Socket, str] = {}
        self._addresses: dict[str, Address] = {}

    def __len__(self) -> int:
        return len(self._open)

    @property
    def pending(self) -> int:
        return len(self._pending)

    def admit(self, address: str, socket: Socket, now: int) -> Verdict:
        """Whether this one may stay; one that is pending may have to go for it."""
        hasty = self._attempts.take(address, now) > 0
        here = self._addresses.get(address)
        if here is not None and 0 < self._most <= here.open:
            self._counters.address_crowded += 1
            return Verdict.LEAVE
        if here is not None and len(here.pending) >= self._most_pending:
            self._evict(next(iter(here.pending)))
        elif len(self._pending) >= self._settings.pending or (
            self._pending and len(self._open) >= self._connections
        ):
            self._evict(next(iter(self._pending)))
        if len(self._open) >= self._connections:
            self._counters.turned_away += 1
            return Verdict.LEAVE
        here = self._addresses.setdefault(address, Address())
        here.open += 1
        here.pending[socket] = None
        self._open[socket] = self._pending[socket] = address
        self._counters.address_hasty += hasty
        return Verdict.WAIT if hasty else Verdict.ENTER

    def proved(self, socket: Socket) -> None:
        """Its CONNECT was accepted."""
        address = self._pending.pop(socket, None)
        if address is not None:
            del self._addresses[address].pending[socket]
            self._attempts.give_back(address)

    def gone(self, socket: Socket) -> None:
        """Its socket is closed; also said of those that were never admitted."""
        address = self._open.pop(socket, None)
        if address is None:
            return
        here = self._addresses[address]
        here.open -= 1
        if self._pending.pop(socket, None) is not None:
            del here.pending[socket]
        if not here.open:
            del self._addresses[address]

    def _evict(self, socket: Socket) -> None:
        self._counters.pending_evicted += 1
        self.gone(socket)
        socket.abort()
