"""`citygate users`, `token` and `audit`, as an administrator types them on the gateway's own host."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner, Result

from gateway.app import App
from gateway.cli.commands import app
from gateway.cli.remote import RefusalError
from gateway.config import load

CONFIG = """
data = "{folder}"
[people]
argon2_memory_kb = 8
argon2_passes = 1
[http]
port = 0
[mqtt.endpoint]
enabled = false
"""


class Administrator:
    """Beside a gateway that runs in a thread of its own: each command is a request over the local socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._config = folder / "config.toml"
        self._config.write_text(CONFIG.format(folder=folder), encoding="utf-8")
        self._runs, self._loop, self._stop = threading.Event(), asyncio.new_event_loop(), asyncio.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._runs.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._gateway())

    async def _gateway(self) -> None:
        async with App(load(self._config)):
            self._runs.set()
            await self._stop.wait()

    def tries(self, *words: str, typed: str = "") -> Result:
        result = CliRunner().invoke(app, ["--config", str(self._config), *words], input=typed)
        if isinstance(result.exception, Exception):
            raise result.exception
        return result

    def types(self, *words: str, typed: str = "") -> str:
        result = self.tries(*words, typed=typed)
        assert result.exit_code == 0, result.output
        return result.stdout


def test_what_an_administrator_types(tmp_path: Path) -> None:
    """One gateway for both: its start costs more than all that is asked of it."""
    with Administrator(tmp_path) as one:
        people_are_added_changed_and_sent_away(one)
        the_audit_is_read_and_proved(one, tmp_path)


def people_are_added_changed_and_sent_away(one: Administrator) -> None:
    said = one.types("users", "add", "root", "--role", "admin", typed="nine yellow lamps\n")
    assert said == "root may log in as admin, the whole city\n"
    one.types("users", "add", "wang", "--area", "xuhui", "--area", "minhang/3", "--no-password")
    assert one.types("users", "list").splitlines()[1].split() == ["wang", "viewer", "minhang/3,", "xuhui"]
    assert (
        one.types("users", "change", "wang", "--role", "crew", "--whole-city")
        == "wang is crew, the whole city\n"
    )
    with pytest.raises(RefusalError, match="12 to 256 characters"):
        one.types("users", "password", "wang", typed="short\n")
    one.types("users", "password", "wang", typed="seven green buoys\n")
    uri, _, *codes = one.types("users", "totp", "wang").splitlines()
    assert len(parse_qs(urlsplit(uri).query)["secret"][0]) == 32
    assert len(codes) == 10
    one.types("users", "totp", "wang", "--remove")
    assert one.types("users", "end-sessions", "wang") == "0 sessions of wang ended\n"
    one.types("users", "disable", "wang")
    assert "disabled" in one.types("users", "list")
    with pytest.raises(RefusalError, match="last admin"):
        one.types("users", "disable", "root")


def the_audit_is_read_and_proved(one: Administrator, tmp_path: Path) -> None:
    one.types("users", "add", "li", "--role", "admin", typed="nine yellow lamps\n")
    kept = tmp_path / "kept.json"
    assert one.types("audit", "checkpoint", str(kept)).startswith(f"{kept}: ")
    newest = json.loads(kept.read_text(encoding="ascii"))["entry"]
    one.types("token", "create", "robot", "--role", "viewer", "--area", "xuhui", "--owner", "li")
    assert "user:li" in one.types("audit", "list", "--object", "user:")
    assert "xuhui" in one.types("token", "list")
    one.types("token", "create", "portal", "--role", "reporter")
    assert " portal                   reporter " in one.types("token", "list")
    assert one.types("audit", "verify").endswith("nothing was altered\n")
    assert str(kept) in one.types("audit", "verify", "--checkpoint", str(kept))
    database = sqlite3.connect(one.folder / "operations.sqlite")
    with database:
        database.execute("UPDATE audit SET actor = 'user:nobody' WHERE id = ?", (newest,))
    database.close()
    result = one.tries("audit", "verify")
    assert (result.exit_code, result.stdout) == (
        1,
        f"broken at entry {newest}: it, or one before it, is not what was written\n",
    )
    with pytest.raises(RefusalError, match="is no checkpoint"):
        one.types("audit", "verify", "--checkpoint", str(one.folder / "config.toml"))
