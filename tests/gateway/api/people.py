"""A browser before the gate: it keeps cookies, names its own origin, and sends the session's token with every write."""

from __future__ import annotations

from typing import Any, Self

import httpx

from tests.gateway.api.gate import Gate

PASSWORD = "nine yellow lamps"


class Browser:
    def __init__(self, gate: Gate, agent: str = "test") -> None:
        self.gate = gate
        self.csrf = ""
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(gate.app, raise_app_exceptions=False, client=("192.0.2.7", 5000)),
            base_url="http://gate/api/v1",
            headers={"User-Agent": agent, "Sec-Fetch-Site": "same-origin", "Origin": "http://gate"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    @property
    def cookies(self) -> httpx.Cookies:
        return self._client.cookies

    async def log_in(self, name: str, password: str = PASSWORD, code: str = "") -> httpx.Response:
        given = {"name": name, "password": password, "code": code}
        answer = await self._client.post("/session", json=given)
        if answer.is_success:
            self.csrf = answer.json()["csrf"]
        return answer

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"X-CSRF-Token": self.csrf, **more.pop("headers", {})}
        return await self._client.request(method, path, headers=headers, **more)

    async def ok(self, method: str, path: str, **more: Any) -> Any:
        answer = await self.call(method, path, **more)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def refused(self, method: str, path: str, **more: Any) -> tuple[int, str]:
        answer = await self.call(method, path, **more)
        return answer.status_code, word(answer)


def word(answer: httpx.Response) -> str:
    kind: str = answer.json()["type"]
    return kind.removeprefix("urn:citygate:")


async def user(gate: Gate, name: str, role: str = "operator", **more: Any) -> None:
    given = {"name": name, "role": role, "password": PASSWORD, **more}
    await gate.ok("admin", "POST", "/users", json=given)
