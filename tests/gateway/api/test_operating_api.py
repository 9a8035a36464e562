"""A backup is for this host's own command; the configuration may be read again by any admin, and says every fault."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from gateway.server import LocalDoor
from tests.gateway.api.gate import Gate


def at_the_socket(gate: Gate) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=LocalDoor(gate.app, gate.services.tokens.local()))
    return httpx.AsyncClient(transport=transport, base_url="http://local/api/v1")


async def test_a_backup_writes_files_of_this_host_only_when_asked_here(gate: Gate, tmp_path: Path) -> None:
    wish = {"to": str(tmp_path / "copy")}
    assert await gate.refused("admin", "POST", "/backup", json=wish) == (403, "forbidden")
    assert await gate.refused("operator", "POST", "/backup", json=wish) == (403, "forbidden")
    assert not (tmp_path / "copy").exists()
    async with at_the_socket(gate) as remote:
        answer = await remote.post("/backup", json=wish)
        lines = [json.loads(line) for line in answer.text.splitlines()]
        assert answer.headers["content-type"] == "application/x-ndjson"
        assert [line.get("stage") for line in lines[:2]] == ["snapshots", "operations"]
        assert lines[-1]["tick"] == gate.services.care.history.last_tick()
        assert (await remote.post("/backup", json=wish)).status_code == 409
        assert (await remote.post("/backup", json={"to": "relative"})).status_code == 422


async def test_a_backup_that_cannot_begin_says_why_and_leaves_nothing(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "mirror.json").mkdir()  # not the file that it should be
    async with at_the_socket(gate) as remote:
        answer = await remote.post("/backup", json={"to": str(tmp_path / "copy")})
    assert answer.status_code == 503
    assert "mirror.json" in answer.json()["detail"]
    assert not (tmp_path / "copy").exists()


async def test_a_reload_says_what_became_of_each_key(gate: Gate) -> None:
    assert await gate.refused("operator", "POST", "/config/reload") == (403, "forbidden")
    said = await gate.ok("admin", "POST", "/config/reload")
    assert said == {"applied": ["log_level"], "restart": ["http.port"], "failed": []}


async def test_a_file_with_faults_is_refused_with_each_of_them(gate: Gate) -> None:
    gate.door.file_faults = ["config.toml:3: log_level: no such level"]
    answer = await gate.call("admin", "POST", "/api/v1/config/reload")
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:citygate:invalid")
    assert answer.json()["errors"] == [{"at": "config.toml:3", "problem": "log_level: no such level"}]
