"""Who is not to be read is not read, on the event loop that serves: it starts to read whatever connection_made said."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop

from gateway.ingest.tls_door import TlsDoor
from tests.gateway.ingest.hj212_city import town, wired
from tests.gateway.ingest.mqtt_city import city

FLOOD = 1 << 27  # bytes
KERNEL = 48 << 20  # bytes: more than its buffers hold of one connection
PENALTY = 1.0


async def _unread(door: str, **settings: Any) -> None:
    """Of whoever comes too often, no more is taken than the kernel holds."""
    limits = {"attempts": 0.5, "attempts_burst": 1, "penalty": PENALTY}
    async with city(limits=limits, **settings) as it:
        port: int = getattr(it.endpoint, door)
        await it.open(port=port)
        hasty = await it.open(port=port)
        hasty.raw(bytes(FLOOD))
        await it.clock.sleep(PENALTY / 2)
        assert it.endpoint.counters.address_hasty == 1
        assert hasty.unsent() > FLOOD - KERNEL
        doors = [one for one in it.endpoint.admission._pending if isinstance(one, TlsDoor)]
        assert not any(door._early for door in doors), "nor is anything kept"
        assert await hasty.closed()


@pytest.fixture
def tls(tmp_path: Path) -> Mapping[str, Any]:
    issued = trustme.CA().issue_cert("localhost")
    issued.private_key_pem.write_to_path(tmp_path / "server.key")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    return {"port": 0, "cert": tmp_path / "server.pem", "key": tmp_path / "server.key"}


def test_who_comes_too_often_is_not_read_whatever_they_send() -> None:
    uvloop.run(_unread("port"))


def test_nor_is_it_where_tls_is_spoken(tls: Mapping[str, Any]) -> None:
    uvloop.run(_unread("tls_port", tls=tls))


def test_a_station_that_connects_while_the_inbox_is_full_is_read_when_it_is_not() -> None:
    async def flooded() -> None:
        async with town(1, bound=50) as one:
            one.settling = False
            one.inbox.paused = True
            async with wired(one) as wire:
                wire.writer.write(bytes(FLOOD))
                await one.clock.sleep(PENALTY / 2)
                assert wire.writer.transport.get_write_buffer_size() > FLOOD - KERNEL
                wire.writer.transport.abort()

    uvloop.run(flooded())
