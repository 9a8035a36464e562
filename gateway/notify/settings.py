"""The configuration of notify: which messages go to which channel, and how stubbornly."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, model_validator

from drivers.telemetry import DAY, MINUTE, SECOND
from gateway.cases.record import SEVERITIES, Message, rank
from gateway.cases.span import Span

NAME: Final = r"^[a-z0-9][a-z0-9-]*$"


class ChannelSettings(BaseModel):
    """What every channel has: a name, and what it is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(max_length=64, pattern=NAME)
    events: tuple[str, ...] = ("*",)  # "case.*", "case.overdue", "alarm.raise" …
    families: tuple[str, ...] = ()  # () = all
    areas: tuple[str, ...] = ()  # paths, each with all below it; () = all
    severity: str = Field(default=SEVERITIES[0], pattern="^(" + "|".join(SEVERITIES) + ")$")  # the least

    def wants(self, message: Message) -> bool:
        """Whether this channel is told of the message."""
        return (
            any(fnmatchcase(message.event, pattern) for pattern in self.events)
            and (not self.families or message.family in self.families)
            and (not self.areas or any(_inside(message.area, area) for area in self.areas))
            and rank(message.severity) >= rank(self.severity)
        )


class LogSettings(ChannelSettings):
    """`[[notify.log]]`."""

    name: str = Field(default="log", max_length=64, pattern=NAME)


class WebhookSettings(ChannelSettings):
    """`[[notify.webhook]]`."""

    url: HttpUrl
    secret: SecretStr = Field(min_length=16)  # signs every request
    timeout: Span = Field(default=10 * SECOND, gt=0)  # real time, for connecting and for the whole answer


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
    log: tuple[LogSettings, ...] = (LogSettings(),)
    webhook: tuple[WebhookSettings, ...] = ()

    @property
    def channels(self) -> tuple[ChannelSettings, ...]:
        return (*self.log, *self.webhook)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        names = [channel.name for channel in self.channels]
        twins = sorted({name for name in names if names.count(name) > 1})
        if twins:
            raise ValueError(f"two channels are named {', '.join(twins)}")
        return self


def _inside(area: str, path: str) -> bool:
    top = path.rstrip("/")
    return area == top or area.startswith(top + "/")
