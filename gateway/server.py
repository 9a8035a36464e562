"""The HTTP listeners: one TCP port for the city, one local socket for this machine's `citygate` command.

uvicorn serves inside our own tasks: it installs no signal handlers and owns no loop.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api.auth import LOCAL
from gateway.clock import Clock
from gateway.errors import ConfigError
from gateway.tasks import Tasks

POLL = 0.01


class _Quiet(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Server:
    """An application on a listening socket that stands already, so that its port is known before it serves."""

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        self._listener = listener
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            loop="none",
            ws="none",
            timeout_graceful_shutdown=2,
        )
        self._server = _Quiet(config)

    @property
    def port(self) -> int:
        name = self._listener.getsockname()
        return int(name[1]) if isinstance(name, tuple) else 0

    def start(self, name: str, tasks: Tasks) -> None:
        tasks.start(name, self._server.serve(sockets=[self._listener]))

    async def stop(self, clock: Clock) -> None:
        """Finish the requests that run; streams are cut."""
        self._server.should_exit = True
        while (
            self._server.started
            and self._server.servers
            and any(s.is_serving() for s in self._server.servers)
        ):
            await clock.sleep(POLL)
        self._listener.close()


class LocalDoor:
    """Whoever may open the local socket acts as admin, unless they bring a token: it is put on here, and nowhere else."""

    def __init__(self, app: ASGIApp, word: str) -> None:
        self._app = app
        self._header = (b"authorization", f"Bearer {word}".encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = scope["headers"]
            if not any(name == b"authorization" for name, _ in headers):  # a person may come as themselves
                headers = [*headers, self._header]
            scope = {**scope, "headers": headers, LOCAL: True}
        await self._app(scope, receive, send)


def listen_tcp(host: str, port: int) -> socket.socket:
    """Raises ConfigError where the address cannot be had."""
    try:
        return socket.create_server((host, port), backlog=1024)
    except OSError as error:
        raise ConfigError(
            [f"http: cannot listen on {host}:{port}: {error.strerror}; set [http] port"]
        ) from error


def listen_local(path: Path) -> socket.socket:
    """A socket that only this user can open; one that a dead gateway left is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise ConfigError(
            [f"data: the local socket {path} cannot be made: {error.strerror or error}"]
        ) from error
    path.chmod(0o600)
    listener.listen(64)
    return listener
