"""The systemd unit: what it promises is in it, and systemd itself reads it the same way."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from gateway.config import Config
from tests.architecture.sizes import ROOT

UNIT = ROOT / "deploy/systemd/citygate.service"
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


def options(section: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    current = ""
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            current = header[1]
        elif line and not line.startswith("#") and current == section:
            name, _, value = line.partition("=")
            found[name].append(value)
    return found


def test_it_is_told_of_readiness_life_and_reload() -> None:
    service = options("Service")
    assert service["Type"] == ["notify"]
    assert service["WatchdogSec"] == ["60s"]  # the pipeline counts as stuck after half of it
    assert service["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert service["Restart"] == ["always"]
    assert options("Unit")["StartLimitIntervalSec"] == ["0"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("CapabilityBoundingSet", ""),
        ("StateDirectory", "citygate"),
        ("User", "citygate"),
        ("MemoryDenyWriteExecute", "yes"),
        ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6"),
    ],
)
def test_it_may_do_little(name: str, value: str) -> None:
    assert options("Service")[name] == [value]


def test_it_may_have_as_many_files_as_connections() -> None:
    assert int(options("Service")["LimitNOFILE"][0]) > 2 * Config().mqtt.endpoint.connections


def test_its_environment_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    for pair in options("Service")["Environment"]:
        monkeypatch.setenv(*pair.split("=", 1))
    config = Config()
    assert config.data == Path("/var/lib") / options("Service")["StateDirectory"][0]


@needs_systemd
def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    """As installed: only the paths differ."""
    text = UNIT.read_text(encoding="utf-8").replace("/usr/bin/citygate", "/bin/true")
    unit = tmp_path / UNIT.name
    unit.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert [line for line in (done.stdout + done.stderr).splitlines() if UNIT.name in line] == []


@needs_systemd
def test_systemd_calls_its_exposure_ok() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--json=short", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
    )
    total = sum(float(each["exposure"]) for each in json.loads(done.stdout) if each["exposure"])
    assert total < 2.5
