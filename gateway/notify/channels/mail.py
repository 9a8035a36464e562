"""Messages by e-mail. The server has taken one when it answers the data with 250, for everyone whom it did not refuse."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import ssl
from contextlib import suppress
from datetime import tzinfo
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256
from typing import Final

from drivers.telemetry import SECOND
from gateway.clock import Clock
from gateway.errors import LinkError
from gateway.notify.channels.channel import UndeliverableError
from gateway.notify.channels.pace import Pace, Window
from gateway.notify.channels.paced import PacedChannel
from gateway.notify.labels import Labels
from gateway.notify.links import Links
from gateway.notify.moment import moment
from gateway.notify.settings import MailSettings
from gateway.notify.text import OURS, Writer

log = logging.getLogger(__name__)

SIZE: Final = 100_000  # bytes of a text
MINUTE: Final = 60.0
FOR_GOOD: Final = 500  # replies from here on will not change: RFC 5321 §4.2.1


class MailChannel(PacedChannel):
    """One list of people at one server. A connection a message; it runs in a thread."""

    def __init__(
        self,
        settings: MailSettings,
        clock: Clock,
        zone: tzinfo,
        trust: ssl.SSLContext | None = None,
        links: Links | None = None,
        labels: Labels = OURS,
    ) -> None:
        pace = Pace((Window(settings.per_minute, MINUTE),), clock.monotonic)
        super().__init__(Writer(settings.language, zone, SIZE, links, labels), pace)
        self._settings = settings
        self._clock = clock
        self._zone = zone
        self._trust = trust or ssl.create_default_context()

    async def send(self, text: str) -> None:
        """Raises UndeliverableError where the server will never take this text."""
        message = self._message(text)
        try:
            refused = await asyncio.to_thread(self._submit, message)
        except smtplib.SMTPDataError as error:
            kind = UndeliverableError if error.smtp_code >= FOR_GOOD else LinkError
            raise kind(_said(error.smtp_code, error.smtp_error)) from error
        except smtplib.SMTPRecipientsRefused as error:
            raise LinkError(_refusals(error.recipients)) from error
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise LinkError(f"{type(error).__name__}: {error}") from error
        finally:
            self.pace.count()
        if any(code < FOR_GOOD for code, _ in refused.values()):
            raise LinkError(_refusals(refused))
        if refused:
            log.error(
                "channel %s: the mail server knows no such people: %s",
                self._settings.name,
                _refusals(refused),
            )

    def _message(self, text: str) -> EmailMessage:
        """Its Message-ID is the same for every attempt: mailboxes drop what they have."""
        settings = self._settings
        message = EmailMessage()
        message["From"] = settings.sender
        message["To"] = ", ".join(settings.to)
        message["Subject"] = text.partition("\n")[0]
        message["Date"] = format_datetime(moment(self._clock.now(), self._zone))
        domain = settings.sender.rpartition("@")[2]
        message["Message-ID"] = f"<{sha256(text.encode()).hexdigest()[:32]}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text + "\n")
        return message

    def _submit(self, message: EmailMessage) -> dict[str, tuple[int, bytes]]:
        """Whom the server refused; in a thread."""
        settings = self._settings
        seconds = settings.timeout / SECOND
        if settings.tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=seconds, context=self._trust
            )
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=seconds)
        try:
            if settings.tls == "starttls":
                server.starttls(context=self._trust)
            if settings.user:
                server.login(settings.user, settings.password.get_secret_value())
            refused = server.send_message(message)
            with suppress(smtplib.SMTPException, OSError):  # it is taken, however the good-bye goes
                server.quit()
        finally:
            server.close()
        return refused

    async def close(self) -> None:
        """Nothing is held."""


def _refusals(refused: dict[str, tuple[int, bytes]]) -> str:
    return "; ".join(f"{who}: {_said(*answer)}" for who, answer in refused.items())


def _said(code: int, text: bytes | str) -> str:
    return f"{code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"
