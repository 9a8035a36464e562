"""HTTP to whoever the configuration names, and to nobody else: a name is resolved once, an address that is not public is
refused unless the channel allows it, and the connection goes to that very address under the name's Host and SNI.

No redirect is followed, no proxy is asked; time and bytes of an answer are bounded.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple

import httpx

from drivers.telemetry import SECOND
from gateway.errors import LinkError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

UNICAST: Final = ip_network("2000::/3")  # mapped ::ffff:0:0/96 and NAT64 64:ff9b::/96 stand outside
SPECIAL: Final = tuple(  # what is_global lets through: protocols, and tunnels with an IPv4 address inside
    ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16")
)


class Answer(NamedTuple):
    """body: the first bytes of it, as many as were asked for."""

    status: int
    body: bytes


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, in the host's order of preference; raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def public(address: Address) -> bool:
    """Whether this is a host of the public internet. RFC 6890, RFC 6052, RFC 4291 §2.5.5."""
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, IPv6Address) and address not in UNICAST:
        return False
    return not any(address in network for network in SPECIAL)


def permitted(address: Address, allow: Sequence[Network]) -> bool:
    """Whether a channel that allows these networks may connect there. A mapped address is allowed only as such."""
    return public(address) or any(address in network for network in allow)


class Guarded(httpx.AsyncBaseTransport):
    """Connects to addresses, never to names."""

    def __init__(self, allow: Sequence[Network], ask: Resolve, inner: httpx.AsyncBaseTransport) -> None:
        self._allow = allow
        self._ask = ask
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Tries the name's permitted addresses in turn; raises ConnectError where there is none."""
        url = request.url
        host = url.raw_host.decode("ascii").strip("[]")
        failure: httpx.TransportError = httpx.ConnectError(f"{host} has no address")
        for address in await self._addresses(host, url.port or (443 if url.scheme == "https" else 80)):
            there = httpx.Request(
                request.method,
                url.copy_with(host=address),
                headers=request.headers,  # Host among them, as the caller wrote the name
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
            try:
                return await self._inner.handle_async_request(there)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = await self._ask(host, port)
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(f"{host} cannot be resolved: {error}") from error
        chosen = [text for text in found if permitted(ip_address(text), self._allow)]
        if found and not chosen:
            raise httpx.ConnectError(
                f"{host} is {', '.join(found)}, which is not public: name the network in the channel's `allow`"
            )
        return chosen

    async def aclose(self) -> None:
        await self._inner.aclose()


class Outgoing:
    """One channel's way out. timeout: µs, real time, for the name, the connection and the whole answer."""

    def __init__(
        self,
        timeout: int,
        allow: Sequence[Network],
        ask: Resolve = resolve,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._seconds = timeout / SECOND
        inner = httpx.AsyncHTTPTransport(verify=trust or True, trust_env=False)
        self._client = httpx.AsyncClient(
            transport=Guarded(allow, ask, inner),
            timeout=self._seconds,
            follow_redirects=False,
            trust_env=False,
        )

    async def post(self, url: str, body: bytes, headers: dict[str, str], read: int = 0) -> Answer:
        """What the other side says, with at most `read` bytes of its body; raises LinkError."""
        sent = {"Accept-Encoding": "identity", "User-Agent": "citygate", **headers}
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._client.stream("POST", url, content=body, headers=sent) as answer,
            ):
                return Answer(answer.status_code, await _first(answer, read))
        except TimeoutError as error:
            raise LinkError(f"no answer within {self._seconds:g} s") from error
        except httpx.HTTPError as error:
            raise LinkError(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        await self._client.aclose()


async def _first(answer: httpx.Response, read: int) -> bytes:
    body = b""
    if read:
        async for portion in answer.aiter_raw():
            body += portion
            if len(body) >= read:
                break
    return body[:read]
