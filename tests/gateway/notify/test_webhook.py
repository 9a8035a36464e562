from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from drivers.telemetry import SECOND
from gateway.clock import CityClock
from gateway.errors import LinkError
from gateway.notify.channels.webhook import WebhookChannel, sign
from gateway.notify.outbox import Delivery
from gateway.notify.settings import WebhookSettings
from tests.gateway.notify.receiver import LOOPBACK, SECRET, Receiver

NOW = 1_741_000_000 * SECOND


def delivery(**payload: object) -> Delivery:
    return Delivery(1, "case:7:3", "hook", "case:7", "case.dispatch", payload, 0, NOW, NOW)


@asynccontextmanager
async def webhook(url: str, patience: str = "5s") -> AsyncIterator[WebhookChannel]:
    settings = WebhookSettings.model_validate(
        {"name": "hook", "url": url, "secret": SECRET, "timeout": patience, "allow": LOOPBACK}
    )
    channel = WebhookChannel(settings, CityClock(start=NOW))
    try:
        yield channel
    finally:
        await channel.close()


async def test_a_message_arrives_signed_over_time_and_body() -> None:
    async with Receiver() as receiver, webhook(receiver.url) as channel:
        await channel.deliver(delivery(event="case.dispatch", zh="井盖移位"))
    (request,) = receiver.requests
    assert request.genuine
    assert request.headers["citygate-timestamp"] == "1741000000"
    assert request.headers["citygate-delivery"] == "case:7:3"
    assert request.headers["citygate-event"] == "case.dispatch"
    assert request.message == {"id": "case:7:3", "event": "case.dispatch", "zh": "井盖移位"}
    assert not request._replace(body=request.body + b" ").genuine
    assert not request._replace(headers=request.headers | {"citygate-timestamp": "1741000001"}).genuine


def test_the_signature_is_what_openssl_computes() -> None:
    # printf '1741000000.{}' | openssl dgst -sha256 -hmac sixteen-characters-or-more
    digest = "6f4612d610f34bcd3606d3606583250adfd0d9c861abdfdc596a9da026d21e59"
    assert sign(SECRET, "1741000000", b"{}") == f"sha256={digest}"


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "202 Accepted", "204 No Content"])
async def test_2xx_is_taken(status: str) -> None:
    async with Receiver(lambda _: status) as receiver, webhook(receiver.url) as channel:
        await channel.deliver(delivery())


@pytest.mark.parametrize(
    "status", ["400 Bad Request", "404 Not Found", "429 Too Many", "500 Broken", "503 Busy"]
)
async def test_anything_else_is_a_failure(status: str) -> None:
    async with Receiver(lambda _: status) as receiver, webhook(receiver.url) as channel:
        with pytest.raises(LinkError, match=f"HTTP {status[:3]}"):
            await channel.deliver(delivery())


async def test_a_redirect_is_not_followed() -> None:
    async with Receiver() as elsewhere:
        moved = f"307 Moved\r\nLocation: {elsewhere.url}"
        async with Receiver(lambda _: moved) as receiver, webhook(receiver.url) as channel:
            with pytest.raises(LinkError, match="HTTP 307"):
                await channel.deliver(delivery())
        assert (len(receiver.requests), elsewhere.requests) == (1, [])


async def test_a_silent_receiver_is_a_failure_after_the_timeout() -> None:
    async with Receiver(lambda _: None) as receiver, webhook(receiver.url, "0.1s") as channel:
        with pytest.raises(LinkError, match=r"no answer within 0.1 s|ReadTimeout"):
            await channel.deliver(delivery())


async def test_nobody_there_is_a_failure() -> None:
    async with Receiver() as receiver:
        url = receiver.url
    async with webhook(url) as channel:
        with pytest.raises(LinkError, match="ConnectError"):
            await channel.deliver(delivery())


async def test_garbage_is_a_failure() -> None:
    async with Receiver(lambda _: "\x00\x01") as receiver, webhook(receiver.url) as channel:
        with pytest.raises(LinkError, match="ProtocolError"):
            await channel.deliver(delivery())
