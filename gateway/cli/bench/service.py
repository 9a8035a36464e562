"""The real gateway in a process of its own, on free ports of the loopback."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import httpx
from msgspec import Struct

from gateway.config import SOCKET
from gateway.errors import LinkError

START: Final = 60.0  # real seconds that the gateway may take to listen
STOP: Final = 30.0  # real seconds that a process has to end by itself
PATIENCE: Final = 120.0
TAIL: Final = 400  # characters of a process's last words

CONFIG: Final = """
data = "{folder}/data"
log_level = "WARNING"
[mqtt.endpoint]
host = "127.0.0.1"
port = 0
[mqtt.endpoint.limits]
device_messages = 1e9
device_bytes = 1e12
connection_messages = 1e9
connection_bytes = 1e12
[http]
host = "127.0.0.1"
port = 0
"""


class Service(Struct, frozen=True):
    """port: of MQTT. remote: a client of its local socket, as admin."""

    folder: Path
    port: int
    remote: httpx.AsyncClient
    process: Process

    async def counts(self, *names: str) -> list[float]:
        """Metrics without labels, by name; 0 where it has none of that name."""
        answer = await self.remote.get("http://local/metrics")
        answer.raise_for_status()
        found = parse(answer.text)
        return [found.get(name, 0.0) for name in names]


def parse(text: str) -> dict[str, float]:
    """Prometheus text to the values of those metrics that have no labels."""
    lines = (line.split() for line in text.splitlines() if line and line[0] != "#" and "{" not in line)
    return {words[0]: float(words[1]) for words in lines if len(words) > 1}


@asynccontextmanager
async def running(
    given: Path | None = None, text: str = CONFIG, patience: float = START
) -> AsyncIterator[Service]:
    """On a fresh folder or one that is given, whose data stays. Raises LinkError where it does not come up; what it wrote
    to its error output is in it. patience: real seconds until it must listen.
    """
    with tempfile.TemporaryDirectory(prefix="citygate-bench-") as name:
        folder = given or Path(name)
        config, errors = folder / "bench.toml", folder / "errors"
        config.write_text(text.format(folder=folder), encoding="utf-8")
        with errors.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gateway", "--config", str(config), "run"),
                env=plain(os.environ),
                stdout=PIPE,
                stderr=file,
                stdin=DEVNULL,
            )
        try:
            port = await _listening(process, errors, patience)
            socket = httpx.AsyncHTTPTransport(uds=str(folder / "data" / SOCKET))
            async with httpx.AsyncClient(
                transport=socket, base_url="http://local/api/v1", timeout=PATIENCE
            ) as remote:
                yield Service(folder, port, remote, process)
        finally:
            await end(process)


def plain(environment: Mapping[str, str]) -> dict[str, str]:
    """Without what would change the gateway's configuration."""
    return {name: value for name, value in environment.items() if not name.startswith("CITYGATE_")}


async def _listening(process: Process, errors: Path, patience: float) -> int:
    """The MQTT port, once HTTP listens too."""
    assert process.stdout is not None
    port = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(patience):
            async for line in process.stdout:
                words = line.decode().split()
                if words[:1] == ["MQTT"]:
                    port = int(words[1].rpartition(":")[2])
                elif words[:1] == ["HTTP"]:
                    return port
    raise LinkError(f"the gateway did not start: {last_words(errors)}")


def last_words(errors: Path) -> str:
    """The end of what a process wrote to its error output."""
    return errors.read_text("utf-8", "replace")[-TAIL:]


async def end(process: Process) -> None:
    """Ask it to stop, and make it stop."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
