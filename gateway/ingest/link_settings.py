"""[[mqtt.link]]: what an operator can tell one broker link. Every bound has a stated behaviour when reached."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from drivers.mqtt.topics import ROOT, UP, filter_fault, matches

NAME: Final = r"^[a-z0-9][a-z0-9-]{0,31}$"
TRANSPORTS: Final = frozenset(
    ("mqtt", "http", "modbus", "hj212", "lorawan")
)  # links of devices without a broker
DEVICE: Final = "{device}"  # the level of a topic pattern that is the device's id
HOME: Final = (f"{ROOT}/homestates/id", "homeassistant/device/id/config")
OWN: Final = tuple(f"{ROOT}/+/+/{channel}" for channel in UP)


def _filter(pattern: str) -> str:
    if fault := filter_fault(pattern):
        raise ValueError(f"{pattern!r:.80}: {fault}")
    return pattern


def _pattern(pattern: str) -> str:
    levels = pattern.split("/")
    if any(DEVICE in level and level != DEVICE for level in levels) or levels.count(DEVICE) > 1:
        raise ValueError(f"{pattern!r:.80}: {DEVICE} stands once and for a whole level")
    if levels[0] == "$share":
        raise ValueError(f"{pattern!r:.80}: name topics here as they arrive; a share belongs into filters")
    return _filter(pattern)


def _plain(pattern: str) -> str:
    """Without the share that it belongs to."""
    return pattern.split("/", 2)[2] if pattern.startswith("$share/") else pattern


class LinkSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=NAME, description="what devices behind this broker name as their link")
    host: str = Field(min_length=1, description="the broker's address")
    port: int = Field(1883, ge=1, le=65_535, description="the broker's port; with TLS usually 8883")
    username: str | None = Field(None, description="as the broker wants it")
    password: SecretStr | None = Field(None, description="as the broker wants it")
    client_id: str = Field(
        "", max_length=256, description='unique at the broker, never changed; "" = citygate-<name>'
    )
    version: Literal[4, 5] = Field(
        5, description="5, and 3.1.1 where the broker has no more; or 4: 3.1.1 always"
    )
    filters: tuple[Annotated[str, AfterValidator(_filter)], ...] = Field(
        OWN, description="what to subscribe to, besides the topics of products"
    )
    product: str = Field("", description="product of foreign topics that none of products names")
    products: dict[Annotated[str, AfterValidator(_pattern)], str] = Field(
        default_factory=dict,
        description="product by topic filter; {device} is the level with the device's id",
    )
    qos: Literal[0, 1, 2] = Field(1, description="asked for; below 1 messages are lost in every outage")
    session_expiry: int = Field(
        604_800,
        ge=60,
        le=0xFFFF_FFFF,
        description="seconds the broker keeps what we miss; 4294967295 = for ever",
    )
    receive_maximum: int = Field(
        10_000,
        ge=10,
        le=65_535,
        description="unacknowledged messages under way; beyond: they wait at the broker",
    )
    keepalive: int = Field(30, ge=5, le=65_535, description="seconds; a broker silent for so long is gone")
    connect_timeout: float = Field(10.0, gt=0, description="seconds until connected and subscribed")
    reconnect_cap: float = Field(
        60.0, ge=1.0, description="seconds between two attempts at most; each pause is random, to that bound"
    )
    coalesce_ms: int = Field(
        5, ge=0, le=1000, description="pause after a short read, so that the broker sends many at once"
    )
    packet_limit: int = Field(
        4_194_304, ge=1024, le=268_435_460, description="bytes of the largest packet; beyond: not delivered"
    )
    payload_limit: int = Field(
        131_072, ge=256, description="bytes of the largest payload; beyond: refused as oversize"
    )
    downlinks: int = Field(
        1_000, ge=1, le=60_000, description="unacknowledged commands at once; beyond: they stay queued here"
    )
    watch: bool = Field(
        True, description="read the broker's $SYS topics, to tell when it drops messages for us"
    )
    publish: tuple[Literal["alarms", "cases", "devices", "homeassistant"], ...] = Field(
        (),
        description="what to tell other platforms under city/alarms, city/cases and city/devices, retained; homeassistant:"
        " discovery documents under homeassistant/device, states under city/homestates",
    )
    publish_keep: int = Field(
        86_400, ge=0, description="seconds until the topic of what is cleared, closed or retired is emptied"
    )
    tls: bool = Field(False, description="TLS 1.2 or later, with the system's authorities")
    tls_ca: Path | None = Field(None, description="PEM authorities to trust instead; turns TLS on")
    tls_cert: Path | None = Field(None, description="PEM client certificate chain; turns TLS on")
    tls_key: Path | None = Field(None, description="PEM private key of it")

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.name in TRANSPORTS:
            raise ValueError(f"name {self.name!r} means devices without a broker; choose another")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together")
        if self.password is not None and self.username is None:
            raise ValueError("a password needs a username")
        if not self.subscriptions:
            raise ValueError("nothing to subscribe to: give filters or products")
        for kind in self.publish:
            ours = HOME if kind == "homeassistant" else (f"{ROOT}/{kind}/id",)
            back = [one for one in self.subscriptions for topic in ours if matches(_plain(one), topic)]
            if back:
                raise ValueError(
                    f"{back[0]!r} would bring back what is published under {ours[0].rpartition('/')[0]};"
                    f" name the channels: {', '.join(OWN)}"
                )
        return self

    @property
    def client(self) -> str:
        return self.client_id or f"citygate-{self.name}"

    @property
    def secure(self) -> bool:
        return self.tls or self.tls_ca is not None or self.tls_cert is not None

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Topic filters to subscribe to, each once."""
        return tuple(dict.fromkeys([*self.filters, *(key.replace(DEVICE, "+") for key in self.products)]))
