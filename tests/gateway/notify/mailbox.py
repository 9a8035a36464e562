"""A mail server on loopback that speaks RFC 5321 with STARTTLS and AUTH PLAIN, and misbehaves on demand."""

from __future__ import annotations

import asyncio
import base64
import ssl
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from types import TracebackType
from typing import Any, Final, Self

USER: Final = "citygate"
PASSWORD: Final = "mail-pass-7788"
CUT: Final = "cut"
SILENT: Final = "silent"


class Mailbox:
    """faults: by command, answers to the next ones instead of the right one. mails: what it has taken."""

    def __init__(self, tls: ssl.SSLContext | None = None, wrapped: bool = False) -> None:
        self.tls = tls
        self.wrapped = wrapped
        self.faults: dict[str, list[str]] = {}
        self.mails: list[EmailMessage] = []
        self.secured = self.known = False  # of the last connection
        self.connections = 0
        self.silence = asyncio.Event()
        self._busy: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        context = self.tls if self.wrapped else None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
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
        self.connections += 1
        self.secured, self.known = self.wrapped, False
        try:
            writer.write(b"220 mail.example ESMTP\r\n")
            while line := (await reader.readline()).decode().strip():
                if not await self._command(line, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()
            self._busy.discard(task)

    async def _command(self, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        verb = line.split(maxsplit=1)[0].upper()
        fault = self.faults[verb].pop(0) if self.faults.get(verb) else ""
        if fault == CUT:
            return False
        if fault == SILENT:
            await self.silence.wait()
            return False
        if verb == "DATA":
            writer.write(b"354 go on\r\n")
            data = await reader.readuntil(b"\r\n.\r\n")
            if not fault:
                found = message_from_bytes(
                    data[:-5].replace(b"\r\n..", b"\r\n."), EmailMessage, policy=POLICY
                )
                self.mails.append(found)
        writer.write((fault or self._right(verb, line)).encode() + b"\r\n")
        if verb == "STARTTLS" and not fault:
            assert self.tls is not None
            await writer.start_tls(self.tls)
            self.secured = True
        await writer.drain()
        return verb != "QUIT"

    def _right(self, verb: str, line: str) -> str:
        if verb == "EHLO":
            offered = ["mail.example", "SIZE 1000000", "8BITMIME"]
            offered += ["STARTTLS"] if self.tls and not self.secured else ["AUTH PLAIN"]
            return "\r\n".join([*(f"250-{word}" for word in offered), "250 ENHANCEDSTATUSCODES"])
        if verb == "AUTH":
            self.known = base64.b64decode(line.split()[2]) == f"\0{USER}\0{PASSWORD}".encode()
            return "235 welcome" if self.known and self.secured else "535 who are you"
        return {"STARTTLS": "220 go on", "QUIT": "221 bye"}.get(verb, "250 ok")
