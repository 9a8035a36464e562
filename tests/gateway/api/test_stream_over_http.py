"""The stream over a real socket: events arrive while it is open, and a client that leaves leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.server import Server, listen_tcp
from gateway.tasks import Tasks
from tests.gateway.api.gate import Gate


@pytest.fixture
async def url(gate: Gate) -> AsyncIterator[str]:
    async with Tasks() as tasks:
        server = Server(gate.app, listen_tcp("127.0.0.1", 0))
        server.start("http", tasks)
        yield f"http://127.0.0.1:{server.port}"
        gate.services.hub.close()
        await server.stop(gate.services.clock)


async def until(gate: Gate, subscribers: int) -> None:
    async with asyncio.timeout(5):
        while len(gate.services.hub) != subscribers:
            await gate.services.clock.sleep(0.005)


async def test_a_client_hears_while_it_listens_and_is_forgotten_when_it_leaves(gate: Gate, url: str) -> None:
    await gate.device("M1")
    headers = {"Authorization": f"Bearer {gate.words['viewer']}"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as client:
        async with client.stream("GET", "/api/v1/stream?device=M1") as answer:
            await until(gate, 1)
            now = gate.services.clock.now() // 1000
            await gate.push({"device": "M1", "ts": now - 1000, "v": {"tilt": 3}})
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    assert '"tilt":3.0' in line
                    break
        await until(gate, 0)


async def test_a_push_over_a_real_socket_is_answered_after_its_commit(gate: Gate, url: str) -> None:
    secret = await gate.device("M1")
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {secret}"}) as client:
        answer = await client.post("/api/v1/telemetry", json={"device": "M1", "v": {"tilt": 3}})
        assert answer.json() == {"received": 1, "refused": []}
        too_large = await client.post("/api/v1/telemetry", content=b" " * (1024 * 1024 + 1))
        assert too_large.status_code == 413
    assert gate.services.latest.get("manhole", 0)["tilt"].value == 3.0
