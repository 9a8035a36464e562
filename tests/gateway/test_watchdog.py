"""A sign of life only while ticks proceed: against a real notify socket, and in the whole process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import CityClock
from gateway.systemd import Manager
from gateway.watchdog import PATIENCE, Watchdog


class Pulse:
    """A clock that a test moves, and the pipeline's last sign of life."""

    speed = 1.0

    def __init__(self) -> None:
        self.time = 1_000.0
        self.beat = 1_000.0

    def now(self) -> int:
        return int(self.time * 1_000_000)

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"looked at by hand, not every {seconds} s")


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(1)
        yield listening


@pytest.mark.parametrize(
    ("interval", "still", "lives"),
    [(60, 29.0, True), (60, 31.0, False), (10, 4.0, True), (10, 6.0, False), (0, PATIENCE + 1, False)],
)
def test_a_sign_of_life_needs_a_tick(
    tmp_path: Path, systemd: socket.socket, interval: float, still: float, lives: bool
) -> None:
    pulse, manager = Pulse(), Manager(str(tmp_path / "notify"), interval)
    watchdog = Watchdog(manager, pulse, lambda: pulse.beat, lambda: "fine")
    pulse.time += still
    watchdog.look()
    said = systemd.recv(4096).decode()
    assert said == ("WATCHDOG=1\nSTATUS=fine" if lives else said)
    assert ("has not ticked" in said) is not lives
    pulse.beat = pulse.time
    watchdog.look()
    assert systemd.recv(4096).startswith(b"WATCHDOG=1")
    manager.close()


async def heard(systemd: socket.socket, wanted: str) -> list[str]:
    """Datagrams up to the first that begins with `wanted`."""
    systemd.setblocking(False)
    said: list[str] = []
    async with asyncio.timeout(20):
        while not said or not said[-1].startswith(wanted):
            said.append((await asyncio.get_running_loop().sock_recv(systemd, 4096)).decode())
    return said


async def test_the_process_tells_its_life_to_the_manager(tmp_path: Path, systemd: socket.socket) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'data = "{tmp_path}/data"\n[mqtt.endpoint]\nport = 0\nhost = "127.0.0.1"\n[http]\nport = 0\n'
    )
    environment = os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "900000"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "--config", str(config), "run"),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        said = await heard(systemd, "READY=1")
        assert said[0].startswith("STATUS=opening stores")
        said = await heard(systemd, "WATCHDOG=1")
        await heard(systemd, "WATCHDOG=1")
        assert "0 devices, 0 MQTT connections, tick" in said[-1]
        process.send_signal(signal.SIGTERM)
        await heard(systemd, "STOPPING=1")
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_look_is_taken_again_and_again(tmp_path: Path, systemd: socket.socket) -> None:
    clock, manager = CityClock(), Manager(str(tmp_path / "notify"), 0.03)
    watchdog = Watchdog(manager, clock, clock.monotonic, lambda: "fine")
    running = asyncio.ensure_future(watchdog.run())
    for _ in range(3):
        await heard(systemd, "WATCHDOG=1")
    running.cancel()
    await asyncio.wait([running])
    manager.close()
