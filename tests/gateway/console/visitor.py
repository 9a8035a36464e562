"""A person before the pages: a browser without script, that fills in the forms it is shown."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any, Self

import httpx

from tests.gateway.api.gate import Gate
from tests.gateway.api.people import PASSWORD, user

KEPT = frozenset({"hidden", "text", "number", "datetime-local"})


class Page(HTMLParser):
    """What a page says, and its forms by address and event: {(action, event): {field: value}}."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.status = answer.status_code
        self.source = answer.text
        self.headers = answer.headers
        self.where = answer.url.path
        self.words: list[str] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.forms: list[tuple[str, dict[str, str]]] = []
        self._quiet = False
        self.feed(answer.text)
        self.close()

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def form(self, action: str, event: str = "") -> dict[str, str]:
        found = [
            fields for where, fields in self.forms if where == action and fields.get("event", "") == event
        ]
        assert found, f"no form {action} {event} on {self.where}: {self.forms}"
        return dict(found[0])

    @property
    def events(self) -> list[str]:
        return [fields["event"] for _, fields in self.forms if "event" in fields]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag == "form":
            self.forms.append((given.get("action") or "", {}))
        elif tag == "a" and given.get("href"):
            self.links.append(given["href"] or "")
        elif tag == "input" and self.forms and given.get("name") and given.get("type", "text") in KEPT:
            self.forms[-1][1][given["name"] or ""] = given.get("value") or ""
        self._quiet = tag in {"style", "script"}

    def handle_data(self, data: str) -> None:
        if not self._quiet:
            self.words.append(data)


class Visitor:
    def __init__(self, gate: Gate, language: str = "en") -> None:
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(gate.app, raise_app_exceptions=False, client=("192.0.2.8", 5000)),
            base_url="http://gate",
            headers={"Accept-Language": language, "Sec-Fetch-Site": "same-origin", "Origin": "http://gate"},
            follow_redirects=True,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    @property
    def cookies(self) -> httpx.Cookies:
        return self._client.cookies

    async def open(self, path: str, **more: Any) -> Page:
        return Page(await self._client.get(path, **more))

    async def send(self, path: str, fields: dict[str, Any], **more: Any) -> Page:
        return Page(await self._client.post(path, data=fields, **more))

    async def act(self, path: str, event: str, **said: Any) -> Page:
        """Fill in the form that the page at `path` shows for this event, and send it."""
        page = await self.open(path)
        (action,) = [action for action, fields in page.forms if fields.get("event") == event]
        return await self.send(action, {**page.form(action, event), **said})

    async def log_in(self, name: str, password: str = PASSWORD, **more: str) -> Page:
        return await self.send("/login", {"name": name, "password": password, **more})


async def visitor(gate: Gate, role: str, language: str = "en", **more: Any) -> Visitor:
    """Somebody new of this role, logged in."""
    name = more.pop("name", f"a-{role}")
    await user(gate, name, role, **more)
    found = Visitor(gate, language)
    page = await found.log_in(name)
    assert (page.status, page.where) == (200, "/"), page.text
    return found


async def open_cover(gate: Gate, device: str = "M1", **more: Any) -> int:
    """A case: an open cover in Xuhui, dispatched to the drainage crew."""
    await gate.device(device, **{"area": "xuhui/tianping", "name": "井 1", "lat": 31.2, "lon": 121.4, **more})
    await gate.push({"device": device, "v": {"tilt": 40}})
    (case,) = (await gate.ok("viewer", "GET", f"/cases?device={device}"))["items"]
    number: int = case["id"]
    return number
