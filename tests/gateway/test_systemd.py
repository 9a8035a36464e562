"""What the service manager hears: over a real datagram socket, in the file system and outside of it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.systemd import Manager


@contextmanager
def manager_at(address: str) -> Iterator[socket.socket]:
    """systemd's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + address[1:] if address.startswith("@") else address)
        listening.settimeout(1)
        yield listening


def heard(listening: socket.socket) -> list[str]:
    return listening.recv(4096).decode().split("\n")


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@citygate-test-{os.getpid()}"


def test_every_word_of_a_life(address: str) -> None:
    with manager_at(address) as systemd:
        manager = Manager.of({"NOTIFY_SOCKET": address})
        manager.status("replaying\nhistory")
        assert heard(systemd) == ["STATUS=replaying history"]
        manager.ready("2 devices")
        assert heard(systemd) == ["READY=1", "STATUS=2 devices"]
        manager.alive("2 devices")
        assert heard(systemd) == ["WATCHDOG=1", "STATUS=2 devices"]
        manager.reloading(12.5)
        assert heard(systemd) == ["RELOADING=1", "MONOTONIC_USEC=12500000", "STATUS=reloading"]
        manager.stopping()
        assert heard(systemd)[0] == "STOPPING=1"
        manager.close()
        manager.status("nobody hears this")
        systemd.setblocking(False)
        with pytest.raises(BlockingIOError):
            systemd.recv(1)


@pytest.mark.parametrize(
    ("watchdog", "pid", "expected"),
    [("60000000", "", 60.0), ("60000000", str(os.getpid()), 60.0), ("60000000", "1", 0.0), ("", "", 0.0)],
    ids=["anybody's", "ours", "another's", "none"],
)
def test_the_interval_is_ours_only_where_it_is_meant_for_us(watchdog: str, pid: str, expected: float) -> None:
    assert Manager.of({"WATCHDOG_USEC": watchdog, "WATCHDOG_PID": pid}).watchdog == expected


def test_without_a_manager_nothing_is_said() -> None:
    manager = Manager.of({})
    manager.ready("fine")
    manager.close()


def test_an_address_of_another_kind_is_said_once_and_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    Manager.of({"NOTIFY_SOCKET": "vsock:2:1234"}).ready("fine")
    assert "vsock:2:1234 is no unix socket" in caplog.text


def test_a_manager_that_is_gone_harms_nothing_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    address = str(tmp_path / "notify")
    manager = Manager.of({"NOTIFY_SOCKET": address})
    for _ in range(3):
        manager.alive("fine")
    assert caplog.text.count("cannot be told") == 1
    with manager_at(address) as systemd:
        manager.alive("fine")
        assert heard(systemd)[0] == "WATCHDOG=1"
    manager.close()
