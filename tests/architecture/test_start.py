"""A start loads what it needs: seen in a fresh process, because any test loads more."""

from __future__ import annotations

import subprocess
import sys

import pytest

SEEN = "import sys; import {module}; print(*sys.modules)"
CLIENT = {
    "fastapi",
    "uvicorn",
    "jinja2",
    "xlsxwriter",
    "jwt",
    "apprise",
    "simulators",
    "gateway.app",
    "gateway.cli.bench",
}
GATEWAY = {
    "apprise",
    "influxdb_client",
    "simulators",
    "gateway.cli.bench",
    "gateway.cli.demo",
    "gateway.cli.drill",
}


@pytest.mark.parametrize(
    ("module", "spared"), [("gateway.cli.commands", CLIENT), ("gateway.cli.serve", GATEWAY)]
)
def test_nothing_is_loaded_that_only_another_command_or_setting_needs(module: str, spared: set[str]) -> None:
    code = SEEN.format(module=module)
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert module in loaded
    assert spared & set(loaded) == set()
