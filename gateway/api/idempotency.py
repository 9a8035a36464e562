"""A write that is asked twice with one key is done once: what says so is written in the transaction of its effect.

So a key is free again only where nothing was changed. The first answer is repeated; secrets in it are never kept.
"""

from __future__ import annotations

import hmac
import logging
from collections import deque
from hashlib import sha256
from typing import Any, Final, NamedTuple

from msgspec import json
from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api import open311_asked as georeport
from gateway.api.auth import by_cookie, by_token
from gateway.api.idempotency_settings import IdempotencySettings
from gateway.api.problem import MEDIA, of_caller, problem
from gateway.api.requests import template
from gateway.api.services import Services
from gateway.errors import CallerError, Conflict, Invalid, StoreError, TooMany, Unavailable
from gateway.store.alongside import ALONGSIDE, Alongside
from gateway.store.schema.answers import answer as table

log = logging.getLogger(__name__)

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
LONGEST: Final = 128  # characters of a key
WRITES: Final = frozenset(("POST", "PUT", "PATCH", "DELETE"))
KEPT: Final = 256 * 1024  # bytes of an answer
KINDS: Final = ("", "application/json", "application/xml", "text/xml", MEDIA)
FRESH: Final = frozenset((401, 403, 429))  # answers that say nothing of the write: asked anew every time
SECRET: Final = frozenset(  # routes whose answer shows a secret this once
    f"POST /api/v1{path}"
    for path in (
        "/devices",
        "/devices/{id}/secret",
        "/session/totp",
        "/session/totp/confirm",
        "/sources",
        "/sources/{name}/secret",
        "/tokens",
        "/unknown-devices/adopt",
        "/join-windows",
        "/users/{name}/totp",
    )
)


class KeyUsed(Invalid):
    word = "key-used"


class UnderWay(TooMany):
    """The same request is being answered now."""

    status = Conflict.status
    word = "under-way"


class NotKept(Conflict):
    word = "answer-not-kept"


class Asked(NamedTuple):
    """scope: whose key this is, and for what."""

    scope: bytes
    caller: str
    expires: int


class Idempotency:
    """ASGI middleware. A key is its caller's, for one method and path; who shows no credentials has none."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services
        self._under_way: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in WRITES:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        key, body = request.headers.get(HEADER), Body(request, receive)
        if key is None:
            await self._app(scope, receive, send)
            return
        try:
            caller = await _by_form(self._services, request, body) or _caller(self._services, request)
        except HTTPException as error:
            await _too_large(error)(scope, receive, send)
            return
        if not caller:
            await self._app(scope, body.receive, send)
            return
        if not 0 < len(key) <= LONGEST or not key.isprintable():
            wrong = Invalid(f"{HEADER} has 1 to {LONGEST} printable characters", field=HEADER)
            await of_caller(wrong)(scope, receive, send)
            return
        await self._once(self._asked(request, key, caller), body, send)

    def _asked(self, request: Request, key: str, caller: str) -> Asked:
        settings, clock = self._services.idempotency, self._services.clock
        mark = sha256(json.encode((caller, request.method, request.url.path, key))).digest()
        return Asked(mark, caller, clock.now() + round(settings.keep * clock.speed))

    async def _once(self, asked: Asked, body: Body, send: Send) -> None:
        if asked.scope in self._under_way:
            busy = UnderWay("the same request is being answered; ask again with the same key", 1)
            await of_caller(busy)(body.scope, body.receive, send)
            return
        self._under_way.add(asked.scope)
        try:
            earlier = await self._earlier(asked, body)
            if earlier is not None:
                await earlier(body.scope, body.receive, send)
                return
            await self._answer(asked, body, send)
        finally:
            self._under_way.discard(asked.scope)

    async def _earlier(self, asked: Asked, body: Body) -> Response | None:
        """What was answered the first time, or why this is refused."""
        now, settings = self._services.clock.now(), self._services.idempotency
        try:
            row = await self._services.store.read(lambda conn: _find(conn, asked, now, settings))
            if row is None:
                return None
            await body.drain()
            return _again(row, body.digest())
        except CallerError as error:
            return of_caller(error)
        except StoreError as error:
            log.warning("a request failed: %s", error)
            return of_caller(Unavailable("the gateway cannot use its stores now; try again"))
        except HTTPException as error:
            return _too_large(error)

    async def _answer(self, asked: Asked, body: Body, send: Send) -> None:
        beside = Alongside(lambda conn: _claim(conn, asked, body.digest(), self._services.clock.now()))
        held = Held(send)
        token = ALONGSIDE.set(beside)
        try:
            await self._app(body.scope, body.receive, held.send)
        finally:
            ALONGSIDE.reset(token)
            claimed, beside.written = (
                beside.written,
                True,
            )  # tasks that outlive the request write for themselves
        if claimed or (held.status < 500 and held.status not in FRESH):
            await self._keep(asked, body, held, claimed=claimed)
        await held.release()

    async def _keep(self, asked: Asked, body: Body, held: Held, *, claimed: bool) -> None:
        """An answer that cannot be kept is given all the same: what it did is on record."""
        route = f"{body.scope['method']} {template(body.scope)}"
        shown_once = route in SECRET and held.status < 300
        content = None if shown_once or held.too_much or held.status >= 500 else bytes(held.content)
        values = {"status": held.status, "media": held.media, "content": content}

        def write(conn: Connection) -> None:
            if not claimed:
                _claim(conn, asked, body.digest(), self._services.clock.now())
            values["request"] = body.digest()
            conn.execute(update(table).where(table.c.scope == asked.scope).values(**values))

        try:
            await body.drain()
            await self._services.store.write(write)
        except (StoreError, CallerError, HTTPException) as error:
            log.warning("an answer is not kept for its key: %s", error)


class Body:
    """A request's body as it passes by."""

    def __init__(self, request: Request, receive: Receive) -> None:
        self.scope = request.scope
        self._receive = receive
        self._more = True
        self._ahead: deque[Message] = deque()
        self._hash = sha256(request.url.query.encode() + b"\n")
        self._hash.update(request.headers.get("content-type", "").partition(";")[0].encode() + b"\n")

    async def receive(self) -> Message:
        return self._ahead.popleft() if self._ahead else await self._pass()

    async def _pass(self) -> Message:
        message = await self._receive()
        self._hash.update(message.get("body", b""))
        self._more = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """What nobody has read."""
        while self._more:
            await self._pass()

    async def whole(self) -> bytes:
        """All of it; the application still receives it."""
        while self._more:
            self._ahead.append(await self._pass())
        return b"".join(message.get("body", b"") for message in self._ahead)

    def digest(self) -> bytes:
        return self._hash.digest()


