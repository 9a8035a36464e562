"""The whole gateway by its file: a request comes in by batch, becomes a case in the next round, and goes on to another city."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import App
from gateway.config import load
from gateway.errors import ConfigError
from tests.gateway.notify.receiver import Receiver, Reply

FILE = """
data = "{data}"
[mqtt.endpoint]
enabled = false
[http]
port = 0
[open311]
enabled = true
type = "batch"
[[open311.forward]]
name = "{name}"
url = "{url}"
token = "their-key"
services = {{ "lamp-out" = "007" }}
allow = ["127.0.0.0/8"]
"""


async def until(client: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    """The answer, once its first record has a number."""
    while True:
        found: list[dict[str, Any]] = (await client.get(path)).json()
        if found and "service_request_id" in found[0]:
            return found
        await asyncio.sleep(0.05)  # noqa: TID251 - a round comes by real time


async def test_a_request_goes_through_the_city_and_on(tmp_path: Path) -> None:
    heard = asyncio.Event()

    def take(_: object) -> Reply:
        heard.set()
        return Reply("200 OK", b'[{"service_request_id":"9"}]')

    async with asyncio.timeout(20), Receiver(take) as other:
        file = tmp_path / "config.toml"
        file.write_text(FILE.format(data=tmp_path / "data", name="other", url=other.url), encoding="utf-8")
        async with App(load(file)) as gateway:
            token = gateway.core.admin_token
            headers = {"Authorization": f"Bearer {token}"}
            base = f"http://127.0.0.1:{gateway.doors.http.port}/open311/v2"
            async with httpx.AsyncClient(headers=headers, trust_env=False) as client:
                form = {
                    "service_code": "lamp-out",
                    "address_string": "5 Elm St",
                    "description": "dark",
                    "email": "a@b.c",
                }
                (made,) = (await client.post(f"{base}/requests.json", data=form)).json()
                (told,) = await until(client, f"{base}/tokens/{made['token']}.json")
                (one,) = await until(client, f"{base}/requests/{told['service_request_id']}.json")
                assert (one["description"], one["status"]) == ("dark", "open")
            await heard.wait()
    sent = other.requests[0]
    assert sent.target == "/hook/requests.json"
    body = sent.body.decode()
    assert "service_code=007" in body
    assert "dark" in body
    assert "a%40b.c" not in body


def test_a_forward_shares_its_name_with_no_channel(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(FILE.format(data=tmp_path, name="log", url="https://example.com"), encoding="utf-8")
    with pytest.raises(ConfigError, match="both named log"):
        load(file)
