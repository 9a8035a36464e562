"""[mqtt.endpoint.tls]: MQTT over TLS 1.2 or later, and devices that prove who they are with a certificate."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class TlsSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    only: bool = Field(False, description="whether the port without TLS stays closed")
    port: int = Field(8883, ge=0, le=65_535, description="port with TLS, used where cert is set; 0 takes any")
    cert: Path | None = Field(None, description="PEM certificate chain; a changed file is read again")
    key: Path | None = Field(None, description="PEM private key")
    client_ca: Path | None = Field(
        None, description="PEM authorities of device certificates; these replace passwords"
    )
    require: bool = Field(False, description="whether every client must bring a certificate")
    identity: Literal["cn", "dns", "uri"] = Field(
        "cn", description="what names the device: common name, or a DNS or URI subject alternative name"
    )
    crl: Path | None = Field(None, description="PEM lists of revoked certificates, signed by client_ca")

    @model_validator(mode="after")
    def _what_goes_together(self) -> Self:
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key go together")
        if self.client_ca is not None and self.cert is None:
            raise ValueError("client_ca needs cert and key")
        if self.only and self.cert is None:
            raise ValueError("only needs cert and key")
        if (self.require or self.crl is not None) and self.client_ca is None:
            raise ValueError("require and crl need client_ca")
        return self
