"""What the service manager is told (sd_notify(3)): one datagram a message, to the socket that NOTIFY_SOCKET names.

Without one nothing is said; a manager that does not listen never harms the gateway.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping
from typing import Final, Self

log = logging.getLogger(__name__)

SOCKET: Final = "NOTIFY_SOCKET"
WATCHDOG: Final = "WATCHDOG_USEC"
WATCHED: Final = "WATCHDOG_PID"
ABSTRACT: Final = "@"  # stands for the NUL byte that begins a name outside the file system
MICRO: Final = 1_000_000


class Manager:
    """`address` None: nobody listens. watchdog: seconds within which it wants a sign of life; 0 = it wants none."""

    def __init__(self, address: str | None, watchdog: float = 0.0) -> None:
        self.watchdog = watchdog
        self._deaf = False
        self._socket: socket.socket | None = None
        self._address = ""
        if address is None:
            return
        if not address.startswith(("/", ABSTRACT)):
            log.warning("%s=%s is no unix socket: the service manager is not told anything", SOCKET, address)
            return
        self._address = "\0" + address[1:] if address.startswith(ABSTRACT) else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """As systemd sets it; a watchdog meant for another process is not ours."""
        meant = environment.get(WATCHED, "")
        micros = environment.get(WATCHDOG, "")
        ours = micros.isdecimal() and meant in {"", str(os.getpid())}
        return cls(environment.get(SOCKET), int(micros) / MICRO if ours else 0.0)

    def ready(self, status: str) -> None:
        """Doors are open; also ends a reload."""
        self._say("READY=1", _status(status))

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._say(_status(text))

    def alive(self, status: str) -> None:
        """A sign of life; without one in time the manager restarts the gateway."""
        self._say("WATCHDOG=1", _status(status))

    def reloading(self, monotonic: float) -> None:
        """A reload begins; `ready` ends it. monotonic: seconds of CLOCK_MONOTONIC."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={int(monotonic * MICRO)}", _status("reloading"))

    def stopping(self) -> None:
        """The last ticks are being finished."""
        self._say("STOPPING=1", _status("stopping: finishing the last tick"))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _say(self, *lines: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            if not self._deaf:
                log.warning("the service manager cannot be told anything: %s", error)
            self._deaf = True
        else:
            self._deaf = False


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.split())
