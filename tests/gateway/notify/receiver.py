"""A receiver of webhooks on loopback that misbehaves on demand."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ssl
from collections.abc import Callable
from hashlib import sha256
from types import TracebackType
from typing import Any, NamedTuple, Self

from msgspec import json

SECRET = "sixteen-characters-or-more"  # what it shares with the gateway
LOOPBACK = ["127.0.0.0/8"]  # what a channel that posts to it must allow


class Request(NamedTuple):
    headers: dict[str, str]
    body: bytes
    target: str = "/"

    @property
    def genuine(self) -> bool:
        """The receiver's own reading of the signature, as the documentation tells it."""
        signed = self.headers["citygate-timestamp"].encode() + b"." + self.body
        expected = "sha256=" + hmac.new(SECRET.encode(), signed, sha256).hexdigest()
        return hmac.compare_digest(self.headers["citygate-signature"], expected)

    @property
    def message(self) -> dict[str, Any]:
        found: dict[str, Any] = json.decode(self.body)
        return found


class Reply(NamedTuple):
    """status: with further headers. An empty one cuts the connection."""

    status: str
    body: bytes = b""


class Receiver:
    """`answer(request)` gives the status line and headers to send, or more; None = keep silent.

    flood: sent over and over as the body. tls: its side of the handshake.
    """

    def __init__(
        self,
        answer: Callable[[Request], str | Reply | None] = lambda _: "204 No Content",
        flood: bytes = b"",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.answer = answer
        self.flood = flood
        self.tls = tls
        self.requests: list[Request] = []
        self.silence = asyncio.Event()
        self.port = 0
        self._busy: set[asyncio.Task[Any]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.silence.set()
        self._server.close()
        await asyncio.gather(*self._busy)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._busy.add(task)
        try:
            await self._answer(reader, writer)
        finally:
            writer.close()
            self._busy.discard(task)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
        }
        request = Request(
            headers, await reader.readexactly(int(headers["content-length"])), head[0].split()[1]
        )
        self.requests.append(request)
        answer = self.answer(request)
        if answer is None:
            await self.silence.wait()
            return
        status, body = answer if isinstance(answer, Reply) else Reply(answer)
        if not status:
            return
        length = 10**9 if self.flood else len(body)
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n".encode() + body
        )
        with contextlib.suppress(ConnectionError):
            while self.flood:
                writer.write(self.flood)
                await writer.drain()
            await writer.drain()
