"""[hj212]: what an operator can tell the HJ 212 station server. Every bound has a stated behaviour when reached."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from drivers.hj212.commands import Cn
from drivers.hj212.crc import Crc


class Stored(StrEnum):
    """Data that stations keep, and give again by begin and end."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def cn(self) -> Cn:
        return Cn[self.name]


class StationSettings(BaseModel):
    """One station, by its MN. "" and none: as the product and [hj212] say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: str = ""  # id of the device that this MN is; "" = the MN itself
    password: str = ""
    crc: Crc | None = None


class ForwardSettings(BaseModel):
    """`[[hj212.forward]]`: a bureau's platform that is told readings, as by a 2017 station."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"[a-z0-9][a-z0-9-]{0,31}", description="names its cursor in the data folder")
    host: str
    port: int = Field(ge=1, le=65_535)
    stations: dict[str, str] = Field(
        min_length=1, description="MN by device id; no other device is forwarded"
    )
    st: str = Field("39", pattern=r"\d\d", description="system type (Table 5)")
    password: str = Field("123456", description="PW that the bureau gave")
    crc: Crc = Field(Crc.HJ212, description="hj212 or modbus")
    window: int = Field(16, ge=1, le=1000, description="messages under way at once")
    answer_timeout: float = Field(10.0, gt=0, description="seconds until a message is sent again (Table 1)")
    retries: int = Field(3, ge=0, description="how often, before the connection is made anew")
    reconnect: float = Field(10.0, gt=0, description="seconds between two attempts to connect")
    poll: float = Field(1.0, gt=0, description="seconds between looks for new readings")
    only_new: bool = Field(True, description="whether the first start sends only what comes from then on")


class Hj212Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(False, description="whether HJ 212 stations may connect")
    host: str = Field("0.0.0.0", description="address to listen on")  # noqa: S104 - stations are elsewhere
    port: int = Field(9212, ge=0, le=65_535, description="port to listen on; 0 takes any free one")
    password: str = Field("", description='PW that every station must send; "" takes any: it is no secret')
    connections: int = Field(5_000, ge=1, description="open connections; beyond: closed at once")
    loggers: int = Field(64, ge=1, description="stations on one connection; beyond: refused")
    connect_timeout: float = Field(60.0, gt=0, description="seconds within which a known station must speak")
    idle_timeout: float = Field(
        900.0, gt=0, description="seconds of silence after which a connection is closed"
    )
    write_limit: int = Field(
        65_536, ge=1024, description="bytes waiting for a station that does not read; beyond: dropped"
    )
    answer_timeout: float = Field(10.0, gt=0, description="seconds until a request is sent again (Table 1)")
    retries: int = Field(3, ge=0, description="how often a request is sent again (Table 1)")
    execution: float = Field(600.0, gt=0, description="seconds from 9011, or a record, to 9012")
    greet: bool = Field(True, description="whether the first connection sets clock and intervals (6.7)")
    drift: float = Field(30.0, gt=0, description="seconds a station's clock may be off before it is set")
    gap: float = Field(600.0, gt=0, description="seconds without readings after which stored data are pulled")
    pull: tuple[Stored, ...] = Field(
        (Stored.MINUTE, Stored.HOUR, Stored.DAY), description="what is pulled: minute, hour, day"
    )
    pull_days: float = Field(3.0, ge=0, description="days back that are pulled at most; 0 = never")
    look: float = Field(1.0, gt=0, description="seconds between looks at time-outs and requests")
    stations: dict[str, StationSettings] = Field(
        default_factory=dict, description="by MN, what differs from its product"
    )
    forward: tuple[ForwardSettings, ...] = Field((), description="platforms that readings are forwarded to")

    @model_validator(mode="after")
    def _apart(self) -> Self:
        names = [one.name for one in self.forward]
        if len(names) > len(set(names)):
            raise ValueError("two forwards have one name; give each its own")
        return self
