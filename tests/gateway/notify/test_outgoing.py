"""Where a channel may post to, and that no name, redirect or encoding leads anywhere else."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network

import pytest
import trustme

from drivers.telemetry import SECOND
from gateway.errors import LinkError
from gateway.notify.channels.outgoing import Outgoing, permitted
from tests.gateway.notify.receiver import LOOPBACK, Receiver

REFUSED = """
0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 127.255.0.9 169.254.169.254 172.16.0.1 192.0.0.8 192.0.2.1 192.168.1.1
198.18.0.1 203.0.113.9 224.0.0.251 224.0.1.1 240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1
100::1 2001:db8::1 2001::1 2002:7f00:1::1 fc00::1 fd12::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1
"""
PUBLIC = "8.8.8.8 101.32.4.5 2400:3200::1 2606:4700:4700::1111"


class Names:
    """A resolver that knows one answer, and counts the questions."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        if not self.addresses:
            raise OSError("no such name")
        return self.addresses


@asynccontextmanager
async def outgoing(names: Names, *allow: str) -> AsyncIterator[Outgoing]:
    way = Outgoing(5 * SECOND, [ip_network(network) for network in allow], names)
    try:
        yield way
    finally:
        await way.close()


@pytest.mark.parametrize("address", REFUSED.split())
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not permitted(ip_address(address), [])


@pytest.mark.parametrize("address", PUBLIC.split())
def test_what_is_public_is_permitted(address: str) -> None:
    assert permitted(ip_address(address), [])


def test_an_allowed_network_is_permitted_and_not_its_mapped_or_translated_form() -> None:
    allow = [ip_network("10.0.0.0/8")]
    assert permitted(ip_address("10.1.2.3"), allow)
    assert not permitted(ip_address("::ffff:10.1.2.3"), allow)
    assert not permitted(ip_address("64:ff9b::a01:203"), allow)
    assert permitted(ip_address("64:ff9b::a01:203"), [ip_network("64:ff9b::/96")])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:7f00:1]"])
async def test_no_spelling_of_loopback_gets_through(host: str) -> None:
    async with Receiver() as receiver:
        way = Outgoing(5 * SECOND, [])
        with pytest.raises(LinkError, match=r"not public: name the network in the channel's `allow`"):
            await way.post(f"http://{host}:{receiver.port}/", b"{}", {})
        await way.close()
    assert receiver.requests == []


async def test_a_name_is_resolved_once_and_keeps_its_host_header() -> None:
    names = Names("127.0.0.1")
    async with Receiver() as receiver, outgoing(names, *LOOPBACK) as way:
        answer = await way.post(f"http://hook.example:{receiver.port}/hook", b"{}", {})
    assert answer.status == 204
    assert names.asked == [("hook.example", receiver.port)]
    (request,) = receiver.requests
    assert request.headers["host"] == f"hook.example:{receiver.port}"


async def test_of_several_addresses_only_permitted_ones_are_tried_and_the_next_if_one_is_dead() -> None:
    names = Names("::ffff:127.0.0.1", "127.0.0.2", "127.0.0.1")
    async with Receiver() as receiver, outgoing(names, *LOOPBACK) as way:
        answer = await way.post(f"http://hook.example:{receiver.port}/", b"{}", {})
    assert (answer.status, len(receiver.requests)) == (204, 1)


async def test_a_name_without_an_address_is_a_failure() -> None:
    async with outgoing(Names()) as way:
        with pytest.raises(LinkError, match=r"hook.example cannot be resolved: no such name"):
            await way.post("http://hook.example/", b"{}", {})


async def test_a_redirect_is_told_and_not_followed() -> None:
    names = Names("127.0.0.1")
    async with Receiver() as elsewhere:
        moved = f"307 Moved\r\nLocation: {elsewhere.url}"
        async with Receiver(lambda _: moved) as receiver, outgoing(names, *LOOPBACK) as way:
            answer = await way.post(f"http://hook.example:{receiver.port}/", b"{}", {})
    assert (answer.status, elsewhere.requests) == (307, [])


async def test_an_endless_answer_is_cut() -> None:
    flooding = Receiver(lambda _: "200 OK", flood=b"x" * 65_536)
    async with flooding as receiver, outgoing(Names("127.0.0.1"), *LOOPBACK) as way:
        answer = await way.post(f"http://hook.example:{receiver.port}/", b"{}", {}, read=1_000)
    assert answer.body == b"x" * 1_000


async def test_tls_asks_for_the_name_and_believes_no_other() -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("hook.example").configure_cert(server)
    heard: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: heard.append(name)
    with authority.cert_pem.tempfile() as trusted:
        client = ssl.create_default_context(cafile=trusted)
    names = Names("127.0.0.1")
    async with Receiver(tls=server) as receiver:
        way = Outgoing(5 * SECOND, [ip_network("127.0.0.0/8")], names, client)
        answer = await way.post(f"https://hook.example:{receiver.port}/", b"{}", {})
        with pytest.raises(LinkError, match="ConnectError"):
            await way.post(f"https://other.example:{receiver.port}/", b"{}", {})
        await way.close()
    assert answer.status == 204
    assert heard == ["hook.example", "other.example"]
