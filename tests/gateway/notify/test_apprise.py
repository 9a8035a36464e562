"""Messages by Apprise, to a real server on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from drivers.telemetry import SECOND
from gateway.clock import CityClock
from gateway.errors import LinkError
from gateway.notify.channels.apprise import AppriseChannel
from gateway.notify.outbox import Delivery
from gateway.notify.settings import AppriseSettings
from tests.gateway.notify.receiver import Receiver, Request

NOW = 1_741_000_000 * SECOND


def delivery() -> Delivery:
    case = {"id": 7, "zh": "井盖移位", "severity": "critical", "device": "MH-42"}
    payload = {"event": "case.dispatch", "time": NOW, "case": case}
    return Delivery(1, "case:7:1", "ear", "case:7", "case.dispatch", payload, 0, NOW, NOW)


@asynccontextmanager
async def channel(*urls: str, **more: Any) -> AsyncIterator[AppriseChannel]:
    settings = AppriseSettings.model_validate({"name": "ear", "urls": urls, **more})
    made = AppriseChannel(settings, CityClock(start=NOW), ZoneInfo("Asia/Shanghai"))
    try:
        yield made
    finally:
        await made.close()


def failing(times: int) -> Callable[[Request], str]:
    left = [times]

    def answer(_: Request) -> str:
        left[0] -= 1
        return "500 Broken" if left[0] >= 0 else "200 OK"

    return answer


async def test_a_message_arrives_with_its_head_as_the_title() -> None:
    async with Receiver() as receiver, channel(f"json://127.0.0.1:{receiver.port}/x") as apprise:
        await apprise.deliver(delivery())
    (request,) = receiver.requests
    assert request.message["title"] == "【紧急】案件派遣：井盖移位"
    assert "设备：MH-42" in request.message["message"]


async def test_who_has_taken_it_is_not_asked_again_for_another_who_has_not() -> None:
    async with Receiver() as well, Receiver(failing(2)) as ill:
        urls = [f"json://127.0.0.1:{one.port}" for one in (well, ill)]
        async with channel(*urls) as apprise:
            for _ in range(2):
                with pytest.raises(LinkError, match=r"json://127\.0\.0\.1:\d+/.* did not take it"):
                    await apprise.deliver(delivery())
            await apprise.deliver(delivery())
            await apprise.deliver(delivery())
    assert (len(well.requests), len(ill.requests)) == (2, 4)


async def test_a_redirect_is_not_followed() -> None:
    async with Receiver() as elsewhere:
        moved = f"307 Moved\r\nLocation: {elsewhere.url}"
        async with (
            Receiver(lambda _: moved) as receiver,
            channel(f"json://127.0.0.1:{receiver.port}") as apprise,
        ):
            with pytest.raises(LinkError):
                await apprise.deliver(delivery())
    assert elsewhere.requests == []


async def test_a_silent_server_is_a_failure_after_the_timeout() -> None:
    async with (
        Receiver(lambda _: None) as receiver,
        channel(f"json://127.0.0.1:{receiver.port}", timeout="0.1s") as apprise,
    ):
        with pytest.raises(LinkError):
            await apprise.deliver(delivery())


async def test_an_error_names_the_address_without_its_secret() -> None:
    async with Receiver() as receiver:
        port = receiver.port
    async with channel(f"json://user:hunter22@127.0.0.1:{port}") as apprise:
        with pytest.raises(LinkError, match=r"^(?!.*hunter22)"):
            await apprise.deliver(delivery())


@pytest.mark.parametrize("url", ["carrierpigeon://roof", "json://", "no address"])
def test_an_address_that_is_none_is_refused_without_telling_it(url: str) -> None:
    with pytest.raises(ValidationError, match="Apprise cannot use number 0"):
        AppriseSettings.model_validate({"name": "ear", "urls": [url]})
