"""What the link itself says of a device: connected and lost become status readings, a cloned identity an event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from drivers.refusal import Refusal
from gateway.clock import SECOND, Clock
from gateway.ingest.hub import Why
from gateway.ingest.inbox import Frame, Inbox, Lane
from gateway.ingest.session import Principal

ONLINE: Final = b'{"state":"online"}'
DEVICE: Final = "device"
OFFLINE: Final = b'{"state":"offline"}'
CLONED: Final = b'{"event":"identityCloned"}'
RESTORED: Final = b'{"event":"identityRestored"}'  # a word of the gateway's own: "normal" is the device's
QUIET: Final = (
    3600 * SECOND
)  # city time without a takeover after which a cloned identity counts as its own again


class Placed(Protocol):
    """Where a device's frames go."""

    @property
    def family(self) -> str: ...
    @property
    def product(self) -> str: ...
    @property
    def index(self) -> int: ...
    @property
    def retired(self) -> bool: ...


class Roll(Protocol):
    """Finds a device by its id (gateway.registry.directory)."""

    def device(self, id: str, /) -> Placed | None: ...  # noqa: A002 - the field's word


class Itself:
    """The gateway as the origin of a frame: nobody waits for its settlement."""

    address = "gateway"

    def settle(self, tokens: Sequence[int], refused: Mapping[int, Refusal]) -> None:
        """Nobody waits."""


class Presence:
    """The endpoint's listener."""

    def __init__(
        self, inbox: Inbox, directory: Roll, lanes: Callable[[str, str, str], Lane], clock: Clock
    ) -> None:
        self._inbox = inbox
        self._directory = directory
        self._lanes = lanes
        self._clock = clock
        self._origin = Itself()
        self._cloned: dict[str, int] = {}  # when last, by device

    def connected(self, principal: Principal, at: int) -> None:
        self._say(principal.kind, principal.name, "status", ONLINE, at)

    def disconnected(self, principal: Principal, at: int, why: Why) -> None:
        """Not where the gateway itself goes: that says nothing of the device."""
        if why is not Why.STOPPED:
            self._say(principal.kind, principal.name, "status", OFFLINE, at)

    def cloned(self, principal: Principal) -> None:
        """Too many takeovers of one identity."""
        if principal.kind == DEVICE:
            self._cloned[principal.name] = self._clock.now()
        self._say(principal.kind, principal.name, "event", CLONED, self._clock.now())

    def recall(self, names: Iterable[str]) -> None:
        """After a start: devices whose clone was told and not ended; their hour begins anew."""
        self._cloned = dict.fromkeys(names, self._clock.now()) | self._cloned

    def settle(self) -> None:
        """Looked at now and then: identities that nobody has fought over for an hour."""
        now = self._clock.now()
        for name in [name for name, at in self._cloned.items() if now - at > QUIET]:
            del self._cloned[name]
            self._say(DEVICE, name, "event", RESTORED, now)

    def _say(self, kind: str, name: str, channel: str, payload: bytes, at: int) -> None:
        entry = self._directory.device(name) if kind == DEVICE else None
        if entry is None or entry.retired:
            return
        lane = self._lanes(entry.product, entry.family, channel)
        self._inbox.frames.append(Frame(lane, entry.index, payload, at, self._origin, 0))
        self._inbox.arrived()
