"""`citygate command`, as an operator types it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.app import App
from gateway.cli.commands import app
from gateway.cli.remote import RefusalError
from gateway.config import Config
from gateway.registry.roles import Role


async def prepare(folder: Path) -> str:
    """Three lamps of a street, and the token of a second person."""
    async with App(Config(data=folder), listening=False) as gateway:
        for name in ("L1", "L2", "L3"):
            form = {"id": name, "product": "generic-streetlight", "area": "xuhui/tianping"}
            await gateway.core.devices.create(form, "token:test")
        return (await gateway.core.tokens.create("bob", Role.OPERATOR, "token:test"))[1]


def test_send_approve_list_show_stop_resume(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'data = "{tmp_path / "data"}"\n', encoding="utf-8")
    bob = asyncio.run(prepare(tmp_path / "data"))

    def run(*words: str) -> str:
        result = CliRunner().invoke(app, ["--config", str(file), "command", *words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.stdout

    said = run("send", "dim", "level=40", "--area", "xuhui", "--note", "late evening")
    number = said.split()[0]
    assert "requested" in said
    assert "a second person must agree: 3 of the 3 devices of xuhui/tianping" in said
    with pytest.raises(RefusalError, match="second person"):
        run("approve", number)
    assert "running" in run("approve", number, "--token", bob)
    assert "3 approved" in run("list")
    shown = run("show", number)
    assert '"approver": "token:bob"' in shown
    assert "stage 1 of 2" in shown
    assert "stopped" in run("stop", "smoke")
    assert f"{number} stopped" in run("list", "--state", "stopped")
    with pytest.raises(RefusalError, match="downlink is stopped by token:local: smoke"):
        run("send", "switch", "state=on", "--device", "L1")
    assert "open" in run("resume", "no more smoke")
    assert "running" in run("send", "switch", "state=on", "--device", "L1")
