"""Debian's Chromium before a running gateway: what it shows, what it asks for, and what its policy stops."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.async_api import Browser, ConsoleMessage, Page, Request, ViewportSize, async_playwright

from gateway.server import Server, listen_tcp
from tests.scenarios.city import City

PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
DESK: Final[ViewportSize] = {"width": 1280, "height": 900}
LOCALES: Final = {"en": "en-GB", "zh": "zh-CN"}


@dataclass
class Watch:
    """asked: the origins that were asked for anything. said: what the browser complains about."""

    asked: set[str] = field(default_factory=set)
    said: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        page.on("request", self._request)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        self.asked.add(f"{parts.scheme}://{parts.netloc}")

    def _console(self, message: ConsoleMessage) -> None:
        if "Failed to load resource" not in message.text:  # a refused form answers with its own status
            self.said.append(message.text)


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield chromium
        await chromium.close()


@asynccontextmanager
async def served(town: City) -> AsyncIterator[str]:
    """The origin at which the town's gateway listens."""
    server = Server(town.gateway.doors.application, listen_tcp("127.0.0.1", 0))
    server.start("browsed", town.gateway.tasks)
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        await server.stop(town.clock)


async def tab(
    chromium: Browser, language: str, size: ViewportSize, *, java_script_enabled: bool = False, **more: Any
) -> tuple[Page, Watch]:
    """A browser of its own, without script unless it is asked for."""
    context = await chromium.new_context(
        viewport=size, locale=LOCALES[language], java_script_enabled=java_script_enabled, **more
    )
    context.set_default_timeout(5_000)
    page, watch = await context.new_page(), Watch()
    watch.over(page)
    return page, watch
