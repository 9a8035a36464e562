"""A connection that wants TLS: admitted as every other before its handshake begins, which has to end in time (law 5)."""

from __future__ import annotations

import asyncio
from typing import cast

from gateway.ingest.admission import Verdict
from gateway.ingest.connection import Connection
from gateway.ingest.hub import Hub
from gateway.tasks import Tasks


class TlsDoor(asyncio.Protocol):
    """Stands for its connection until that can speak, and is what was admitted for it afterwards."""

    def __init__(self, hub: Hub, tasks: Tasks) -> None:
        self._hub = hub
        self._tasks = tasks
        self._transport: asyncio.Transport | None = None
        self._early = b""  # plain text that came before the connection was told of its transport
        self._lost = False
        self._shut = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        hub = self._hub
        self._transport = raw = cast("asyncio.Transport", transport)
        address, *_ = raw.get_extra_info("peername") or ("?", 0)
        verdict = hub.admission.admit(address, self, hub.real())
        if verdict is Verdict.LEAVE:
            raw.abort()
            return
        raw.pause_reading()
        self._shut = verdict is Verdict.WAIT
        self._tasks.start("mqtt-tls", self._wait(raw) if self._shut else self._shake_hands(raw))

    def data_received(self, data: bytes) -> None:
        if not self._shut:
            self._early += data
        elif self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()  # what `connection_made` stopped, the loop begins again

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._lost = True
        self._hub.admission.gone(self)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def _wait(self, raw: asyncio.Transport) -> None:
        await self._hub.clock.sleep(self._hub.settings.limits.penalty)
        raw.abort()

    async def _shake_hands(self, raw: asyncio.Transport) -> None:
        hub = self._hub
        assert hub.certificates is not None
        loop = asyncio.get_running_loop()
        try:
            secure = await loop.start_tls(
                raw,
                self,
                hub.certificates.context,
                server_side=True,
                ssl_handshake_timeout=hub.settings.connect_timeout,
            )
        except (
            OSError,
            RuntimeError,
        ):  # ssl's errors are OSErrors; a socket that is closed already is the other
            hub.counters.tls_failures += 1
            raw.abort()
            hub.admission.gone(self)
            return
        if secure is None or self._lost:
            return
        self._transport = secure
        line = Connection(hub, self)
        secure.set_protocol(line)
        line.connection_made(secure)
        if self._early:
            line.data_received(self._early)
