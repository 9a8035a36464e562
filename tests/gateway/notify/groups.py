"""Chat groups on loopback, each with a robot as its platform documents it: key, signature, sizes, codes and rate."""

from __future__ import annotations

import base64
import hashlib
import hmac
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

from msgspec import json

from drivers.telemetry import HOUR, MINUTE, SECOND
from gateway.clock import Clock
from tests.gateway.notify.receiver import LOOPBACK, Receiver, Reply, Request

KEY: Final = "0f3a-robot-key"
SECRET: Final = "SECd4f1-signing"
Fault = str | Reply | None


class Group(ABC):
    """Whoever breaks the platform's rules gets its code, and the group sees nothing. `heard`: what it sees.

    faults: answers to the next requests, whatever they are. tainted: a word that the platform never lets through.
    """

    kind = ""
    rate = 20
    size = 0
    codes: ClassVar[dict[str, int]]

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.heard: list[str] = []
        self.faults: list[Fault] = []
        self.tainted = ""
        self.times: list[int] = []
        self.codes_given: list[int] = []
        self.receiver = Receiver(self.answer)

    def settings(self, **more: Any) -> dict[str, Any]:
        base = {"name": "ear", "key": KEY, "url": f"http://127.0.0.1:{self.receiver.port}", "allow": LOOPBACK}
        return base | more

    def answer(self, request: Request) -> Fault:
        if self.faults:
            return self.faults.pop(0)
        fault, text = self.read(request, json.decode(request.body))
        fault = fault or self.judge(text)
        code = self.codes[fault] if fault else 0
        self.codes_given.append(code)
        if not fault:
            self.heard.append(text)
        return Reply("200 OK", json.encode(self.document(code, fault or "ok")))

    def judge(self, text: str) -> str:
        now = self.clock.now()
        self.times = [time for time in self.times if time > now - MINUTE]
        if len(self.times) >= self.rate:
            return "busy"
        self.times.append(now)
        if len(text.encode()) > self.size:
            return "long"
        return "tainted" if self.tainted and self.tainted in text else ""

    def recent(self, microseconds: int) -> bool:
        return abs(self.clock.now() - microseconds) < HOUR

    @abstractmethod
    def read(self, request: Request, document: dict[str, Any]) -> tuple[str, str]:
        """What is wrong with it, and its text."""

    def document(self, code: int, message: str) -> dict[str, Any]:
        return {"errcode": code, "errmsg": message}


class WeComGroup(Group):
    kind = "wecom"
    size = 2_048
    codes: ClassVar = {"key": 93000, "busy": 45009, "long": 45002, "kind": 40008, "tainted": 40058}

    def read(self, request: Request, document: dict[str, Any]) -> tuple[str, str]:
        if parse_qs(urlsplit(request.target).query).get("key") != [KEY]:
            return "key", ""
        return ("" if document["msgtype"] == "text" else "kind"), document["text"]["content"]


class DingTalkGroup(Group):
    kind = "dingtalk"
    size = 20_000
    codes: ClassVar = {"key": 300001, "sign": 310000, "busy": 130101, "long": 40035, "tainted": 430102}

    def settings(self, **more: Any) -> dict[str, Any]:
        return super().settings(secret=SECRET) | more

    def read(self, request: Request, document: dict[str, Any]) -> tuple[str, str]:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.target).query).items()}
        signed = (query["timestamp"] + "\n" + SECRET).encode()
        digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
        genuine = hmac.compare_digest(base64.b64encode(digest).decode(), query["sign"])
        if query["access_token"] != KEY:
            return "key", ""
        fault = "" if genuine and self.recent(int(query["timestamp"]) * 1_000) else "sign"
        return fault, document["text"]["content"]


class FeishuGroup(Group):
    kind = "feishu"
    rate = 100
    size = 20_000
    codes: ClassVar = {"key": 19001, "sign": 19021, "busy": 11232, "long": 9499, "tainted": 9499}

    def settings(self, **more: Any) -> dict[str, Any]:
        return super().settings(secret=SECRET) | more

    def read(self, request: Request, document: dict[str, Any]) -> tuple[str, str]:
        if request.target != f"/{KEY}":
            return "key", ""
        key = f"{document['timestamp']}\n{SECRET}".encode()
        genuine = base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()
        fault = (
            "" if genuine == document["sign"] and self.recent(int(document["timestamp"]) * SECOND) else "sign"
        )
        return fault, document["content"]["text"]

    def document(self, code: int, message: str) -> dict[str, Any]:
        return {"code": code, "msg": message, "data": {}}


GROUPS: Final[tuple[Callable[[Clock], Group], ...]] = (WeComGroup, DingTalkGroup, FeishuGroup)
