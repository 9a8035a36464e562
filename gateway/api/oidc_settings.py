"""[oidc]: one provider that people may log in at, and what its claims make of them here."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.registry.roles import PEOPLE, Role


class OidcSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = Field(
        "",
        pattern=r"^(https?://[^\s?#]+)?$",
        description='"https://login.example.org/realms/city"; "" = none',
    )
    client_id: str = Field("citygate", min_length=1, description="as the provider knows this gateway")
    client_secret: str = Field("", description='"" = a public client: PKCE alone')
    scopes: tuple[str, ...] = Field(("openid", "profile"), description="what is asked for")
    name_claim: str = Field("preferred_username", description="what names the user here")
    roles_claim: str = Field("groups", description="whose values are looked up in roles")
    roles: dict[str, Role] = Field(
        {}, description='role by value of that claim; the highest counts: { "city-ops" = "operator" }'
    )
    areas_claim: str = Field(
        "",
        description='whose values are the area paths a user is limited to; "" = as set here, at first none',
    )
    allow: tuple[IPv4Network | IPv6Network, ...] = Field(
        (), description="private networks the provider may be in; without it only public addresses"
    )
    timeout: float = Field(10.0, gt=0, description="seconds for each question to the provider")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.issuer and not self.roles:
            raise ValueError(
                "roles: say which values of the claim give which role; without it nobody can log in"
            )
        if not set(self.roles.values()) <= set(PEOPLE):
            raise ValueError(f"roles: people are {', '.join(PEOPLE)}; a reporter is a token")
        if self.issuer and "openid" not in self.scopes:
            raise ValueError('scopes: "openid" must be among them')
        return self
