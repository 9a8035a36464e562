"""WeCom (企业微信) group robots: developer.work.weixin.qq.com/document/path/91770; codes: path/90313."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from gateway.notify.channels.platform import Platform, Post
from gateway.notify.settings import WeComSettings


def compose(settings: WeComSettings, text: str, now: int) -> Post:  # noqa: ARG001 - it signs no time
    """The key in the address is all it asks for."""
    address = f"{settings.url}?key={quote(settings.key.get_secret_value(), safe='')}"
    return address, {"msgtype": "text", "text": {"content": text}}


WECOM: Final = Platform(
    compose=compose,
    size=2_048,
    code=("errcode",),
    busy=frozenset((45009, 45033)),
    hopeless=frozenset((40008, 40058, 44004, 45002)),  # its kind, its parameters, empty, too long
    rest=60,
)
