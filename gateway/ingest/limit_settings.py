"""[mqtt.endpoint.limits]: how much of the gateway one device, one connection and one address may use."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class LimitSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    device_messages: float = Field(
        500.0,
        gt=0,
        description="MQTT packets a second of one device, all its connections together; beyond: not read for a while",
    )
    device_bytes: float = Field(
        262_144.0, gt=0, description="bytes a second of one device; beyond: not read for a while"
    )
    connection_messages: float = Field(
        50_000.0,
        gt=0,
        description="MQTT packets a second of any one connection; beyond: not read for a while",
    )
    connection_bytes: float = Field(
        33_554_432.0, gt=0, description="bytes a second of any one connection; beyond: not read for a while"
    )
    burst: float = Field(10.0, gt=0, description="seconds of these rates that may come at once")
    hard: float = Field(
        4.0, ge=1, description="bursts at once beyond which a client is disconnected, not only slowed down"
    )
    clients: int = Field(100, ge=1, description="connections of one device or source; beyond: refused")
    logins: float = Field(
        60.0, gt=0, description="accepted CONNECTs a minute of one device or source; beyond: refused"
    )
    pending: int = Field(
        8_192, ge=1, description="connections without an accepted CONNECT; beyond: the oldest is closed"
    )
    pending_per_address: int = Field(
        4_096,
        ge=1,
        description="the same of one address, and never over half of connections; beyond: its oldest is closed",
    )
    connections_per_address: int = Field(
        0, ge=0, description="connections of one address; beyond: closed at once; 0 = as many as connections"
    )
    attempts: float = Field(
        20.0,
        gt=0,
        description="connections a second of one address that come to nothing; beyond: closed unread",
    )
    attempts_burst: int = Field(
        500, ge=1, description="of these at once: a city behind one address comes back together"
    )
    penalty: float = Field(
        1.0,
        ge=0,
        description="seconds unread before a connection is closed that broke MQTT at once, or was one too many attempts",
    )
    packet_timeout: float = Field(
        30.0, gt=0, description="seconds within which a packet that has begun must be complete"
    )
    topic_bytes: int = Field(512, ge=16, description="bytes of a topic or topic filter; beyond: refused")
    topic_levels: int = Field(16, ge=4, description="levels of a topic or topic filter; beyond: refused")
