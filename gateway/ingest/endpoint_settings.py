"""[mqtt.endpoint]: what an operator can tell the device endpoint. Every bound has a stated behaviour when reached."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.ingest.limit_settings import LimitSettings
from gateway.ingest.tls_settings import TlsSettings


class EndpointSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(True, description="whether devices may connect over MQTT")
    host: str = Field("0.0.0.0", description="address to listen on")  # noqa: S104 - devices are elsewhere
    port: int = Field(1883, ge=0, le=65_535, description="port without TLS; 0 takes any free one")
    anonymous: bool = Field(
        False,
        description="whether clients need no password, only a device's name; host must be a loopback address",
    )
    packet_limit: int = Field(
        262_144, ge=1024, le=268_435_460, description="bytes of the largest MQTT packet; beyond: disconnected"
    )
    payload_limit: int = Field(
        131_072, ge=256, description="bytes of the largest payload; beyond: refused as oversize"
    )
    connect_timeout: float = Field(10.0, gt=0, description="seconds within which CONNECT must come")
    max_keepalive: int = Field(
        600, ge=0, le=65_535, description="seconds an MQTT 5 client may ask for at most; 0 = as it likes"
    )
    session_expiry: int = Field(
        86_400, ge=0, le=0xFFFF_FFFE, description="seconds a session outlives its connection at most"
    )
    sessions: int = Field(
        200_000, ge=1, description="sessions kept; beyond: a new one ends with its connection"
    )
    session_commands: int = Field(
        100, ge=1, description="commands that wait in one session; beyond: the next is not taken"
    )
    subscriptions: int = Field(10_000, ge=1, description="subscriptions of one session; beyond: refused")
    connections: int = Field(20_000, ge=1, description="open connections; beyond: closed at once")
    receive_maximum: int = Field(
        10_000, ge=1, le=65_535, description="unacknowledged publishes an MQTT 5 client may have under way"
    )
    topic_aliases: int = Field(64, ge=0, le=65_535, description="topic aliases an MQTT 5 client may set up")
    takeovers: int = Field(
        3, ge=1, description="takeovers a minute of one identity; beyond: a clone, refused"
    )
    write_limit: int = Field(
        262_144, ge=4096, description="bytes waiting for a client that does not read; beyond: dropped"
    )
    aside: int = Field(
        8_388_608,
        ge=0,
        description="bytes read while too many readings wait; beyond: no socket is read until there is room",
    )
    sweep: float = Field(1.0, gt=0, description="seconds between looks at keepalives and time-outs")

    tls: TlsSettings = TlsSettings()
    limits: LimitSettings = LimitSettings()

    @model_validator(mode="after")
    def _anonymous_on_loopback_only(self) -> Self:
        if self.anonymous and not _loopback(self.host):
            raise ValueError(
                f"anonymous lets anyone who reaches {self.host} speak for any device; "
                'set host = "127.0.0.1", or anonymous = false'
            )
        return self


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
