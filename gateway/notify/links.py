"""Links by which whoever reads a message answers it without a log-in: one subject, one channel, until a time.

Signed with HMAC-SHA256 by a key in the data folder that its owner alone may read; a new key ends every link there is.
"""

from __future__ import annotations

import hmac
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hashlib import sha256
from pathlib import Path
from typing import Final

from msgspec import DecodeError, Struct, ValidationError, json

from drivers.telemetry import SECOND
from gateway.errors import ConfigError, NotFound
from gateway.notify.answered import waits
from gateway.notify.outbox import Delivery

KEY_FILE: Final = "links.key"
KEY: Final = 32  # bytes
MARK: Final = 16  # bytes of a signature: 128 bits
PATH: Final = "/api/v1/acknowledge/"


class Link(Struct, frozen=True, array_like=True):
    """subject: "alarm:<id>" or "case:<id>". expires: s UTC."""

    subject: str
    channel: str
    expires: int


class Links:
    """base: the address under which people reach the API, "" = there are no links. life: µs from the change told of."""

    def __init__(self, path: Path, base: str, life: int) -> None:
        self._path = path
        self._key = b""
        self.change(base, life)

    def change(self, base: str, life: int) -> None:
        """From now on; raises ConfigError where the key can be neither read nor made."""
        self._base, self._life = base.rstrip("/"), life
        if not base or self._key:
            return
        try:
            key = self._path.read_bytes() if self._path.exists() else _make(self._path)
            self._path.chmod(0o600)  # a copy that came with a backup may be readable by others
        except OSError as error:
            raise ConfigError([f"data: the key of links {self._path} cannot be used: {error}"]) from error
        if len(key) != KEY:
            raise ConfigError(
                [f"data: {self._path} has not {KEY} bytes; remove it, and links are signed anew"]
            )
        self._key = key

    def url(self, delivery: Delivery) -> str | None:
        """For a message that waits for an answer; the same at every attempt."""
        if not self._base or not waits(delivery.payload):
            return None
        time = int(delivery.payload.get("time", delivery.created))
        link = Link(delivery.subject, delivery.channel, (time + self._life) // SECOND)
        return f"{self._base}{PATH}{self.sign(link)}"

    def sign(self, link: Link) -> str:
        said = json.encode(link)
        return urlsafe_b64encode(self._mark(said) + said).rstrip(b"=").decode()

    def read(self, word: str, now: int) -> Link:
        """Raises NotFound for what we did not sign with this key, or what is over."""
        try:
            data = urlsafe_b64decode(word.encode("ascii") + b"=" * (-len(word) % 4))
        except (Error, ValueError) as error:
            raise NotFound("this link is not ours, or no longer") from error
        if not self._base or not hmac.compare_digest(data[:MARK], self._mark(data[MARK:])):
            raise NotFound("this link is not ours, or no longer")
        try:
            link = json.decode(data[MARK:], type=Link)
        except (DecodeError, ValidationError) as error:
            raise NotFound("this link is of another version") from error
        if link.expires * SECOND <= now:
            raise NotFound("this link has expired")
        return link

    def rotate(self) -> None:
        """Blocks until it is durable: no link that went out opens anything any more."""
        self._key = _make(self._path)

    def _mark(self, said: bytes) -> bytes:
        return hmac.new(self._key, said, sha256).digest()[:MARK]


def _make(path: Path) -> bytes:
    """A new key, whole or not at all."""
    key = secrets.token_bytes(KEY)
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    return key
