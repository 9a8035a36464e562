"""What answers of GeoReport v2 hold, as the OpenAPI says it; XML has the same names under one root."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from gateway.api.open311_format import MEDIA


class Fault(BaseModel):
    code: int
    description: str


class EndpointView(BaseModel):
    specification: str
    url: str
    changeset: str
    type: str
    formats: list[str]


class DiscoveryView(BaseModel):
    changeset: str
    contact: str
    key_service: str
    endpoints: list[EndpointView]


class ServiceView(BaseModel):
    """keywords: with commas between them. group: a family of devices, where there is one."""

    service_code: str
    service_name: str
    description: str
    metadata: bool
    type: str
    keywords: str
    group: str


class AttributeView(BaseModel):
    variable: bool
    code: str
    datatype: str
    required: bool
    datatype_description: str
    order: int
    description: str


class DefinitionView(BaseModel):
    service_code: str
    attributes: list[AttributeView]


class TakenView(BaseModel):
    """service_request_id, or token."""

    service_request_id: str | None = None
    token: str | None = None
    service_notice: str
    account_id: None


class TokenView(BaseModel):
    """service_request_id: not there while the request waits."""

    service_request_id: str | None = None
    token: str


class RequestView(BaseModel):
    """Times are ISO 8601 with the city's offset."""

    service_request_id: str
    status: str
    status_notes: str
    service_name: str
    service_code: str
    description: str
    agency_responsible: str | None
    service_notice: str | None
    requested_datetime: str
    updated_datetime: str
    expected_datetime: str | None
    address: str | None
    address_id: str | None
    zipcode: str | None
    lat: float | None
    long: float | None
    media_url: str | None


def both(model: Any, description: str) -> dict[str, Any]:
    """An answer in JSON as the model says, and in XML."""
    return {"model": model, "description": description, "content": {MEDIA["xml"]: {"schema": {}}}}
