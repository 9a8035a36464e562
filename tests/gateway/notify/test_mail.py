"""E-mail before a real exchange of SMTP: sealed, once taken, tried again or given up by the server's own codes."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import trustme
from pydantic import ValidationError

from gateway.errors import LinkError
from gateway.notify.channels.channel import UndeliverableError
from gateway.notify.channels.mail import MailChannel
from gateway.notify.outbox import Delivery
from gateway.notify.settings import MailSettings
from tests.gateway.notify.hand_clock import START, HandClock
from tests.gateway.notify.mailbox import CUT, PASSWORD, SILENT, USER, Mailbox

PEOPLE = ["duty@example.com", "chief@example.com"]
LOGIN = {"user": USER, "password": PASSWORD}
AUTHORITY = trustme.CA()


def trusted() -> ssl.SSLContext:
    with AUTHORITY.cert_pem.tempfile() as file:
        return ssl.create_default_context(cafile=file)


def certified(name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(name).configure_cert(context)
    return context


def delivery() -> Delivery:
    record = {"id": 7, "zh": "井盖移位", "severity": "critical", "device": "MH-42"}
    payload = {"event": "case.dispatch", "time": START, "note": "", "case": record}
    return Delivery(1, "case:7:1", "mail", "case:7", "case.dispatch", payload, 0, START, START)


def settings(port: int, **more: Any) -> MailSettings:
    given = {"name": "mail", "host": "127.0.0.1", "port": port, "sender": "gate@example.com", "to": PEOPLE}
    return MailSettings.model_validate(given | more)


@asynccontextmanager
async def mail(box: Mailbox, **more: Any) -> AsyncIterator[MailChannel]:
    async with box:
        channel = MailChannel(settings(box.port, **more), HandClock(), ZoneInfo("Asia/Shanghai"), trusted())
        yield channel
        await channel.close()


@pytest.mark.parametrize(("tls", "wrapped"), [("starttls", False), ("tls", True)])
async def test_a_message_arrives_sealed_and_logged_in(tls: str, wrapped: bool) -> None:
    box = Mailbox(certified(), wrapped)
    async with mail(box, tls=tls, **LOGIN) as channel:
        await channel.deliver(delivery())
    (found,) = box.mails
    assert (box.secured, box.known) == (True, True)
    assert found["Subject"] == "【紧急】案件派遣：井盖移位"
    assert found["To"] == ", ".join(PEOPLE)
    assert found["Date"] == "Mon, 03 Mar 2025 19:06:40 +0800"
    assert "设备：MH-42" in found.get_content()


async def test_every_attempt_has_the_same_message_id() -> None:
    box = Mailbox()
    async with mail(box, tls="none") as channel:
        await channel.deliver(delivery())
        await channel.deliver(delivery())
    first, second = box.mails
    assert first["Message-ID"] == second["Message-ID"]


async def test_a_server_without_a_certificate_of_ours_gets_neither_password_nor_message() -> None:
    box = Mailbox(certified("mail.example"))
    async with mail(box, **LOGIN) as channel:
        with pytest.raises(LinkError, match="SSLCertVerificationError"):
            await channel.deliver(delivery())
    assert (box.known, box.mails) == (False, [])


async def test_a_server_that_offers_no_starttls_gets_nothing() -> None:
    box = Mailbox()
    async with mail(box, **LOGIN) as channel:
        with pytest.raises(LinkError, match="STARTTLS"):
            await channel.deliver(delivery())
    assert (box.known, box.mails) == (False, [])


@pytest.mark.parametrize(
    ("command", "answer", "why"),
    [
        ("EHLO", CUT, "SMTPServerDisconnected"),
        ("MAIL", "451 try later", "SMTPSenderRefused.*try later"),
        ("MAIL", CUT, "SMTPServerDisconnected"),
        ("MAIL", SILENT, "SMTPServerDisconnected|Timeout"),
        ("RCPT", "450 greylisted", "duty@example.com: 450 greylisted"),
        ("DATA", "452 disk full", "452 disk full"),
        ("DATA", CUT, "SMTPServerDisconnected"),
    ],
)
async def test_a_fault_is_a_failure_that_may_pass(command: str, answer: str, why: str) -> None:
    box = Mailbox()
    box.faults = {command: [answer]}
    async with mail(box, tls="none", timeout="0.3s") as channel:
        with pytest.raises(LinkError, match=why) as caught:
            await channel.deliver(delivery())
        box.faults = {}
        await channel.deliver(delivery())
    assert not isinstance(caught.value, UndeliverableError)
    assert box.mails


async def test_a_text_the_server_rejects_for_good_is_given_up() -> None:
    box = Mailbox()
    box.faults = {"DATA": ["554 spam"]}
    async with mail(box, tls="none") as channel:
        with pytest.raises(UndeliverableError, match="554 spam"):
            await channel.deliver(delivery())


async def test_one_wrong_address_costs_nobody_else_the_message(caplog: pytest.LogCaptureFixture) -> None:
    box = Mailbox()
    box.faults = {"RCPT": ["550 no such user"]}
    async with mail(box, tls="none") as channel:
        await channel.deliver(delivery())
    assert len(box.mails) == 1
    assert "duty@example.com: 550 no such user" in caplog.text


async def test_a_good_bye_that_fails_costs_no_second_mail() -> None:
    box = Mailbox()
    box.faults = {"QUIT": [CUT]}
    async with mail(box, tls="none") as channel:
        await channel.deliver(delivery())
    assert len(box.mails) == 1


async def test_every_attempt_counts_in_the_pace() -> None:
    box = Mailbox()
    box.faults = {"MAIL": ["451 try later"]}
    async with mail(box, tls="none") as channel:
        with pytest.raises(LinkError):
            await channel.deliver(delivery())
        await channel.deliver(delivery())
        assert channel.pace.free() == 18


def test_a_password_is_never_sent_in_clear_and_addresses_are_addresses() -> None:
    with pytest.raises(ValidationError, match="never goes out in clear"):
        settings(25, tls="none", **LOGIN)
    for address in ("nobody", "a@b\nBcc: c@d", "a b@c", "<a@b>"):
        with pytest.raises(ValidationError, match="to"):
            settings(25, to=[address])
