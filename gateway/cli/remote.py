"""A client of the gateway on this data directory: the running one by its local socket, else one opened for the moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from gateway.config import SOCKET, Config
from gateway.errors import CitygateError

PATIENCE = 600.0  # seconds; an import of 200,000 devices is one request


class RefusalError(CitygateError):
    """The gateway refused; the text is its problem document's."""


@asynccontextmanager
async def client(config: Config) -> AsyncIterator[httpx.AsyncClient]:
    """Requests go to /api/v1; whoever may open the data directory acts as admin."""
    path = config.data / SOCKET
    transport: httpx.AsyncBaseTransport = httpx.AsyncHTTPTransport(uds=str(path))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://local/api/v1", timeout=PATIENCE
    ) as remote:
        if path.exists() and await _answers(remote):
            yield remote
            return
    from gateway.app import App  # noqa: PLC0415 - slow to load, and beside a running gateway not needed

    async with App(config, listening=False) as gateway:
        transport = httpx.ASGITransport(app=gateway.doors.local)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://local/api/v1", timeout=PATIENCE
        ) as inside:
            yield inside


@asynccontextmanager
async def running(data: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Only the gateway that runs on this data folder; raises RefusalError where none does."""
    transport = httpx.AsyncHTTPTransport(uds=str(data / SOCKET))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://local/api/v1", timeout=PATIENCE
    ) as remote:
        if not await _answers(remote):
            raise RefusalError(f"no gateway runs on {data}")
        yield remote


async def _answers(remote: httpx.AsyncClient) -> bool:
    try:
        await remote.get("http://local/livez")  # one that is stuck still holds the stores
    except httpx.TransportError:
        return False
    return True


async def ask(remote: httpx.AsyncClient, method: str, path: str, **given: Any) -> Any:
    """The answer's JSON; raises RefusalError with what the gateway says."""
    response = await remote.request(method, path, **given)
    if response.is_success:
        return response.json() if response.content else None
    raise refusal(response)


def refusal(response: httpx.Response) -> RefusalError:
    """What the gateway says in an answer that is no success."""
    return RefusalError(_said(response))


def _said(response: httpx.Response) -> str:
    try:
        problem = response.json()
    except ValueError:
        return f"{response.status_code}: {response.text:.300}"
    lines = [str(problem.get("detail") or problem.get("title") or response.status_code)]
    faults = problem.get("errors") or problem.get("faults") or []
    lines += [
        "  " + ", ".join(f"{key}: {value}" for key, value in fault.items() if value not in ("", None))
        for fault in faults
    ]
    return "\n".join(lines)
