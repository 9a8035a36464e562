"""`[open311]`: the city's GeoReport v2 endpoint, and the endpoints of others that its cases are sent to."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, model_validator

from drivers.telemetry import MINUTE
from gateway.cases.record import Message
from gateway.cases.span import Span
from gateway.notify.settings import HttpSettings, Language

Format = Literal["json", "xml"]


class ForwardSettings(HttpSettings):
    """`[[open311.forward]]`. services: by case template, what the other side calls it; no other case is sent."""

    events: tuple[str, ...] = ("case.file",)
    url: HttpUrl  # what services.json would be appended to
    token: SecretStr = Field(min_length=1)  # the other side's api_key
    jurisdiction: str = Field("", max_length=128)  # "" = the other side has one only
    format: Format = "json"
    services: dict[str, str] = Field(min_length=1)
    language: Language = "zh"
    poll: Span = Field(5 * MINUTE, gt=0)  # between two looks at what became of a request

    def wants(self, message: Message) -> bool:
        case = message.payload.get("case")
        return case is not None and case["template"] in self.services and super().wants(message)


class Open311Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = False
    jurisdiction: str = Field("", max_length=128)  # "" = callers name none
    read: Literal["open", "key"] = "key"  # who may see requests: anyone, or who has a token
    type: Literal["realtime", "batch"] = "realtime"  # a report is a case at once, or a moment after a token
    per_minute: int = Field(60, ge=1, le=100_000)  # reports of one api_key
    contact: str = Field("", max_length=500)
    key_service: str = Field("", max_length=500)  # how to get an api_key
    language: Language = "zh"
    forward: tuple[ForwardSettings, ...] = ()

    @model_validator(mode="after")
    def _apart(self) -> Self:
        names = [each.name for each in self.forward]
        if len(set(names)) < len(names):
            raise ValueError("two tables of forward have one name; give each its own")
        return self
