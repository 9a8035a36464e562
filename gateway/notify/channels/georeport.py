"""Another platform's GeoReport v2 endpoint: what is asked of it, and what its answers are allowed to be.

An answer is foreign text: bounded, never executed, no entity of its XML is ever resolved, and what it lacks is an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode
from xml.parsers import expat

import httpx
from msgspec import Struct

from drivers.telemetry import SECOND
from gateway import foreign
from gateway.errors import LinkError
from gateway.notify.channels.channel import UndeliverableError
from gateway.notify.channels.outgoing import Guarded, Resolve, resolve
from gateway.notify.open311_settings import ForwardSettings

LARGEST: Final = 256 * 1024  # bytes of an answer
NAME: Final = 128  # characters of a number or token
SAID: Final = 500  # of what it says
DEEP: Final = 4  # elements inside each other
PASSING: Final = frozenset({408, 409, 425, 429})  # and every 5xx: later it may take what it did not take now

Record = dict[str, str]


class Standing(Struct, frozen=True):
    """What the other side says of a request."""

    status: str
    notes: str


class GeoReportClient:
    def __init__(self, settings: ForwardSettings, ask: Resolve = resolve) -> None:
        self._settings = settings
        self._seconds = settings.timeout / SECOND
        self._client = httpx.AsyncClient(
            transport=Guarded(settings.allow, ask, httpx.AsyncHTTPTransport(trust_env=False)),
            timeout=self._seconds,
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def report(self, form: Mapping[str, str], once: str) -> tuple[str | None, str | None]:
        """(number, token), one of them at least; raises LinkError, UndeliverableError.

        once: the same for every attempt, for a side that knows what it took (citygate does).
        """
        key = self._settings.token.get_secret_value()
        body = urlencode({**self._where(), "api_key": key, **form}).encode()
        record = await self._ask("POST", "requests", body, once)
        number, token = record.get("service_request_id", ""), record.get("token", "")
        if not number and not token:
            raise UndeliverableError("the answer names neither service_request_id nor token")
        return number[:NAME] or None, token[:NAME] or None

    async def redeem(self, token: str) -> str | None:
        """The number; None while there is none. Raises LinkError."""
        record = await self._ask("GET", f"tokens/{quote(token, safe='')}")
        return record.get("service_request_id", "")[:NAME] or None

    async def look(self, number: str) -> Standing:
        """Raises LinkError."""
        record = await self._ask("GET", f"requests/{quote(number, safe='')}")
        status = record.get("status", "").lower()
        if status not in {"open", "closed"}:
            raise LinkError(f"the status of a request is open or closed, not {status!r:.40}")
        return Standing(status, record.get("status_notes", "")[:SAID])

    def _where(self) -> dict[str, str]:
        jurisdiction = self._settings.jurisdiction
        return {"jurisdiction_id": jurisdiction} if jurisdiction else {}

    async def _ask(self, method: str, path: str, body: bytes | None = None, once: str = "") -> Record:
        """The first record of the answer; raises LinkError, UndeliverableError."""
        settings = self._settings
        url = f"{str(settings.url).rstrip('/')}/{path}.{settings.format}"
        headers = {
            "Accept-Encoding": "identity",
            "User-Agent": "citygate",
            "Authorization": f"Bearer {settings.token.get_secret_value()}",  # an address stands in logs
        }
        if body is None:
            url = f"{url}?{urlencode(self._where())}".rstrip("?")
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if once:
            headers["Idempotency-Key"] = once
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._client.stream(method, url, content=body, headers=headers) as answer,
            ):
                told = await _whole(answer)
        except TimeoutError as error:
            raise LinkError(f"no answer within {self._seconds:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise LinkError(f"{type(error).__name__}: {error}") from error
        return self._record(answer.status_code, told)

    def _record(self, status: int, told: bytes) -> Record:
        if not httpx.codes.is_success(status):
            try:
                said = read(told, self._settings.format).get("description", "")
            except LinkError:
                said = ""
            refused = httpx.codes.is_client_error(status) and status not in PASSING
            kind = UndeliverableError if refused else LinkError
            raise kind(f"HTTP {status}: {said[:SAID]}" if said else f"HTTP {status}")
        return read(told, self._settings.format)


async def _whole(answer: httpx.Response) -> bytes:
    body = b""
    async for portion in answer.aiter_raw():
        body += portion
        if len(body) > LARGEST:
            raise LinkError(f"the answer has more than {LARGEST} bytes")
    return body


def read(body: bytes, format: str) -> Record:  # noqa: A002 - the specification's word
    """The texts of the first record; raises LinkError."""
    return _from_xml(body) if format == "xml" else _from_json(body)


def _from_json(body: bytes) -> Record:
    found = foreign.read(body, object, "the answer")
    first = found[0] if isinstance(found, list) and found else found
    if not isinstance(first, dict):
        raise LinkError("the answer is no list of records")
    told = {name: value for name, value in first.items() if isinstance(value, str | int | float)}
    return {name: str(value).strip() for name, value in told.items()}


class _Reader:
    """The leaves of the first record: <root><record><leaf>text</leaf>…"""

    def __init__(self) -> None:
        self.record: Record = {}
        self._path: list[str] = []
        self._records = 0

    def start(self, name: str, _attributes: object) -> None:
        self._path.append(name)
        if len(self._path) > DEEP:
            raise LinkError("the answer's XML is deeper than any of GeoReport v2")
        self._records += len(self._path) == 2

    def end(self, _name: str) -> None:
        self._path.pop()

    def text(self, text: str) -> None:
        if self._records == 1 and len(self._path) == 3:
            self.record[self._path[-1]] = self.record.get(self._path[-1], "") + text


def _refuse(*_: object) -> None:
    raise LinkError("the answer's XML has a document type; entities are never resolved")


def _from_xml(body: bytes) -> Record:
    reader, parser = _Reader(), expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, LookupError) as error:
        raise LinkError(f"the answer is no XML: {error}") from error
    return {name: text.strip() for name, text in reader.record.items()}
