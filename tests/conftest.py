"""The suite guards itself: loopback only, real peers named, nothing skipped in silence (style 17)."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.gateway.store import postgres

ROOT = Path(__file__).parents[1]
PEERS = {
    "mosquitto": ("mosquitto", "mosquitto_pub", "mosquitto_sub"),
    "strace": ("strace",),
    "victoria-metrics": ("victoria-metrics",),
    "socat": ("socat",),
    "chromium": ("chromium",),
    "postgresql": ("postgres", "initdb", "pg_ctl"),
}
DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)  # its versions are not in the PATH
os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *map(str, DEBIAN)])
LOOPBACK = ("127.", "::1", "localhost")

settings.register_profile(
    "default", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("deep", settings.get_profile("default"), max_examples=10_000)
settings.load_profile(os.environ.get("CITYGATE_HYPOTHESIS", "default"))


def pytest_addoption(parser: pytest.Parser) -> None:
    # pytest's own --strict also means here: a missing peer fails the suite instead of skipping its tests.
    parser.addoption("--drill", action="store_true", help="run the long drills too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("drill") and not config.getoption("--drill"):
            item.add_marker(pytest.mark.skip(reason="a long drill; run with --drill"))
        for marker in item.iter_markers("peer"):
            missing = [name for name in PEERS[marker.args[0]] if shutil.which(name) is None]
            if missing and config.getoption("--strict"):
                raise pytest.UsageError(
                    f"--strict: the real peer {', '.join(missing)} is missing; install it"
                )
            if missing:
                item.add_marker(pytest.mark.skip(reason=f"needs {', '.join(missing)}"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    missing = sorted(
        {f"{report.nodeid}: {report.longrepr[2]}" for report in skipped if "needs " in str(report.longrepr)}
    )
    if missing:
        terminalreporter.section("not exercised on this machine")
        for line in missing:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres.Server]:
    """One server for all tests that ask for it; each takes databases of its own."""
    with postgres.server() as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer("postgresql"))])
def operations_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database for operations: what runs with it runs on every kind there is."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/operations.sqlite"
    running: postgres.Server = request.getfixturevalue("postgresql")
    return running.fresh()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer("postgresql"))])
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The same, for those who need not see it migrate: on a server the tables stand already."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/operations.sqlite"
    running: postgres.Server = request.getfixturevalue("postgresql")
    return running.migrated()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """A test that leaves a thread running fails (style 12)."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
    for thread in left:
        thread.join(timeout=2)
    alive = [thread.name for thread in left if thread.is_alive() and not thread.name.startswith("asyncio_")]
    assert not alive, f"threads left behind: {alive}"


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches past this host."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else "127.0.0.1"
        assert str(host).startswith(LOOPBACK), f"a test tried to reach {host}"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
