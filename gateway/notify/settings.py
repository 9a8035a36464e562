"""The configuration of notify: which messages go to which channel, and how stubbornly."""

from __future__ import annotations

from fnmatch import fnmatchcase
from importlib import import_module
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Final, Literal, Self
from warnings import catch_warnings, simplefilter
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, field_validator, model_validator

from drivers.telemetry import DAY, MINUTE, SECOND
from gateway.cases.record import SEVERITIES, Message, rank
from gateway.cases.span import Span
from gateway.notify import quiet
from gateway.notify.quiet import QuietHours

Language = Literal["en", "zh"]
MailAddress = Annotated[str, Field(max_length=254, pattern=r"^[!-;=?A-~]+@[A-Za-z0-9.-]+$")]

SEVERITY: Final = "^(" + "|".join(SEVERITIES) + ")$"
NAME: Final = r"^[a-z0-9][a-z0-9-]*$"


class ChannelSettings(BaseModel):
    """What every channel has: a name, and what it is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(max_length=64, pattern=NAME)
    events: tuple[str, ...] = ("*",)  # "case.*", "case.overdue", "alarm.raise" …
    families: tuple[str, ...] = ()  # () = all
    areas: tuple[str, ...] = ()  # paths, each with all below it; () = all
    severity: str = Field(default=SEVERITIES[0], pattern=SEVERITY)  # the least
    escalations: tuple[str, ...] = ()  # whose: of what a step of escalation asks for; () = all
    each: bool = False  # also what a storm, or the alarm that explains it, speaks for
    wait: Span = Field(default=0, ge=0)  # a message waits so long for what may speak for it
    quiet: QuietHours | None = None  # by the city's wall clock; what comes then is held to their end
    quiet_severity: str = Field(default=SEVERITIES[-1], pattern=SEVERITY)  # so bad it comes at any hour
    escalate_to: str = ""  # the channel that is told what nobody has answered; "" = none
    escalate_after: Span = Field(default=15 * MINUTE, gt=0)
    escalate_severity: str = Field(default=SEVERITIES[-1], pattern=SEVERITY)  # the least

    def wants(self, message: Message) -> bool:
        """Whether this channel would be told of the message, if nothing else spoke for it."""
        return (
            self.hears(message.event)
            and (not self.families or message.family in self.families)
            and (not self.areas or any(_inside(message.area, area) for area in self.areas))
            and rank(message.severity) >= rank(self.severity)
            and (not message.to or not self.escalations or message.to in self.escalations)
        )

    def hears(self, event: str) -> bool:
        return any(fnmatchcase(event, pattern) for pattern in self.events)

    def due(self, message: Message, now: int, zone: ZoneInfo) -> int:
        """When the message may go out, µs UTC: once it has waited, and at the end of the quiet hours."""
        soon = now + self.wait
        if self.quiet is None or rank(message.severity) >= rank(self.quiet_severity):
            return soon
        return max(soon, quiet.end(self.quiet, now, zone) or soon)


class LogSettings(ChannelSettings):
    """`[[notify.log]]`."""

    name: str = Field(default="log", max_length=64, pattern=NAME)


class HttpSettings(ChannelSettings):
    """What every channel over HTTP has."""

    timeout: Span = Field(default=10 * SECOND, gt=0)  # real time, for connecting and for the whole answer
    allow: tuple[IPv4Network | IPv6Network, ...] = ()  # networks that are not public and may be posted to


class WebhookSettings(HttpSettings):
    """`[[notify.webhook]]`."""

    url: HttpUrl
    secret: SecretStr = Field(min_length=16)  # signs every request
    format: Literal["citygate", "cloudevents"] = "citygate"


class RobotSettings(HttpSettings):
    """What every group robot has. key: what its address ends in."""

    key: SecretStr = Field(min_length=1)
    language: Language = "zh"
    per_minute: int = Field(default=20, ge=1, le=1_000)  # messages; what is more comes together in one


class WeComSettings(RobotSettings):
    """`[[notify.wecom]]`."""

    url: HttpUrl = HttpUrl("https://qyapi.weixin.qq.com/cgi-bin/webhook/send")


class DingTalkSettings(RobotSettings):
    """`[[notify.dingtalk]]`. key: the access token. secret: of the signature (加签)."""

    url: HttpUrl = HttpUrl("https://oapi.dingtalk.com/robot/send")
    secret: SecretStr = Field(min_length=1)


class FeishuSettings(RobotSettings):
    """`[[notify.feishu]]`. secret: of the signature (签名校验)."""

    url: HttpUrl = HttpUrl("https://open.feishu.cn/open-apis/bot/v2/hook")
    secret: SecretStr = Field(min_length=1)
    per_minute: int = Field(default=100, ge=1, le=1_000)


class MailSettings(ChannelSettings):
    """`[[notify.mail]]`: SMTP (RFC 5321, submission RFC 6409)."""

    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65_535)
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""  # "" = no log-in
    password: SecretStr = SecretStr("")
    sender: MailAddress
    to: tuple[MailAddress, ...] = Field(min_length=1)
    language: Language = "zh"
    per_minute: int = Field(default=20, ge=1, le=1_000)  # messages; what is more comes together in one
    timeout: Span = Field(default=20 * SECOND, gt=0)  # real time, for each step of the exchange

    @model_validator(mode="after")
    def _sealed(self) -> Self:
        if self.user and self.tls == "none":
            raise ValueError(
                'a password never goes out in clear: set tls = "starttls" or "tls", or leave out user'
            )
        return self


class AppriseSettings(ChannelSettings):
    """`[[notify.apprise]]`: addresses as the Apprise library writes them."""

    urls: tuple[SecretStr, ...] = Field(min_length=1, max_length=20)
    language: Language = "zh"
    per_minute: int = Field(default=20, ge=1, le=1_000)  # messages; what is more comes together in one
    timeout: Span = Field(default=10 * SECOND, gt=0)  # real time, for connecting and for an answer

    @field_validator("urls")
    @classmethod
    def _spoken(cls, urls: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        apprise = import_module("apprise")  # slow to load, and most cities have none of these
        with catch_warnings():
            simplefilter("ignore", DeprecationWarning)  # its plugins are loaded here, some of them old
            known = [apprise.Apprise.instantiate(url.get_secret_value()) for url in urls]
        for number, (url, service) in enumerate(zip(urls, known, strict=True)):
            if service is None:
                kind = url.get_secret_value().partition("://")[0]
                raise ValueError(f"Apprise cannot use number {number}, a {kind!r:.40} address")
        return urls


class NotifySettings(BaseModel):
    """`[notify]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    concurrency: int = Field(default=8, ge=1, le=256)  # deliveries at once, a channel
    poll: Span = Field(default=SECOND, gt=0)  # how long a due message may wait to be seen
    backoff: Span = Field(
        default=2 * SECOND, gt=0
    )  # the first pause is up to this; it doubles with each failure
    longest_backoff: Span = Field(default=10 * MINUTE, gt=0)
    give_up: Span = Field(
        default=3 * DAY, gt=0
    )  # older than this and still failing: dead, for a person to see
    keep: Span = Field(default=7 * DAY, gt=0)  # delivered messages are forgotten after this
    base_url: str = Field(
        default="", pattern=r"^(https?://[^\s?#]+)?$"
    )  # where people reach the API; "" = no links
    source: str = Field(
        default="urn:citygate", pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$"
    )  # URI of CloudEvents
    link_life: Span = Field(default=3 * DAY, gt=0)  # a link in a message opens so long
    log: tuple[LogSettings, ...] = (LogSettings(),)
    webhook: tuple[WebhookSettings, ...] = ()
    wecom: tuple[WeComSettings, ...] = ()
    dingtalk: tuple[DingTalkSettings, ...] = ()
    feishu: tuple[FeishuSettings, ...] = ()
    mail: tuple[MailSettings, ...] = ()
    apprise: tuple[AppriseSettings, ...] = ()

    @property
    def channels(self) -> tuple[ChannelSettings, ...]:
        return (
            *self.log,
            *self.webhook,
            *self.wecom,
            *self.dingtalk,
            *self.feishu,
            *self.mail,
            *self.apprise,
        )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        names = [channel.name for channel in self.channels]
        twins = sorted({name for name in names if names.count(name) > 1})
        if twins:
            raise ValueError(f"two channels are named {', '.join(twins)}")
        return self

    @model_validator(mode="after")
    def _chains_end(self) -> Self:
        """Every chain of escalation names channels that are there, and comes to an end."""
        to = {channel.name: channel.escalate_to for channel in self.channels}
        for name, first in to.items():
            seen, here = {name}, first
            while here:
                if here not in to:
                    raise ValueError(f"escalate_to names {here}, and there is no such channel")
                if here in seen:
                    raise ValueError(f"escalate_to goes round in a circle: {name} … {here}")
                seen.add(here)
                here = to[here]
        return self


def _inside(area: str, path: str) -> bool:
    top = path.rstrip("/")
    return area == top or area.startswith(top + "/")
