"""[mqtt.endpoint]: what an operator can tell the device endpoint. Every bound has a stated behaviour when reached."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class EndpointSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(True, description="whether devices may connect over MQTT")
    host: str = Field("0.0.0.0", description="address to listen on")  # noqa: S104 - devices are elsewhere
    port: int = Field(1883, ge=0, le=65_535, description="port without TLS; 0 takes any free one")
    tls_port: int = Field(8883, ge=0, le=65_535, description="port with TLS; used where tls_cert is set")
    tls_cert: Path | None = Field(None, description="PEM certificate chain")
    tls_key: Path | None = Field(None, description="PEM private key")
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
    sweep: float = Field(1.0, gt=0, description="seconds between looks at keepalives and time-outs")

    @model_validator(mode="after")
    def _key_goes_with_certificate(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together")
        return self
