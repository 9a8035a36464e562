"""The catalogue of products, and what the gateway makes of a payload of one."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import Path, Query, Request
from pydantic import BaseModel

from drivers.explain import explain
from drivers.families import FAMILIES
from drivers.products.product import Product
from drivers.shape import IMPLIED
from gateway.api.auth import Reader
from gateway.api.resource import resource
from gateway.api.services import With
from gateway.commands.limits import product_commands
from gateway.errors import Invalid, NotFound

router: Final = resource("/products", "products")
Id = Annotated[str, Path(max_length=64)]
TEXT: Final = "text/plain"


class ProductView(BaseModel):
    """points, commands: that this product has, of its family's. source: where its facts come from."""

    id: str
    maker: str
    model: str
    family: str
    transport: str
    points: list[str]
    commands: list[str]
    source: str


class Products(BaseModel):
    items: list[ProductView]


class Made(BaseModel):
    """As `citygate decode` prints it."""

    product: str
    device: list[str]
    readings: list[dict[str, Any]]
    refusals: list[dict[str, Any]]
    says: dict[str, Any]
    reply: str | None


def view(product: Product) -> ProductView:
    return ProductView(
        id=product.id,
        maker=product.maker,
        model=product.model,
        family=product.family,
        transport=product.transport,
        points=points(product),
        commands=commands(product),
        source=product.source,
    )


def points(product: Product) -> list[str]:
    """In the order of the family; all of them where a product does not say."""
    own: set[str] | None = None
    if product.telemetry is not None:
        own = {one.point for one in product.telemetry.points}
    elif product.codec is not None:
        own = set(product.codec.points())
    elif product.hj212 is not None:
        own = {one.point for one in product.hj212.factors}
    elif product.modbus is not None:
        own = {one.point for module in product.modbus.modules for one in module.registers}
    family = [point.name for point in FAMILIES[product.family].points if point.name not in IMPLIED]
    return family if own is None else [name for name in family if name in own]


def commands(product: Product) -> list[str]:
    """That a product can be told, in the order of its family."""
    known = product_commands(product)
    return [command.name for command in FAMILIES[product.family].commands if command.name in known]


@router.get("")
async def list_products(services: With, _: Reader) -> Products:
    """Every product there is, by id."""
    return Products(items=[view(services.products[name]) for name in sorted(services.products)])


@router.post(
    "/{id}/decode",
    openapi_extra={
        "requestBody": {
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
                TEXT: {"schema": {"type": "string"}},
            }
        }
    },
)
async def decode_payload(
    services: With,
    _: Reader,
    request: Request,
    id: Id,  # noqa: A002 - the field's word
    port: Annotated[int | None, Query(ge=0, le=255, description="fPort of a bare LoRaWAN frame")] = None,
    digits: Annotated[bool, Query(alias="hex", description="the body is hex digits")] = False,
) -> Made:
    """Rows, refusals and the reply that this payload would get; nothing is stored."""
    product = services.products.get(id)
    if product is None:
        raise NotFound(f"no product {id!r:.80}")
    payload = await request.body()
    if digits:
        payload = unhex(payload)
    found = explain(product, payload, services.clock.now(), port=port)
    return Made.model_validate(msgspec.to_builtins(found))


def unhex(text: bytes) -> bytes:
    """Hex digits, spaces between them allowed; raises Invalid."""
    try:
        return bytes.fromhex(text.decode("ascii"))
    except ValueError as error:
        raise Invalid(f"no hex digits: {error}; write pairs of 0-9 a-f") from None
