"""Every request is counted under its route's template, never under its path: ids would make a series each."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.clock import Clock
from gateway.metrics import Metrics

NOWHERE: Final = "none"  # no route has this path
METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
BROKEN: Final = 499  # the client went before an answer began


class Requests:
    """A stream counts when it ends, and not into the seconds."""

    def __init__(self, app: ASGIApp, metrics: Metrics, clock: Clock) -> None:
        self._app = app
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, streamed, began = BROKEN, False, self._clock.monotonic()

        async def counted(message: Message) -> None:
            nonlocal status, streamed
            if message["type"] == "http.response.start":
                status = message["status"]
                streamed = any(
                    name == b"content-type" and value.startswith(b"text/event-stream")
                    for name, value in message["headers"]
                )
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            route = template(scope)
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._metrics.api_requests.labels(method, route, status).inc()
            if not streamed:
                self._metrics.api_seconds.labels(route).observe(self._clock.monotonic() - began)


def template(scope: Scope) -> str:
    """The path of the route as declared."""
    return str(getattr(scope.get("route"), "path", NOWHERE))