class Held:
    """An answer that waits until it is written down; one that is a stream, or too long, does not wait."""

    def __init__(self, send: Send) -> None:
        self.status, self.media = 500, ""
        self.content = bytearray()
        self.too_much = False
        self._send = send
        self._waiting: list[Message] = []

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            self.status = message["status"]
            self.media = headers.get(b"content-type", b"").decode("latin-1")
            self.too_much = self.media.partition(";")[0] not in KINDS or b"set-cookie" in headers
        elif not self.too_much:
            self.content += message.get("body", b"")
            self.too_much = len(self.content) > KEPT
        self._waiting.append(message)
        if self.too_much:
            await self.release()

    async def release(self) -> None:
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            await self._send(message)


def describe(operation: dict[str, Any]) -> None:
    """The header, in the OpenAPI document of a write."""
    known = operation.setdefault("parameters", [])
    if all(one.get("name") != HEADER for one in known):
        schema = {"type": "string", "minLength": 1, "maxLength": LONGEST}
        says = (
            "Asked again with the same key, the write is done once and its first answer is repeated "
            f"(with the header {REPLAYED}); 422 key-used: the key has stood for another body; 409 under-way: ask again; "
            "409 answer-not-kept: it was done, and its answer, which may have shown a secret, is gone."
        )
        known.append(
            {"name": HEADER, "in": "header", "required": False, "schema": schema, "description": says}
        )


def _caller(services: Services, request: Request) -> str:
    """Who asks; a device or source by its secret's digest. "" = nobody."""
    given = request.headers.get("authorization", "")
    if not given:
        found = by_cookie(services, request)
        return f"{found.actor} by session" if found else ""
    return _bearer(services, given.partition(" ")[2].strip().encode())


async def _by_form(services: Services, request: Request, body: Body) -> str:
    """Whose api_key a GeoReport form holds, which goes before all else there. "" = it is no such form, or holds none."""
    if not request.url.path.startswith(georeport.PREFIX):
        return ""
    try:
        georeport.of_form(request.headers)
        key = georeport.form(await body.whole()).get(georeport.KEY, "")
    except Invalid:
        return ""
    return _bearer(services, key.encode(errors="replace")) if key else ""


def _bearer(services: Services, secret: bytes) -> str:
    found = by_token(services, secret)
    return f"{found.actor} by {found.name}"[:200] if found else sha256(secret).hexdigest()


def _too_large(error: HTTPException) -> Response:
    return problem(error.status_code, "too-large", error.detail, {}, {})


def _find(conn: Connection, asked: Asked, now: int, settings: IdempotencySettings) -> Row[Any] | None:
    """Raises TooMany where the caller may keep no more."""
    row = conn.execute(select(table).where(table.c.scope == asked.scope, table.c.expires > now)).first()
    if row is None:
        mine = select(func.count()).where(table.c.caller == asked.caller, table.c.expires > now)
        if (conn.scalar(mine) or 0) >= settings.keys:
            raise TooMany(
                f"{settings.keys} of your keys are kept ([idempotency] keys); write without one", 60
            )
    return row


def _claim(conn: Connection, asked: Asked, request: bytes, now: int) -> None:
    """From here on the key is taken, if this transaction stands."""
    conn.execute(delete(table).where(table.c.expires <= now))
    row = {
        "scope": asked.scope,
        "caller": asked.caller,
        "request": request,
        "expires": asked.expires,
        "media": "",
    }
    try:
        conn.execute(insert(table), [row])
    except IntegrityError as error:
        raise UnderWay("the same request was answered meanwhile; ask again with the same key", 1) from error


def _again(row: Row[Any], request: bytes) -> Response:
    if not hmac.compare_digest(row.request, request):
        raise KeyUsed(f"this {HEADER} has stood for another request; take a new one", field=HEADER)
    if row.content is None:
        answered = f"answered {row.status}" if row.status else "not answered"
        raise NotKept(
            f"this was done and {answered}; that answer is not kept: read what it changed, or ask with a new key",
            answered=row.status,
        )
    headers = {REPLAYED: "true"} | ({"content-type": row.media} if row.media else {})
    return Response(row.content, row.status, headers)
