"""Feishu (飞书) group robots, signed (签名校验): open.feishu.cn, "custom bot usage guide"."""

from __future__ import annotations

import hmac
from base64 import b64encode
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from drivers.telemetry import SECOND
from gateway.notify.channels.pace import Window
from gateway.notify.channels.platform import Platform, Post
from gateway.notify.settings import FeishuSettings


def sign(secret: str, timestamp: str) -> str:
    """HMAC-SHA256 over nothing; timestamp (s), newline and secret are its key; in Base64."""
    return b64encode(hmac.new(f"{timestamp}\n{secret}".encode(), b"", sha256).digest()).decode()


def compose(settings: FeishuSettings, text: str, now: int) -> Post:
    """Time and signature stand in the document. No text of ours may call upon people: `<at …>` is a mention there."""
    timestamp = str(now // SECOND)
    address = f"{str(settings.url).rstrip('/')}/{quote(settings.key.get_secret_value(), safe='')}"
    return address, {
        "timestamp": timestamp,
        "sign": sign(settings.secret.get_secret_value(), timestamp),
        "msg_type": "text",
        "content": {"text": text.replace("<", "＜")},
    }


FEISHU: Final = Platform(
    compose=compose,
    size=15_000,
    code=("code", "StatusCode"),
    busy=frozenset((11232, 99991400)),
    hopeless=frozenset((9499, 19001)),  # the document; its parameters
    rest=60,
    bursts=(Window(5, 1.0),),
)
