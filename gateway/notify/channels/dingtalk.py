"""DingTalk (钉钉) group robots, signed (加签): open.dingtalk.com, "custom bots", "customize robot security settings"."""

from __future__ import annotations

import hmac
from base64 import b64encode
from hashlib import sha256
from typing import Final
from urllib.parse import urlencode

from gateway.notify.channels.platform import Platform, Post
from gateway.notify.settings import DingTalkSettings

MILLISECOND: Final = 1_000  # µs


def sign(secret: str, timestamp: str) -> str:
    """HMAC-SHA256, the secret its key, over timestamp (ms), newline and secret; in Base64."""
    return b64encode(hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), sha256).digest()).decode()


def compose(settings: DingTalkSettings, text: str, now: int) -> Post:
    """Token, time and signature stand in the address."""
    timestamp = str(now // MILLISECOND)
    query = {
        "access_token": settings.key.get_secret_value(),
        "timestamp": timestamp,
        "sign": sign(settings.secret.get_secret_value(), timestamp),
    }
    return f"{settings.url}?{urlencode(query)}", {"msgtype": "text", "text": {"content": text}}


DINGTALK: Final = Platform(
    compose=compose,
    size=15_000,
    code=("errcode",),
    busy=frozenset((130101, 410100)),
    hopeless=frozenset((40035, 430101, 430102, 430103, 430104)),  # parameters; its censors'
    rest=600,  # so long it takes nothing from a robot that spoke too often
)
